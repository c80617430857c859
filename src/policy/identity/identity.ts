/** What is known about who sent a request: principals, or why its credentials are refused. */
import { type Failure, failure } from '../../errors.ts';
import type { Principal } from '../principal.ts';

export type Identified =
  /** As far as the head tells; often nobody. */
  | { readonly kind: 'identified'; readonly principals: readonly Principal[] }
  /** `unauthenticated` (401): not valid. `identity-unavailable` (503): nothing to check them against just now. */
  | { readonly kind: 'refused'; readonly failure: Failure };

export const nobody: Identified = { kind: 'identified', principals: [] };

/** A user or the id of an API key, either proven or as the request claims it. */
export function named(kind: 'user' | 'api-key', name: string, verified: boolean): Identified {
  return { kind: 'identified', principals: [{ kind, name, verified, issuer: undefined, claims: undefined }] };
}

/** The details are for clients and logs: they never hold what the client sent. */
export function unauthenticated(detail: string): Identified {
  return { kind: 'refused', failure: failure('unauthenticated', detail) };
}

export function unavailable(detail: string): Identified {
  return { kind: 'refused', failure: failure('identity-unavailable', detail) };
}
