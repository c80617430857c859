/** One connection to a node, for one exchange. */
import type { ErrorCode, Failure } from '../errors.ts';
import type { Framing } from '../http1/framing.ts';
import type { Connection } from '../net/contract.ts';
import { judgeStatus } from './health.ts';
import type { UpstreamNode } from './node.ts';
import type { Pooled } from './pool.ts';
import { bodyWeight } from './weight.ts';

/** Failures that speak against the node: no answer that could be read, within the times and not for a limit of ours. */
const blamed: ReadonlySet<ErrorCode> = new Set([
  'upstream-closed',
  'upstream-head-malformed',
  'upstream-head-timeout',
  'upstream-lost',
  'upstream-not-reading',
]);

/** Told how exchanges ended, to judge the node by; with `performance.now()` of when they began. */
export interface Outcomes {
  succeeded(node: UpstreamNode, begunAt: number): void;
  failed(node: UpstreamNode, begunAt: number, cause: string): void;
}

export class Lease {
  readonly node: UpstreamNode;
  /** It had served before: it may have died without our knowing. */
  readonly reused: boolean;
  readonly #pooled: Pooled;
  readonly #begunAt: number;
  readonly #outcomes: Outcomes;
  #weight: number;
  #isJudged = false;

  /** `weight` is counted for the node already. */
  constructor(outcomes: Outcomes, node: UpstreamNode, from: Leased, weight: number) {
    this.node = node;
    this.reused = from.reused;
    this.#pooled = from.pooled;
    this.#begunAt = from.begunAt;
    this.#outcomes = outcomes;
    this.#weight = weight;
  }

  get connection(): Connection {
    return this.#pooled.connection;
  }

  /** The head of the answer has come; its body weighs as well. */
  answered(status: number, framing: Framing): void {
    this.#weigh(bodyWeight(framing));
    this.#isJudged = true;
    const word = judgeStatus(status);
    if (word === 'good') this.#outcomes.succeeded(this.node, this.#begunAt);
    else if (word === 'bad') this.#outcomes.failed(this.node, this.#begunAt, `it answered ${status}`);
  }

  /** No answer was passed on. What the client did, and a pooled connection that had died, say nothing about the node. */
  unanswered({ code, detail }: Failure): void {
    if (this.#isJudged || !blamed.has(code) || (this.reused && code === 'upstream-closed')) return;
    this.#outcomes.failed(this.node, this.#begunAt, detail);
  }

  /** Both directions ended exactly at their framing: the next exchange may have the connection. */
  reuse(): void {
    this.#settle();
    this.node.pool.keep(this.#pooled, performance.now());
  }

  /** Anything else: nobody can know what the connection would carry next. */
  drop(): void {
    this.#settle();
    this.connection.close();
  }

  #weigh(bytes: number): void {
    this.#weight += bytes;
    this.node.bytesInFlight += bytes;
  }

  #settle(): void {
    this.#weigh(-this.#weight);
  }
}

export interface Leased {
  readonly pooled: Pooled;
  /** When it was asked for, before any dial; `performance.now()`. */
  readonly begunAt: number;
  readonly reused: boolean;
}
