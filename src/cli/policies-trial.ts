/** What would become of a request: judged as a proxy would, from the bytes of its head on, with nothing sent. */
import { errors, type Failure } from '../errors.ts';
import { beginExchange } from '../exchange.ts';
import { parseRequestHead, type RequestHead, refuseLargeHead } from '../http1/request-head.ts';
import { buildSet } from '../policy/build.ts';
import type { PolicySet, Step } from '../policy/compile.ts';
import type { PolicyDocument } from '../policy/document.ts';
import { createIdentity } from '../policy/identity/identify.ts';
import { type Identified, identifiedAs, nobody } from '../policy/identity/identity.ts';
import { Judge, type Judgement } from '../policy/judge.ts';
import { declaresTooMuch } from '../policy/limits/body-budget.ts';
import { createLimiters } from '../policy/limits/limiter.ts';
import type { TestRequest } from '../policy/read/policy-test.ts';
import { describe, type Subject } from '../policy/subject.ts';
import type { Input } from './policies-input.ts';

export interface Outcome {
  readonly verdict: 'allow' | 'deny';
  /** Of a deny. */
  readonly status: number | undefined;
  /** Of a deny: what the client is told. */
  readonly reason: string;
  /** The name of the policy that decides, or `default`; empty where none is asked. */
  readonly policy: string;
  readonly document: PolicyDocument | undefined;
  /** Of an allow. */
  readonly cluster: string | undefined;
  readonly audited: readonly string[];
  /** Every policy up to the one that decides. */
  readonly steps: readonly Step[];
  /** Undefined where the head is refused before any policy is asked. */
  readonly subject: Subject | undefined;
}

/** No secret is read: what policies set in headers has no say in what they decide. */
export async function createTrial(input: Input): Promise<(request: TestRequest) => Promise<Outcome>> {
  const { policies, fallback, limits } = input;
  const built = await buildSet(policies, { version: '', fallback, secrets: 'unread' });
  if (built.kind === 'wrong') throw new Error(built.problems.map(({ wrong }) => wrong).join(', '));
  const { set } = built;
  // Nothing is verified here: what Authorization says is a claim, or no principal at all.
  const claims = await createIdentity({ tokens: [], users: undefined, apiKeys: undefined }, () => {});
  let identified: Identified = nobody;
  const judge = new Judge({ identify: () => identified, challenge: '', limiters: createLimiters() });
  judge.use(set);

  return async (request) => {
    const head = headOf(request, limits);
    if ('code' in head) return refusedHead(head);
    const { source, principals, time = Date.now() } = request;
    const who = principals.length > 0 ? identifiedAs(principals) : await claims.identify(head, source);
    const exchange = { ...beginExchange('', source, 0), startedWall: time };
    identified = who;
    const judgement = await judge.judge(head, exchange);
    const { policy, audited } = exchange;
    if (judgement.kind === 'refused' && policy === '') return refusedHead(judgement.failure);
    const known = who.kind === 'identified' ? who.principals : [];
    const subject = describe(head, { source, principals: known, time });
    if ('code' in subject) return refusedHead(subject);
    const decided = { policy, audited, subject, steps: set.explain(subject) };
    return { ...becomeOf(judgement, head), document: documentOf(set, policy), ...decided };
  };
}

function refusedHead({ code, detail }: Failure): Outcome {
  const { status } = errors[code];
  const refused = { verdict: 'deny', status, reason: detail, policy: '', cluster: undefined } as const;
  return { ...refused, document: undefined, audited: [], steps: [], subject: undefined };
}

function documentOf(set: PolicySet, name: string): PolicyDocument | undefined {
  return set.policies.find((policy) => policy.name === name)?.document;
}

function becomeOf(
  judgement: Judgement,
  head: RequestHead,
): Pick<Outcome, 'verdict' | 'status' | 'reason' | 'cluster'> {
  if (judgement.kind === 'refused') {
    const { code, detail } = judgement.failure;
    const status = judgement.status ?? errors[code].status;
    return { verdict: 'deny', status, reason: detail, cluster: undefined };
  }
  const { limits, cluster } = judgement.policy?.document ?? {};
  if (limits !== undefined && declaresTooMuch(head, limits.bodyBytes)) {
    const { status, reason } = errors['body-too-large'];
    return { verdict: 'deny', status, reason, cluster: undefined };
  }
  return { verdict: 'allow', status: undefined, reason: '', cluster: cluster ?? 'default' };
}

/** Through the proxy's own parser, so that what it refuses is refused here. */
function headOf(request: TestRequest, limits: Input['limits']): RequestHead | Failure {
  const { headBytes: maxHead, headFields: maxFields, targetBytes: maxTarget } = limits;
  const bytes = Buffer.from(headText(request));
  if (bytes.length > maxHead) return refuseLargeHead(bytes, 0, bytes.length, { maxHead, maxTarget });
  return parseRequestHead(bytes, 0, bytes.length, { maxFields, maxTarget });
}

function headText({ method, target, headers, length }: TestRequest): string {
  const lines = headers.map(({ name, value }) => `${name}: ${value}`);
  if (!headers.some(({ name }) => name.toLowerCase() === 'host')) lines.unshift('Host: sluice.example');
  if (length !== undefined) {
    lines.push(length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`);
  }
  return `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** Why a policy did or did not match. */
export function stepLine({ policy, matched, part, found }: Step): string {
  return matched ? `${policy}: matches` : `${policy}: not its ${part ?? 'match'}: ${found}`;
}
