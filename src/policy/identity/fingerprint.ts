import { createHmac, createSecretKey, randomBytes } from 'node:crypto';

/** Of this process alone: what its memory holds can't be compared with a list of likely secrets. */
const key = createSecretKey(randomBytes(32));

/** Stands for credentials as the key of a cache, so that they themselves are not kept. */
export function fingerprint(credentials: string): string {
  return createHmac('sha256', key).update(credentials).digest('base64');
}
