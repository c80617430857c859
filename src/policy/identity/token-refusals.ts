/** What jose found wrong with a token, in words that hold nothing of the token. */
import type { Principal } from '../principal.ts';
import { type CredentialFault, type Identified, unauthenticated } from './identity.ts';

const refusals: Readonly<Record<string, readonly [CredentialFault, string]>> = {
  ERR_JWT_EXPIRED: ['token-expired', 'the token has expired'],
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: ['token-signature', 'the signature of the token is wrong'],
  ERR_JOSE_ALG_NOT_ALLOWED: [
    'token-signature',
    'the token is not signed with an algorithm that is allowed for its issuer',
  ],
  ERR_JOSE_NOT_SUPPORTED: ['malformed', 'the token demands an extension that is not supported'],
  ERR_JWS_INVALID: ['malformed', 'the token is malformed'],
  ERR_JWT_INVALID: ['malformed', 'the token is malformed'],
  ERR_JWT_CLAIM_VALIDATION_FAILED: ['token-claims', 'a claim of the token is malformed'],
};

const claims: Readonly<Record<string, string>> = {
  'nbf check_failed': 'the token is not valid yet',
  'aud check_failed': 'the token is meant for another audience',
  'aud missing': 'the token names no audience',
  'exp missing': 'the token says no time at which it expires',
};

const unusable = [
  'token-key',
  "the issuer's key that the token names can not be used",
] as const satisfies readonly [CredentialFault, string];

/** `error` is what jose threw; for keys that don't suit an algorithm that is a TypeError without a code. */
export function refusalOf(error: unknown, who: Principal | undefined): Identified {
  const { code, claim, reason } = error as { code?: unknown; claim?: unknown; reason?: unknown };
  const detail = claims[`${claim} ${reason}`];
  const [fault, words] =
    detail === undefined ? (refusals[String(code)] ?? unusable) : (['token-claims', detail] as const);
  return unauthenticated(fault, words, who);
}
