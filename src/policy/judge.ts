/** The policy stage: from a head to what may become of the request. Each request is judged by one set alone. */
import { type Failure, failure } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { Policy, PolicySet } from './compile.ts';
import { type Identified, nobody } from './identity/identity.ts';
import type { Limiter, Limiters } from './limits/limiter.ts';
import type { Principal } from './principal.ts';
import { describe } from './subject.ts';
import type { Verdict } from './verdict.ts';

export type Judgement =
  | {
      readonly kind: 'allowed';
      /** Undefined where the default lets it in. */
      readonly policy: Policy | undefined;
      readonly limiter: Limiter | undefined;
    }
  | Refused;

export interface Refused {
  readonly kind: 'refused';
  readonly failure: Failure;
  /** Undefined is the failure's own. */
  readonly status?: number;
  /** Field lines for the answer, each with its CRLF. */
  readonly fields?: string;
}

export interface JudgeOptions {
  /** Undefined where nobody's credentials are looked at. */
  readonly identify: ((head: RequestHead) => Identified | Promise<Identified>) | undefined;
  /** The value of WWW-Authenticate (RFC 9110, section 11.6.1); empty where nobody could be authenticated. */
  readonly challenge: string;
  readonly limiters: Limiters;
}

/** How often a policy decided, since the start. */
export interface Hits {
  allowed: number;
  denied: number;
  audited: number;
}

interface InService {
  readonly set: PolicySet;
  readonly limiters: ReadonlyMap<Policy, Limiter>;
  readonly restsOnPrincipals: boolean;
}

export class Judge {
  readonly #options: JudgeOptions;
  readonly #hits = new Map<string, Hits>();
  #service: InService | undefined;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** By the name of the policy, and `default`. */
  get hits(): ReadonlyMap<string, Readonly<Hits>> {
    return this.#hits;
  }

  /** From here on requests are judged by this set. Those under way keep what they were given. */
  use(set: PolicySet): void {
    const { limiters } = this.#options;
    const byPolicy = set.policies.map(
      (policy) => [policy, limiters.of(policy.name, policy.document.limits)] as const,
    );
    const restsOnPrincipals = set.policies.some(({ document }) => document.match.principals.length > 0);
    this.#service = { set, limiters: new Map(byPolicy), restsOnPrincipals };
    const names = new Set(set.policies.map(({ name }) => name));
    limiters.retain(names);
    for (const name of this.#hits.keys()) if (name !== 'default' && !names.has(name)) this.#hits.delete(name);
  }

  /** A promise only where credentials have yet to be verified. Fills in the exchange's part of the record. */
  judge(head: RequestHead, exchange: Exchange): Judgement | Promise<Judgement> {
    const service = this.#service;
    if (service === undefined) return refused(failure('no-policies'));
    const identified = this.#options.identify?.(head) ?? nobody;
    return identified instanceof Promise
      ? identified.then((who) => this.#decide(service, head, exchange, who))
      : this.#decide(service, head, exchange, identified);
  }

  #decide(service: InService, head: RequestHead, exchange: Exchange, who: Identified): Judgement {
    if (who.kind === 'refused') return this.#refusedCredentials(who.failure);
    const { principals } = who;
    exchange.principal = principals.length === 0 ? '' : principals.map(shown).join(', ');
    const subject = describe(head, {
      source: exchange.clientAddress,
      principals,
      time: exchange.startedWall,
    });
    if ('code' in subject) return refused(subject);
    exchange.endpoint = subject.match.endpoint.name;
    const verdict = service.set.decide(subject);
    this.#count(verdict, exchange);
    const { policy } = verdict;
    if (verdict.kind === 'allow')
      return { kind: 'allowed', policy, limiter: policy && service.limiters.get(policy) };
    if (policy === undefined && service.restsOnPrincipals && !head.fields.has('authorization')) {
      return this.#refusedCredentials(
        failure('unauthenticated', 'No policy allows this request without credentials.'),
      );
    }
    return { ...refused(failure('policy-denied', verdict.reason)), status: verdict.status };
  }

  #count(verdict: Verdict, exchange: Exchange): void {
    exchange.policy = verdict.policy?.name ?? 'default';
    const hits = this.#hitsOf(exchange.policy);
    if (verdict.kind === 'allow') hits.allowed += 1;
    else hits.denied += 1;
    if (verdict.audited.length === 0) return;
    exchange.audited = verdict.audited.map(({ name }) => name);
    for (const name of exchange.audited) this.#hitsOf(name).audited += 1;
  }

  #hitsOf(name: string): Hits {
    let hits = this.#hits.get(name);
    if (hits === undefined) {
      hits = { allowed: 0, denied: 0, audited: 0 };
      this.#hits.set(name, hits);
    }
    return hits;
  }

  #refusedCredentials(why: Failure): Refused {
    const { challenge } = this.#options;
    if (why.code !== 'unauthenticated' || challenge === '') return refused(why);
    return { ...refused(why), fields: `WWW-Authenticate: ${challenge}\r\n` };
  }
}

function refused(why: Failure): Refused {
  return { kind: 'refused', failure: why };
}

function shown({ kind, name, verified }: Principal): string {
  return `${kind} ${name}${verified ? '' : '?'}`;
}
