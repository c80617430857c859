/** Costly work, a few at a time: strangers must not be able to spend the processor on guesses, or friends' turns. */
import { type Asker, type Place, Turns } from './turns.ts';

export interface GateLimits {
  readonly atOnce: number;
  /** So many more wait. */
  readonly queue: number;
}

export interface Entry<T> {
  /** Undefined where there was no place for it, or where it had to give its place up. Rejects as the work does. */
  readonly done: Promise<T | undefined>;
  /** Another asker wants the same: it runs when it is the turn of the first of them. */
  join(asker: Asker): void;
}

/** Work that waits, with its places: one for each asker. */
interface Job {
  readonly places: Map<string, Place<Job>>;
  readonly begin: () => void;
  readonly refuse: () => void;
}

/**
 * Sources take turns, and within each of them names. Where all places are taken, the source that holds the most gives
 * its last one up for a source that holds fewer: guesses from one network keep no other out, however many they are.
 */
export class Gate {
  readonly #limits: GateLimits;
  readonly #waiting = new Set<Job>();
  readonly #turns = new Turns<Job>();
  #running = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  run<T>(asker: Asker, work: () => Promise<T>): Entry<T> {
    if (this.#running < this.#limits.atOnce) {
      this.#running++;
      return { done: this.#pass(work), join: () => {} };
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const job: Job = { places: new Map(), begin: () => resolve(true), refuse: () => resolve(false) };
    this.#waiting.add(job);
    this.#enqueue(job, asker);
    this.#makeRoom(job, asker);
    return {
      done: promise.then((begins) => (begins ? this.#pass(work) : undefined)),
      join: (other) => this.#enqueue(job, other),
    };
  }

  async #pass<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      // Who waits is handed the turn of the one that leaves: nobody who comes in between can take it.
      const next = this.#turns.next()?.item;
      if (next === undefined) this.#running--;
      else {
        this.#dequeue(next);
        next.begin();
      }
    }
  }

  #enqueue(job: Job, asker: Asker): void {
    const key = `${asker.source}\0${asker.name}`;
    if (!this.#waiting.has(job) || job.places.has(key)) return;
    const place = { asker, item: job };
    job.places.set(key, place);
    this.#turns.add(place);
  }

  #dequeue(job: Job): void {
    for (const place of job.places.values()) this.#turns.remove(place);
    this.#waiting.delete(job);
  }

  /** Turns one away: the last of whoever holds the most, or else the one that has come. */
  #makeRoom(come: Job, asker: Asker): void {
    while (this.#waiting.size > this.#limits.queue) {
      const place = this.#turns.lastOfTheMost(asker);
      const job = place?.item ?? come;
      // Others wait for it as well, and keep it.
      if (place !== undefined && job.places.size > 1) {
        this.#turns.remove(place);
        job.places.delete(`${place.asker.source}\0${place.asker.name}`);
        continue;
      }
      this.#dequeue(job);
      job.refuse();
    }
  }
}
