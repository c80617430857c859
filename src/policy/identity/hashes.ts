/**
 * Hashes of secrets in PHC's string format (github.com/P-H-C/phc-string-format):
 * `$scrypt$ln=15,r=8,p=1$salt$digest`, and `$sha256$digest` for random API keys, which nobody can guess.
 * Salt and digest are base64, with or without padding.
 */
import {
  createHash,
  randomBytes,
  type ScryptOptions,
  scrypt,
  scryptSync,
  timingSafeEqual,
} from 'node:crypto';

export type Hash =
  | { readonly kind: 'scrypt'; readonly cost: ScryptCost; readonly salt: Buffer; readonly digest: Buffer }
  | { readonly kind: 'sha256'; readonly digest: Buffer };

interface ScryptCost {
  /** The logarithm of scrypt's N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and some 80 ms for each guess. */
const standard: ScryptCost = { ln: 15, r: 8, p: 1 };
const saltBytes = 16;
const digestBytes = 32;

/** What a stolen file must cost at least, and what one request may cost at most (64 MiB). */
const minLn = 14;
const maxLn = 16;
const maxP = 4;

const scryptForm =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})={0,2}\$([A-Za-z0-9+/]{43})=?$/;
const sha256Form = /^\$sha256\$([A-Za-z0-9+/]{43})=?$/;

/** A hash, or what is wrong with it, without quoting it. */
export function readHash(text: string): Hash | string {
  const digest = sha256Form.exec(text)?.[1];
  if (digest !== undefined) return { kind: 'sha256', digest: Buffer.from(digest, 'base64') };
  if (text.startsWith('$sha256$')) return 'after `$sha256$` belong the 32 bytes of the digest as base64';
  const parts = scryptForm.exec(text);
  if (parts === null) {
    return text.startsWith('$scrypt$')
      ? 'a scrypt hash reads `$scrypt$ln=15,r=8,p=1$salt$digest`, salt (8 to 64 bytes) and digest (32) as base64'
      : 'it is no hash: `$scrypt$...`, as `sluice hash` prints it, belongs here';
  }
  const [ln, r, p] = parts.slice(1, 4).map(Number) as [number, number, number];
  if (ln < minLn || ln > maxLn || r !== 8 || p < 1 || p > maxP) {
    return `the costs of scrypt must be ln=${minLn} to ${maxLn}, r=8, p=1 to ${maxP}`;
  }
  const [salt, derived] = parts.slice(4).map((part) => Buffer.from(part, 'base64')) as [Buffer, Buffer];
  return { kind: 'scrypt', cost: { ln, r, p }, salt, digest: derived };
}

/** A new scrypt hash with a new salt, for a line of the file. Blocks for some 80 ms: not for requests. */
export function hashSecret(secret: string): string {
  if (secret === '') throw new Error('an empty secret protects nothing');
  const salt = randomBytes(saltBytes);
  const digest = scryptSync(secret, salt, digestBytes, scryptOptions(standard));
  const { ln, r, p } = standard;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(digest)}`;
}

/** The line's hash of a random API key; of what can be guessed it protects nothing. */
export function digestKey(key: string): string {
  return `$sha256$${createHash('sha256').update(key).digest('base64')}`;
}

/** Compared in constant time; scrypt runs on libuv's threads. Rejects only where memory for scrypt lacks. */
export function matches(hash: Hash, secret: string): boolean | Promise<boolean> {
  if (hash.kind === 'sha256') {
    return timingSafeEqual(createHash('sha256').update(secret).digest(), hash.digest);
  }
  return new Promise((resolve, reject) => {
    scrypt(secret, hash.salt, digestBytes, scryptOptions(hash.cost), (error, digest) => {
      if (error === null) resolve(timingSafeEqual(digest, hash.digest));
      else reject(error);
    });
  });
}

function scryptOptions({ ln, r, p }: ScryptCost): ScryptOptions {
  const N = 2 ** ln;
  // OpenSSL counts 128 * r * (N + p) and a little more, and refuses above `maxmem`.
  return { N, r, p, maxmem: 2 * 128 * r * (N + p) };
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
