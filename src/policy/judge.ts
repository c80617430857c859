/** The policy stage: from a head to what may become of the request. Each request is judged by one set alone. */
import { type Failure, failure } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { PolicySet } from './compile.ts';
import { type CredentialRefusal, CredentialRefusals } from './credential-refusals.ts';
import { type Identified, nobody } from './identity/identity.ts';
import type { Limiter, Limiters } from './limits/limiter.ts';
import type { Policy } from './policy.ts';
import { shownPrincipal } from './principal.ts';
import { describe } from './subject.ts';

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
  readonly identify: ((head: RequestHead, source: string) => Identified | Promise<Identified>) | undefined;
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

/** What a policy holds while its set is in service. */
interface Post {
  readonly allowed: Judgement;
  readonly hits: Hits;
}

interface InService {
  readonly set: PolicySet;
  readonly posts: ReadonlyMap<Policy, Post>;
  readonly restsOnPrincipals: boolean;
}

export class Judge {
  readonly #options: JudgeOptions;
  readonly #hits = new Map<string, Hits>();
  readonly #defaultHits = this.#hitsOf('default');
  readonly #refusals = new CredentialRefusals();
  #service: InService | undefined;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** By the name of the policy, and `default`. */
  get hits(): ReadonlyMap<string, Readonly<Hits>> {
    return this.#hits;
  }

  /** How often credentials were refused, since the start. */
  credentialRefusals(): Iterable<CredentialRefusal> {
    return this.#refusals.all();
  }

  /** From here on requests are judged by this set. Those under way keep what they were given. */
  use(set: PolicySet): void {
    const { limiters } = this.#options;
    const posts = set.policies.map((policy): readonly [Policy, Post] => {
      const limiter = limiters.of(policy.name, policy.document.limits);
      return [policy, { allowed: { kind: 'allowed', policy, limiter }, hits: this.#hitsOf(policy.name) }];
    });
    const restsOnPrincipals = set.policies.some(({ document }) => document.match.principals.length > 0);
    this.#service = { set, posts: new Map(posts), restsOnPrincipals };
    const names = new Set(set.policies.map(({ name }) => name));
    limiters.retain(names);
    this.#refusals.retain(
      set.policies.map(({ name, document: { action } }) => {
        return { name, asksForCredentials: action.kind === 'deny' && action.status === 401 };
      }),
    );
    for (const name of this.#hits.keys()) if (name !== 'default' && !names.has(name)) this.#hits.delete(name);
  }

  /** A promise only where credentials have yet to be verified. Fills in the exchange's part of the record. */
  judge(head: RequestHead, exchange: Exchange): Judgement | Promise<Judgement> {
    const service = this.#service;
    if (service === undefined) return refused(failure('no-policies'));
    const identified = this.#options.identify?.(head, exchange.clientAddress) ?? nobody;
    return identified instanceof Promise
      ? identified.then((who) => this.#decide(service, head, exchange, who))
      : this.#decide(service, head, exchange, identified);
  }

  #decide(service: InService, head: RequestHead, exchange: Exchange, who: Identified): Judgement {
    if (who.kind === 'refused') {
      if (who.claimed !== undefined) exchange.principal = shownPrincipal(who.claimed);
      this.#refusals.beforeAnyPolicy(who.fault);
      return this.#refusedCredentials(who.failure);
    }
    const { principals, presented } = who;
    exchange.principal = principals.length === 0 ? '' : principals.map(shownPrincipal).join(', ');
    const subject = describe(head, {
      source: exchange.clientAddress,
      principals,
      time: exchange.startedWall,
    });
    if ('code' in subject) return refused(subject);
    exchange.endpoint = subject.match.endpoint.name;
    const verdict = service.set.decide(subject);
    const post = verdict.policy && service.posts.get(verdict.policy);
    exchange.policy = verdict.policy?.name ?? 'default';
    if (verdict.audited.length > 0) this.#noteAudits(verdict.audited, exchange);
    const hits = post?.hits ?? this.#defaultHits;
    if (verdict.kind === 'allow') {
      hits.allowed += 1;
      return post?.allowed ?? byDefault;
    }
    hits.denied += 1;
    if (post === undefined && service.restsOnPrincipals && !presented) {
      this.#refusals.by('default', 'missing');
      return this.#refusedCredentials(
        failure('unauthenticated', `${verdict.reason} It came without credentials.`),
      );
    }
    const denied = { ...refused(failure('policy-denied', verdict.reason)), status: verdict.status };
    if (verdict.status !== 401) return denied;
    this.#refusals.by(exchange.policy, 'denied');
    return this.#withChallenge(denied);
  }

  #noteAudits(audited: readonly Policy[], exchange: Exchange): void {
    exchange.audited = audited.map(({ name }) => name);
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
    return why.code === 'unauthenticated' ? this.#withChallenge(refused(why)) : refused(why);
  }

  /** No 401 goes without one (RFC 9110, section 15.5.2), where there is one. */
  #withChallenge(refused: Refused): Refused {
    const { challenge } = this.#options;
    return challenge === '' ? refused : { ...refused, fields: `WWW-Authenticate: ${challenge}\r\n` };
  }
}

const byDefault: Judgement = { kind: 'allowed', policy: undefined, limiter: undefined };

function refused(why: Failure): Refused {
  return { kind: 'refused', failure: why };
}
