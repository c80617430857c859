/**
 * How many exchanges of a policy may run at once, how many may begin in a second, and who waits where that is used up:
 * first come, first served, at most so many and so long, then 429 (RFC 6585, section 4) with a Retry-After.
 */
import { type Failure, failure } from '../../errors.ts';
import type { PolicyLimits } from '../document.ts';
import type { Schedule, Sleeper } from './schedule.ts';
import { TokenBucket } from './token-bucket.ts';

/** One exchange has been let in. */
export interface Ticket {
  readonly kind: 'ticket';
  /** It has ended: its place is free for the next. Harmless when called again. */
  release(): void;
}

export interface Limited {
  readonly kind: 'limited';
  readonly failure: Failure;
  /** Whole seconds after which to come again, at least 1: the value of Retry-After (RFC 9110, section 10.2.3). */
  readonly retryAfter: number;
}

/** It was taken out of the queue by its own `cancel`. */
export interface Left {
  readonly kind: 'left';
}

export interface Waiting {
  readonly kind: 'waiting';
  /** Never rejects. A ticket in it has been given, and is to be released, whatever has happened since. */
  readonly done: Promise<Ticket | Limited | Left>;
  /** The client has left: its place in the queue is free. Too late for what `done` has been told already. */
  cancel(): void;
}

export type AdmissionLimits = Pick<PolicyLimits, 'streams' | 'requestRate' | 'queue'>;

/** How late a timer may be without a loss of tokens for those who wait, in milliseconds. */
const patience = 1000;
const longestRetry = 3600;

export class Admission implements Sleeper {
  due = Number.POSITIVE_INFINITY;
  /** Exchanges let in and not yet ended. */
  streams = 0;
  admitted = 0;
  /** Turned away with 429, at once or after a wait. */
  refused = 0;
  readonly #schedule: Schedule;
  readonly #queue = new Set<Waiter>();
  readonly #policy: string;
  #limits: AdmissionLimits;
  #bucket: TokenBucket | undefined;

  /** `policy` is the name that whoever is turned away is told. */
  constructor(schedule: Schedule, policy: string, limits: AdmissionLimits) {
    this.#schedule = schedule;
    this.#policy = policy;
    this.#limits = limits;
    if (limits.requestRate) this.#bucket = new TokenBucket(limits.requestRate, schedule.now());
  }

  get waiting(): number {
    return this.#queue.size;
  }

  admit(): Ticket | Limited | Waiting {
    const { streams, queue } = this.#limits;
    if (this.#bucket || streams !== Number.POSITIVE_INFINITY) {
      const now = this.#refill();
      // A late timer must not let a newcomer pass those who wait.
      if (this.#queue.size > 0) this.#serve(now);
      if (this.#queue.size > 0 || !this.#isFree()) {
        if (!queue || this.#queue.size >= queue.depth || queue.wait <= 0) return this.#refuse();
        return this.#wait(now);
      }
    }
    return this.#letIn();
  }

  /** Other limits from now on: nobody who was let in is cut, and those who wait may be let in or turned away by them. */
  adjust(limits: AdmissionLimits): void {
    const now = this.#refill();
    const { requestRate } = limits;
    this.#limits = limits;
    if (!requestRate) this.#bucket = undefined;
    else if (this.#bucket) this.#bucket.adjust(requestRate);
    else this.#bucket = new TokenBucket(requestRate, now);
    this.#serve(now);
  }

  /** Nobody waits any more, now or later. */
  close(): void {
    this.adjust({ ...this.#limits, queue: undefined });
  }

  wake(): void {
    this.#serve(this.#refill());
  }

  // ---- for its tickets and waiters

  release(): void {
    const now = this.#queue.size > 0 ? this.#refill() : 0;
    this.streams -= 1;
    if (this.#queue.size > 0) this.#serve(now);
  }

  cancel(waiter: Waiter): void {
    if (!this.#queue.has(waiter)) return;
    const now = this.#refill();
    this.#queue.delete(waiter);
    waiter.settle({ kind: 'left' });
    this.#serve(now);
  }

  /** Tokens beyond the burst are only for those who wait for nothing else. */
  #refill(): number {
    const now = this.#schedule.now();
    const wanted = this.#queue.size > 0 && this.streams < this.#limits.streams;
    this.#bucket?.refill(now, wanted ? patience : 0);
    return now;
  }

  #isFree(): boolean {
    return this.streams < this.#limits.streams && (this.#bucket === undefined || this.#bucket.level >= 1);
  }

  #letIn(): Ticket {
    if (this.#bucket) this.#bucket.level -= 1;
    this.streams += 1;
    this.admitted += 1;
    return new OneTicket(this);
  }

  #wait(now: number): Waiting {
    const waiter = new Waiter(this, now);
    this.#queue.add(waiter);
    this.#sleep(now);
    return waiter;
  }

  /** Lets in or turns away from the front. All wait equally long, so who came first has to go first. */
  #serve(now: number): void {
    const wait = this.#limits.queue?.wait ?? 0;
    for (const waiter of this.#queue) {
      const free = this.#isFree();
      if (!free && now < waiter.since + wait) break;
      this.#queue.delete(waiter);
      waiter.settle(free ? this.#letIn() : this.#refuse());
    }
    this.#sleep(now);
  }

  #sleep(now: number): void {
    let due = Number.POSITIVE_INFINITY;
    for (const first of this.#queue) {
      due = first.since + (this.#limits.queue?.wait ?? 0);
      if (this.#bucket && this.streams < this.#limits.streams) {
        due = Math.min(due, now + this.#bucket.until(1));
      }
      break;
    }
    this.#schedule.sleep(this, due, now);
  }

  #refuse(): Limited {
    this.refused += 1;
    const { streams, requestRate } = this.#limits;
    const full = this.streams >= streams;
    const allowed = full ? `${streams} requests at once` : `${requestRate?.rate ?? 0} requests a second`;
    const detail = `Policy ${this.#policy} allows ${allowed}.`;
    // Nobody knows when a stream ends; when the next token comes that is not already waited for, is known.
    const milliseconds = this.#bucket ? this.#bucket.until(1 + this.#queue.size) : 0;
    const retryAfter = Math.min(Math.max(Math.ceil(milliseconds / 1000), 1), longestRetry);
    return { kind: 'limited', failure: failure('policy-limited', detail), retryAfter };
  }
}

class OneTicket implements Ticket {
  readonly kind = 'ticket';
  #admission: Admission | undefined;

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  release(): void {
    const admission = this.#admission;
    this.#admission = undefined;
    admission?.release();
  }
}

class Waiter implements Waiting {
  readonly kind = 'waiting';
  readonly done: Promise<Ticket | Limited | Left>;
  readonly settle: (result: Ticket | Limited | Left) => void;
  readonly since: number;
  readonly #admission: Admission;

  constructor(admission: Admission, since: number) {
    this.#admission = admission;
    this.since = since;
    const { promise, resolve } = Promise.withResolvers<Ticket | Limited | Left>();
    this.done = promise;
    this.settle = resolve;
  }

  cancel(): void {
    this.#admission.cancel(this);
  }
}
