/** What is known about who sent a request: principals, or why its credentials are refused. */
import { type Failure, failure } from '../../errors.ts';
import type { Principal } from '../principal.ts';

export type Identified =
  /** As far as the head tells; often nobody. */
  | {
      readonly kind: 'identified';
      readonly principals: readonly Principal[];
      /** It came with credentials, also where they tell Sluice of nobody: to ask for some would be of no use. */
      readonly presented: boolean;
    }
  | RefusedIdentity;

export interface RefusedIdentity {
  readonly kind: 'refused';
  /** `unauthenticated` (401): not valid. `identity-unavailable` (503): nothing to check them against just now. */
  readonly failure: Failure;
  readonly fault: CredentialFault;
  /** Whom the credentials name; undefined where they are too malformed to name anybody. For the log alone. */
  readonly claimed: Principal | undefined;
}

/** Why credentials are refused, as metrics count it: the values of a label, so that there are few of them. */
export const credentialFaults = [
  'malformed',
  'wrong-password',
  'wrong-api-key',
  'token-expired',
  'token-issuer',
  'token-key',
  'token-signature',
  'token-claims',
  'unavailable',
  'busy',
] as const;

export type CredentialFault = (typeof credentialFaults)[number];

/** Without credentials. */
export const nobody: Identified = { kind: 'identified', principals: [], presented: false };

/** With credentials that are for the server alone to read. */
export const unread: Identified = { kind: 'identified', principals: [], presented: true };

/** Principals that credentials name. */
export function identifiedAs(principals: readonly Principal[]): Identified {
  return { kind: 'identified', principals, presented: true };
}

/** A user or the id of an API key, either proven or as the request claims it. */
export function named(kind: 'user' | 'api-key', name: string, verified: boolean): Identified {
  return identifiedAs([principal(kind, name, verified)]);
}

/** What credentials say that nobody has verified. */
export function claimed(kind: Principal['kind'], name: string): Principal {
  return principal(kind, name, false);
}

function principal(kind: Principal['kind'], name: string, verified: boolean): Principal {
  return { kind, name, verified, issuer: undefined, claims: undefined };
}

/** The details are for clients and logs: they never hold what the client sent. */
export function unauthenticated(fault: CredentialFault, detail: string, claimed?: Principal): Identified {
  return { kind: 'refused', failure: failure('unauthenticated', detail), fault, claimed };
}

export function unavailable(
  fault: 'unavailable' | 'busy',
  detail: string,
  claimed?: Principal,
): RefusedIdentity {
  return { kind: 'refused', failure: failure('identity-unavailable', detail), fault, claimed };
}
