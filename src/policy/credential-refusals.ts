/** How many requests were refused for their credentials, by policy and reason. Clients can make no new rows. */
import { type CredentialFault, credentialFaults } from './identity/identity.ts';

/**
 * `missing`: the default refused a request without credentials while some policy asks for a principal. `denied`: a
 * policy denied with status 401.
 */
export type CredentialReason = CredentialFault | 'missing' | 'denied';

/** Credentials are verified before any policy is asked. */
const noPolicy = '';

export interface CredentialRefusal {
  /** Empty where the credentials were refused before any policy was asked. */
  readonly policy: string;
  readonly reason: CredentialReason;
  readonly count: number;
}

export class CredentialRefusals {
  readonly #rows = new Map<string, Map<CredentialReason, number>>();

  constructor() {
    for (const fault of credentialFaults) this.#add(noPolicy, fault, 0);
    this.#add('default', 'missing', 0);
  }

  /** Rows exist from the start, since a rate of a row that begins with its first refusal does not see it. */
  retain(policies: Iterable<{ readonly name: string; readonly asksForCredentials: boolean }>): void {
    const kept = new Set([noPolicy, 'default']);
    for (const { name, asksForCredentials } of policies) {
      kept.add(name);
      if (asksForCredentials) this.#add(name, 'denied', 0);
    }
    for (const policy of this.#rows.keys()) if (!kept.has(policy)) this.#rows.delete(policy);
  }

  beforeAnyPolicy(fault: CredentialFault): void {
    this.#add(noPolicy, fault, 1);
  }

  by(policy: string, reason: 'missing' | 'denied'): void {
    this.#add(policy, reason, 1);
  }

  *all(): Generator<CredentialRefusal> {
    for (const [policy, reasons] of this.#rows) {
      for (const [reason, count] of reasons) yield { policy, reason, count };
    }
  }

  #add(policy: string, reason: CredentialReason, count: number): void {
    const reasons = this.#rows.get(policy) ?? new Map<CredentialReason, number>();
    reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    this.#rows.set(policy, reasons);
  }
}
