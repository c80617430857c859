/** One timer for everybody who waits for a time to come: it runs only while somebody does, and keeps no process alive. */

/** Where the time comes from; tests bring their own. Milliseconds. */
export interface Time {
  now(): number;
  /** Calls `ring` once, about `delay` from now; gives a function that prevents it. */
  alarm(delay: number, ring: () => void): () => void;
}

export const systemTime: Time = {
  now: () => performance.now(),
  alarm(delay, ring) {
    const timer = setTimeout(ring, delay).unref();
    return () => clearTimeout(timer);
  },
};

export interface Sleeper {
  /** When it wants to be woken, Infinity for never; for the schedule alone to write. */
  due: number;
  /** It is due, or was a while ago: timers are late. */
  wake(now: number): void;
}

/** A sleeper years away is looked at now and then: timers count no further than 24 days. */
const longest = 60_000;

export class Schedule {
  readonly #time: Time;
  readonly #sleepers = new Set<Sleeper>();
  #armedFor = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined;
  #closed = false;

  constructor(time: Time = systemTime) {
    this.#time = time;
  }

  now(): number {
    return this.#time.now();
  }

  /** Sets, moves or (Infinity) withdraws the time at which `sleeper` is woken: once, then it has to ask again. */
  sleep(sleeper: Sleeper, due: number, now: number): void {
    if (due === sleeper.due) return;
    sleeper.due = due;
    if (due === Number.POSITIVE_INFINITY) {
      this.#sleepers.delete(sleeper);
      if (this.#sleepers.size === 0) this.#stop();
    } else if (!this.#closed) {
      this.#sleepers.add(sleeper);
      if (due < this.#armedFor) this.#arm(due, now);
    }
  }

  /** Wakes nobody any more. */
  close(): void {
    this.#closed = true;
    this.#sleepers.clear();
    this.#stop();
  }

  #arm(due: number, now: number): void {
    this.#disarm?.();
    this.#armedFor = due;
    const delay = Math.min(Math.max(Math.ceil(due - now), 1), longest);
    this.#disarm = this.#time.alarm(delay, () => this.#ring());
  }

  #stop(): void {
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  #ring(): void {
    this.#stop();
    const now = this.#time.now();
    // Set aside first: whoever is woken may go to sleep again.
    const woken = [...this.#sleepers].filter(({ due }) => due <= now);
    for (const sleeper of woken) {
      sleeper.due = Number.POSITIVE_INFINITY;
      this.#sleepers.delete(sleeper);
    }
    for (const sleeper of woken) sleeper.wake(now);
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.#sleepers) next = Math.min(next, due);
    if (next < this.#armedFor) this.#arm(next, now);
  }
}
