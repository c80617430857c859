/** A time that only moves when told to, for tests that are exact and do not wait. */

interface Alarm {
  readonly at: number;
  readonly ring: () => void;
}

export class ManualTime {
  #now = 0;
  readonly #alarms = new Set<Alarm>();
  readonly #lateness: () => number;

  /** `lateness`: by how many milliseconds the next alarm rings too late. */
  constructor(lateness: () => number = () => 0) {
    this.#lateness = lateness;
  }

  /** Alarms that are set. */
  get pending(): number {
    return this.#alarms.size;
  }

  now(): number {
    return this.#now;
  }

  alarm(delay: number, ring: () => void): () => void {
    return this.exactly(delay + this.#lateness(), ring);
  }

  /** An alarm that is never late. */
  exactly(delay: number, ring: () => void): () => void {
    const alarm = { at: this.#now + delay, ring };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /** Lets so many milliseconds pass, ringing on the way whatever is due, the earliest first. */
  pass(milliseconds: number): void {
    const until = this.#now + milliseconds;
    for (;;) {
      let next: Alarm | undefined;
      for (const alarm of this.#alarms) if (next === undefined || alarm.at < next.at) next = alarm;
      if (next === undefined || next.at > until) break;
      this.#alarms.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.ring();
    }
    this.#now = until;
  }
}
