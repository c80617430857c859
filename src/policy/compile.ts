/** A set of policies, compiled whole: decides, and says why. Pure: no sockets, no files, no clock. */
import { bodyIndicesHint, type Condition, compileConditions, senseOf } from './conditions.ts';
import type { PolicyDocument } from './document.ts';
import { beginDecision } from './indices.ts';
import { createNarrowing, nextCandidate } from './narrow.ts';
import type { Policy, PolicyParts } from './policy.ts';
import type { Subject } from './subject.ts';
import type { Verdict } from './verdict.ts';

export interface SetOptions {
  readonly version: string;
  /** What becomes of a request that no policy matches. */
  readonly fallback: 'allow' | 'deny';
}

/** Why a policy did or did not match. */
export interface Step {
  readonly policy: string;
  readonly matched: boolean;
  /** The part of `match` that did not hold, or `when`; undefined where all did. */
  readonly part: string | undefined;
  /** What the request has instead; empty where all held. */
  readonly found: string;
}

export interface PolicySet {
  readonly version: string;
  readonly fallback: 'allow' | 'deny';
  /** In the order in which they are asked. */
  readonly policies: readonly Policy[];
  decide(subject: Subject): Verdict;
  /** Every policy up to the one that decides, in order. */
  explain(subject: Subject): readonly Step[];
}

/** Apart from compileSet, since a large set is compiled policy by policy, between requests. */
export function compilePolicy(document: PolicyDocument, parts: PolicyParts): Policy {
  return { ...parts, name: document.name, document, conditions: compileConditions(document) };
}

/** `policies` come in the order in which they are asked. */
export function compileSet(policies: readonly Policy[], { version, fallback }: SetOptions): PolicySet {
  const narrowing = createNarrowing(policies);
  const verdicts = policies.map(verdictOf);
  const allowed: Verdict = { kind: 'allow', policy: undefined, audited: [] };

  function decide(subject: Subject): Verdict {
    beginDecision(subject.indices);
    const candidates = narrowing.candidates(subject);
    let audited: Policy[] | undefined;
    for (let at = nextCandidate(candidates, 0); at >= 0; at = nextCandidate(candidates, at + 1)) {
      const policy = policies[at];
      if (policy === undefined || failing(policy, subject) !== undefined) continue;
      const verdict = verdicts[at];
      if (verdict !== undefined) return audited === undefined ? verdict : { ...verdict, audited };
      audited ??= [];
      audited.push(policy);
    }
    if (fallback === 'allow') return audited === undefined ? allowed : { ...allowed, audited };
    const reason = letInButForItsBody(subject) ? `${noPolicy} ${bodyHint(subject)}` : noPolicy;
    return { kind: 'deny', policy: undefined, status: 403, reason, audited: audited ?? [] };
  }

  /** Whether the operator can be told a way out. */
  function letInButForItsBody(subject: Subject): boolean {
    const { endpoint } = subject.match;
    if (!endpoint.bodyIndices) return false;
    const match = { ...subject.match, endpoint: { ...endpoint, bodyIndices: false } };
    const target = { ...subject.target, match, narrowed: undefined };
    const trusting: Subject = { ...subject, target, match };
    const candidates = narrowing.candidates(trusting);
    for (let at = nextCandidate(candidates, 0); at >= 0; at = nextCandidate(candidates, at + 1)) {
      const policy = policies[at];
      if (policy?.document.action.kind === 'allow' && failing(policy, trusting) === undefined) return true;
    }
    return false;
  }

  function explain(subject: Subject): readonly Step[] {
    const steps: Step[] = [];
    const { indices } = subject;
    beginDecision(indices);
    const candidates = narrowing.candidates(subject);
    for (const [at, policy] of policies.entries()) {
      const { workLeft } = indices;
      const fault = failing(policy, subject);
      // A decision does not ask the others, and has as much left for those that it asks.
      if (nextCandidate(candidates, at) !== at) indices.workLeft = workLeft;
      steps.push({
        policy: policy.name,
        matched: fault === undefined,
        part: fault?.part,
        found: fault?.found(subject) ?? '',
      });
      if (fault === undefined && policy.document.action.kind !== 'audit') break;
    }
    return steps;
  }

  return { version, fallback, policies, decide, explain };
}

/** What a policy decides when it matches; undefined where it only audits, and the next ones are asked. */
function verdictOf(policy: Policy): Verdict | undefined {
  const { action } = policy.document;
  switch (action.kind) {
    case 'allow':
      return { kind: 'allow', policy, audited: [] };
    case 'deny':
      return { kind: 'deny', policy, status: action.status, reason: action.reason, audited: [] };
    case 'audit':
      return undefined;
  }
}

type Fault = Pick<Condition, 'part' | 'found'>;

/** The first condition that does not hold. */
function failing(policy: Policy, subject: Subject): Fault | undefined {
  for (const condition of policy.conditions) if (!condition.holds(subject)) return condition;
  if (policy.when === undefined) return undefined;
  const outcome = policy.when(subject);
  if (outcome === true) return undefined;
  if (outcome === false) return { part: 'when', found: () => 'false' };
  // An expression that fails lets nobody in, and lets nobody past a policy that denies.
  return senseOf(policy.document.action) === 'catches'
    ? undefined
    : { part: 'when', found: () => `an error: ${outcome.error}` };
}

const noPolicy = 'No policy allows this request.';

function bodyHint({ match: { endpoint } }: Subject): string {
  return `The body of ${endpoint.name} can name other indices than the URL: ${bodyIndicesHint(endpoint)}.`;
}
