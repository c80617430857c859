/** Costly work, a few at a time: strangers must not be able to spend the processor on guesses. */

export interface GateLimits {
  readonly atOnce: number;
  /** So many more wait. */
  readonly queue: number;
  /** Running and waiting for one owner, so that guesses at one name leave the others their turn. */
  readonly perOwner: number;
}

export class Gate {
  readonly #limits: GateLimits;
  readonly #waiting: (() => void)[] = [];
  readonly #owned = new Map<string, number>();
  #running = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  /** Runs `work` when its turn has come, in the order of calls; undefined, and nothing runs, where it is full. */
  run<T>(owner: string, work: () => Promise<T>): Promise<T> | undefined {
    const { atOnce, queue, perOwner } = this.#limits;
    const owned = this.#owned.get(owner) ?? 0;
    if (owned >= perOwner) return undefined;
    if (this.#running >= atOnce && this.#waiting.length >= queue) return undefined;
    this.#owned.set(owner, owned + 1);
    return this.#pass(owner, work);
  }

  async #pass<T>(owner: string, work: () => Promise<T>): Promise<T> {
    // Who waits is handed the place of the one that leaves: nobody who comes in between can take it.
    if (this.#running >= this.#limits.atOnce) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#running++;
    try {
      return await work();
    } finally {
      const left = (this.#owned.get(owner) ?? 1) - 1;
      if (left === 0) this.#owned.delete(owner);
      else this.#owned.set(owner, left);
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
