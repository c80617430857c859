/** One request on its way through the stages, what the policies' limits let in, and what they allow a body. */
import { type Failure, failure } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { Framing } from '../http1/framing.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { Client, Departure } from '../listen/front.ts';
import type { Connection } from '../net/contract.ts';
import type { Judgement, Refused } from '../policy/judge.ts';
import type { Left, Limited, Ticket } from '../policy/limits/admission.ts';
import { type BodyBudget, bodyBudget, declaresTooMuch } from '../policy/limits/body-budget.ts';
import type { Policy } from '../policy/policy.ts';

export type Allowed = Judgement & { kind: 'allowed' };

/** Where there are no policies. */
export const unjudged: Allowed = { kind: 'allowed', policy: undefined, limiter: undefined };

/** It may go on to the server; `release` when it has ended. */
export type Entered = Pick<Ticket, 'kind' | 'release'>;

/** What the stages hand on. */
export interface Passage {
  readonly client: Connection;
  readonly watch: Client['watch'];
  readonly head: RequestHead;
  readonly exchange: Exchange;
  /** The word of the peer on whom it speaks for counts; see trust.ts. */
  readonly believed: boolean;
  /** What the policies allow it. */
  allowed: Allowed;
  /** Its place among the policy's streams. */
  ticket: Entered;
  /** Sluice may ask the server before it sends a large body: until a server has refused to be asked. */
  mayAsk: boolean;
}

export interface Waiting {
  readonly kind: 'waiting';
  readonly done: Promise<Entered | Refused>;
  /** The client has left. */
  readonly leave: () => void;
}

/** Where nothing is limited. */
export const free: Entered = { kind: 'ticket', release: () => {} };

/**
 * Why an exchange ends whose client did this while nobody read from it. An `end` is no reason: the client may only have
 * ended its side, as `nc -N` does, and wait for the answer.
 */
export function departed(why: Exclude<Departure, 'end'>): Failure {
  switch (why) {
    case 'reset':
      return failure('client-gone');
    case 'lost':
      return failure('client-lost');
    case 'cut':
      return failure('shutting-down', 'the exchange had not ended when the drain did');
  }
}

/** Whether the request may begin now, later, or not at all. Nothing of its body has been read. */
export function enter(head: RequestHead, { policy, limiter }: Allowed): Entered | Waiting | Refused {
  if (policy === undefined || limiter === undefined) return free;
  const { bodyBytes } = policy.document.limits;
  if (declaresTooMuch(head, bodyBytes)) return { kind: 'refused', failure: tooLarge(policy) };
  const admission = limiter.admit();
  if (admission.kind !== 'waiting') return admission.kind === 'ticket' ? admission : turnedAway(admission);
  return {
    kind: 'waiting',
    done: admission.done.then((end) => (end.kind === 'ticket' ? end : turnedAway(end))),
    leave: () => admission.cancel(),
  };
}

/** Like a deny without a reason of its own, a limit tells the client which policy it is. */
export function tooLarge({ name, document: { limits } }: Policy): Failure {
  const detail = `The request body is larger than the ${limits.bodyBytes} bytes that policy ${name} allows.`;
  return failure('body-too-large', detail);
}

function turnedAway(end: Limited | Left): Refused {
  if (end.kind === 'left') return { kind: 'refused', failure: failure('client-gone') };
  return { kind: 'refused', failure: end.failure, fields: `Retry-After: ${end.retryAfter}\r\n` };
}

/** For the relay of a request's body; undefined where nothing can ever hold it back. */
export function requestAllowance({ policy, limiter }: Allowed, framing: Framing): BodyBudget | undefined {
  if (policy === undefined || limiter === undefined) return undefined;
  return bodyBudget(framing, policy.document.limits.bodyBytes, limiter.request);
}

/** The same for a response's. */
export function responseAllowance({ limiter }: Allowed, framing: Framing): BodyBudget | undefined {
  return limiter === undefined ? undefined : bodyBudget(framing, Number.POSITIVE_INFINITY, limiter.response);
}
