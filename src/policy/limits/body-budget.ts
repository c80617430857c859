/** What one body may move, as the budget of its relay: bytes in all, bytes per second, or both. */
import type { Framing } from '../../http1/framing.ts';
import type { RequestHead } from '../../http1/request-head.ts';
import type { Relay } from '../../net/contract.ts';
import type { Bandwidth, Meter } from './bandwidth.ts';

/** Whether a body is known to be too large before any of it has come. */
export function declaresTooMuch(
  { contentLength = 0 }: Pick<RequestHead, 'contentLength'>,
  bodyBytes: number,
): boolean {
  return contentLength > bodyBytes;
}

/**
 * The budget of a body that may have `bodyBytes` and shares `bandwidth`; undefined where neither can ever hold it back.
 * Make it when the relay begins, and call `end` when that has ended.
 */
export function bodyBudget(
  framing: Framing,
  bodyBytes: number,
  bandwidth: Bandwidth | undefined,
): BodyBudget | undefined {
  if (framing.kind === 'none') return undefined;
  const declared = framing.kind === 'length' ? framing.length : Number.POSITIVE_INFINITY;
  if (bandwidth === undefined && (bodyBytes === Number.POSITIVE_INFINITY || declared <= bodyBytes)) {
    return undefined;
  }
  return new BodyBudget(Math.min(bodyBytes, declared), bandwidth);
}

export class BodyBudget {
  /** `RelayOptions.budget`. */
  readonly budget: number;
  /**
   * `RelayOptions.onBudget`. A relay asks only when more of the body is to come, so one that has had all its bytes
   * and asks is over, and stopped; a body of exactly so many never asks.
   */
  readonly onBudget: (relay: Pick<Relay, 'grant' | 'stop'>) => void;
  readonly #most: number;
  readonly #meter: Meter | undefined;
  #over = false;

  constructor(most: number, bandwidth: Bandwidth | undefined) {
    this.#most = most;
    this.#meter = bandwidth?.meter(most);
    this.budget = this.#meter ? this.#meter.first : most;
    this.onBudget = (relay) => this.#more(relay);
  }

  /** The body was larger than allowed, and its relay was stopped for that: 'body-too-large'. */
  get over(): boolean {
    return this.#over;
  }

  /** The relay has ended with so many bytes moved. Harmless when called again. */
  end(moved: number): void {
    this.#meter?.end(moved);
  }

  #more(relay: Pick<Relay, 'grant' | 'stop'>): void {
    if (this.#meter && this.#meter.granted < this.#most) {
      this.#meter.more(relay);
      return;
    }
    this.#over = true;
    relay.stop();
  }
}
