/**
 * What one client's exchanges have handed to the access log and is not written yet. A client that causes lines faster
 * than they can be written waits before its next request; those that cause few do not.
 */
import type { Backlog } from '../exchange.ts';

/** The longest that a client waits for its lines before one request, milliseconds. */
const patience = 1000;

export class Ledger {
  readonly #backlog: Backlog;
  /** Bytes handed over before `#mark` that may be unsettled, and since. */
  #older = 0;
  #recent = 0;
  /** A position in the backlog. Once it is settled, so is all of `#older`. */
  #mark = 0;

  constructor(backlog: Backlog) {
    this.#backlog = backlog;
  }

  /** A record of this client's has been handed over: `bytes` long. */
  add(bytes: number): void {
    this.#recent += bytes;
    if (this.#backlog.settled < this.#mark) return;
    this.#older = this.#recent;
    this.#recent = 0;
    this.#mark = this.#backlog.handed;
  }

  /** At least the bytes that are unsettled, at most those and as many again. */
  get unsettled(): number {
    const { settled, handed } = this.#backlog;
    if (settled === handed) return 0;
    return settled < this.#mark ? this.#older + this.#recent : this.#recent;
  }

  get over(): boolean {
    return this.unsettled > this.#backlog.allowance;
  }

  /** Waits until this client has no more than its allowance unsettled, or has waited long enough. */
  async settle(): Promise<void> {
    const until = performance.now() + patience;
    while (this.over) {
      const left = until - performance.now();
      if (left <= 0) return;
      await this.#backlog.progress(left);
    }
  }
}
