/** What jose found wrong with a token, in words that hold nothing of the token. */
import { type Identified, unauthenticated } from './identity.ts';

const details: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'the token has expired',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'the signature of the token is wrong',
  ERR_JOSE_ALG_NOT_ALLOWED: 'the token is not signed with an algorithm that is allowed for its issuer',
  ERR_JOSE_NOT_SUPPORTED: 'the token demands an extension that is not supported',
  ERR_JWS_INVALID: 'the token is malformed',
  ERR_JWT_INVALID: 'the token is malformed',
  ERR_JWT_CLAIM_VALIDATION_FAILED: 'a claim of the token is malformed',
};

const claims: Readonly<Record<string, string>> = {
  'nbf check_failed': 'the token is not valid yet',
  'aud check_failed': 'the token is meant for another audience',
  'aud missing': 'the token names no audience',
  'exp missing': 'the token says no time at which it expires',
};

/** `error` is what jose threw; for keys that don't suit an algorithm that is a TypeError without a code. */
export function refusalOf(error: unknown): Identified {
  const { code, claim, reason } = error as { code?: unknown; claim?: unknown; reason?: unknown };
  const detail = claims[`${claim} ${reason}`] ?? details[String(code)];
  return unauthenticated(detail ?? "the issuer's key that the token names can not be used");
}
