/**
 * Tokens that come at a steady rate and are kept up to a burst. They are counted by the time that has passed, fractions
 * included, so that a late look finds what punctual ones would have found. From its start on no more than
 * rate * time + burst are ever to be had. A rate of Infinity always has more.
 */
export interface TokenRate {
  /** A second. */
  readonly rate: number;
  readonly burst: number;
}

export class TokenBucket {
  /** What is there to be had, as of the last `refill`. */
  level: number;
  /** A millisecond. */
  #rate: number;
  #burst: number;
  #at: number;

  /** It begins full. */
  constructor({ rate, burst }: TokenRate, now: number) {
    this.#rate = rate / 1000;
    this.#burst = Math.max(burst, 1);
    this.#at = now;
    this.level = rate === Number.POSITIVE_INFINITY ? rate : this.#burst;
  }

  /** A second. */
  get rate(): number {
    return this.#rate * 1000;
  }

  /** The most that there will ever be for somebody who waits `patience` milliseconds for it. */
  capacity(patience: number): number {
    return Math.max(this.#burst, this.#rate * patience);
  }

  /**
   * Adds what has come since the last time. Beyond the burst tokens are kept only for those who are known to want them
   * and are kept from it by a late timer: so much as comes in `patience` milliseconds. With none the rest is lost.
   */
  refill(now: number, patience: number): void {
    const grown = this.level + (now - this.#at) * this.#rate;
    this.#at = now;
    if (this.level === Number.POSITIVE_INFINITY) return;
    if (patience === 0) this.level = Math.min(grown, this.#burst);
    else this.level = Math.max(this.level, Math.min(grown, this.capacity(patience)));
  }

  /** What was taken and not used is there again, as far as it would be kept. */
  giveBack(tokens: number, patience: number): void {
    this.level = Math.max(this.level, Math.min(this.level + tokens, this.capacity(patience)));
  }

  /** Milliseconds from the last `refill` until there are so many; Infinity where there never will be. */
  until(tokens: number): number {
    return this.level >= tokens ? 0 : (tokens - this.level) / this.#rate;
  }

  /** Another rate, another burst; what is there stays, as far as the new burst holds it. Refill first. */
  adjust({ rate, burst }: TokenRate): void {
    if (rate / 1000 === this.#rate && Math.max(burst, 1) === this.#burst) return;
    this.#rate = rate / 1000;
    this.#burst = Math.max(burst, 1);
    this.level = rate === Number.POSITIVE_INFINITY ? rate : Math.min(this.level, this.#burst);
  }
}
