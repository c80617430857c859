/**
 * What the policies' limits have come to: one limiter for each policy by name, which outlives the sets it is named in.
 * A reload that changes a limit goes on with the streams, tokens and waiters there are.
 */
import type { PolicyLimits } from '../document.ts';
import { Admission, type Limited, type Ticket, type Waiting } from './admission.ts';
import { Bandwidth } from './bandwidth.ts';
import { Schedule, systemTime, type Time } from './schedule.ts';

export interface Limiters {
  /**
   * The limiter of the policy of that name, under these limits from now on. To be called for each policy when its set
   * goes into service, and what it gives to be kept with the set; not for each request, for a request that was
   * judged by an older set would bring its limits back.
   */
  of(name: string, limits: PolicyLimits): Limiter;
  /** Forgets those whose policy is not in `names`, once nobody is in or waits; looked at again by the next call. */
  retain(names: ReadonlySet<string>): void;
  /** By name, for metrics. */
  all(): Iterable<readonly [string, Limiter]>;
  /** Turns away whoever waits and stops the timer: bodies that wait for their turn are for their connections to end. */
  close(): void;
}

export interface LimiterReadings {
  /** Gauges: exchanges under way, exchanges in the queue, bodies standing still. */
  readonly streams: number;
  readonly waiting: number;
  readonly throttled: number;
  /** Since the start: exchanges let in and turned away, body bytes under a bandwidth, stream-milliseconds of standing. */
  readonly admitted: number;
  readonly refused: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly throttledMs: number;
}

export function createLimiters(time: Time = systemTime): Limiters {
  const schedule = new Schedule(time);
  const limiters = new Map<string, Limiter>();
  return {
    of(name, limits) {
      const known = limiters.get(name);
      if (known) {
        known.adjust(limits);
        return known;
      }
      const limiter = new Limiter(schedule, name, limits);
      limiters.set(name, limiter);
      return limiter;
    },
    retain(names) {
      for (const [name, limiter] of limiters) {
        if (!names.has(name) && limiter.isIdle) limiters.delete(name);
      }
    },
    all: () => limiters,
    close() {
      for (const limiter of limiters.values()) limiter.close();
      schedule.close();
    },
  };
}

/** One policy's. */
export class Limiter {
  readonly #schedule: Schedule;
  readonly #admission: Admission;
  #limits: PolicyLimits;
  #request: Bandwidth | undefined;
  #response: Bandwidth | undefined;

  constructor(schedule: Schedule, policy: string, limits: PolicyLimits) {
    this.#schedule = schedule;
    this.#limits = limits;
    this.#admission = new Admission(schedule, policy, limits);
    this.#request = limits.requestBandwidth && new Bandwidth(schedule, limits.requestBandwidth);
    this.#response = limits.responseBandwidth && new Bandwidth(schedule, limits.responseBandwidth);
  }

  /**
   * Lets one exchange in: at once, where nothing is used up; otherwise it waits in the queue or is turned away.
   * Without limits it only counts.
   */
  admit(): Ticket | Limited | Waiting {
    return this.#admission.admit();
  }

  /**
   * What request bodies share, for `bodyBudget`; undefined where they are not limited. A body that moves already is
   * not held by a limit that a reload brings, but follows one that a reload changes.
   */
  get request(): Bandwidth | undefined {
    return this.#request?.limited ? this.#request : undefined;
  }

  /** The same for response bodies. */
  get response(): Bandwidth | undefined {
    return this.#response?.limited ? this.#response : undefined;
  }

  get isIdle(): boolean {
    return this.#admission.streams === 0 && this.#admission.waiting === 0;
  }

  readings(): LimiterReadings {
    const { streams, waiting, admitted, refused } = this.#admission;
    return {
      streams,
      waiting,
      throttled: (this.#request?.waiting ?? 0) + (this.#response?.waiting ?? 0),
      admitted,
      refused,
      requestBytes: used(this.#request),
      responseBytes: used(this.#response),
      throttledMs: (this.#request?.throttledMs ?? 0) + (this.#response?.throttledMs ?? 0),
    };
  }

  adjust(limits: PolicyLimits): void {
    if (limits === this.#limits) return;
    this.#limits = limits;
    this.#admission.adjust(limits);
    this.#request = this.#adjusted(this.#request, limits.requestBandwidth);
    this.#response = this.#adjusted(this.#response, limits.responseBandwidth);
  }

  close(): void {
    this.#admission.close();
  }

  /** A bandwidth that is lifted is kept for the bodies that began under it, and for the next reload. */
  #adjusted(
    bandwidth: Bandwidth | undefined,
    limit: PolicyLimits['requestBandwidth'],
  ): Bandwidth | undefined {
    if (bandwidth === undefined) return limit && new Bandwidth(this.#schedule, limit);
    bandwidth.adjust(limit);
    return bandwidth;
  }
}

/** Granted and not, or not yet, given back. */
function used(bandwidth: Bandwidth | undefined): number {
  return bandwidth ? bandwidth.granted - bandwidth.returned : 0;
}
