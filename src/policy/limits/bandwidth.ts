/**
 * Bytes per second, shared by the bodies of one policy that go one way. Nothing is buffered: a relay may move what it
 * is granted, then it asks and is paused until its turn comes. Those who ask are served in the order in which they
 * asked, each with one quantum, so all get the same; who is slower than its share asks less often and leaves the rest
 * to the others. At most one quantum is out with each, and what a body did not use is given back at its end.
 */
import type { Relay } from '../../net/contract.ts';
import type { Bandwidth as Limit } from '../document.ts';
import type { Schedule, Sleeper } from './schedule.ts';
import { TokenBucket } from './token-bucket.ts';

/** One round over all bodies takes so long, in milliseconds, as far as the bounds of a quantum allow. */
const round = 20;
/** Under 4 KiB a grant costs more than it moves; 1 MiB is what the engine moves in one turn. */
const smallest = 4 << 10;
const largest = 1 << 20;
/** What a body may begin with: of many that begin together the first must not have all that there is. */
const opening = 64 << 10;

/** How late a timer, or a relay, may be without a loss of bandwidth, in milliseconds: while one waits, while bodies move. */
const whileWaiting = 1000;
const whileMoving = round;

const unlimited: Limit = { rate: Number.POSITIVE_INFINITY, burst: Number.POSITIVE_INFINITY };

export class Bandwidth implements Sleeper {
  due = Number.POSITIVE_INFINITY;
  /** Bytes granted in all, and how many of them were given back. */
  granted = 0;
  returned = 0;
  /** Milliseconds that bodies stood still for want of budget, summed over all. */
  throttledMs = 0;
  readonly #schedule: Schedule;
  readonly #bucket: TokenBucket;
  readonly #waiting = new Set<Meter>();
  /** Bodies under way. */
  #bodies = 0;

  constructor(schedule: Schedule, limit: Limit) {
    this.#schedule = schedule;
    this.#bucket = new TokenBucket(limit, schedule.now());
  }

  /** Bodies that stand still until their turn comes. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** False once the limit has been lifted: bodies that began under it still ask, others need not. */
  get limited(): boolean {
    return this.#bucket.rate !== Number.POSITIVE_INFINITY;
  }

  /** The meter of one body that is about to move, of at most `most` bytes. */
  meter(most: number): Meter {
    return new Meter(this, most);
  }

  /** Another limit from now on; undefined lifts it. Whoever waits is served by the new one. */
  adjust(limit: Limit = unlimited): void {
    const now = this.#refill();
    this.#bucket.adjust(limit);
    this.#serve(now);
  }

  // ---- for its meters

  /** What a body that begins may move at once; nothing while others wait. */
  begin(meter: Meter): number {
    this.#refill();
    this.#bodies += 1;
    const wanted = Math.min(this.#wanted(meter), opening);
    return this.#waiting.size === 0 && this.#bucket.level >= wanted ? this.#take(wanted) : 0;
  }

  ask(meter: Meter): void {
    const now = this.#refill();
    meter.askedAt = now;
    this.#waiting.add(meter);
    this.#serve(now);
  }

  end(meter: Meter, unused: number): void {
    const now = this.#refill();
    this.#bodies -= 1;
    this.returned += unused;
    this.#bucket.giveBack(unused, whileMoving);
    if (this.#waiting.delete(meter)) this.throttledMs += now - meter.askedAt;
    this.#serve(now);
  }

  wake(): void {
    this.#serve(this.#refill());
  }

  #refill(): number {
    const now = this.#schedule.now();
    const patience = this.#waiting.size > 0 ? whileWaiting : this.#bodies > 0 ? whileMoving : 0;
    this.#bucket.refill(now, patience);
    return now;
  }

  #serve(now: number): void {
    let due = Number.POSITIVE_INFINITY;
    for (const meter of this.#waiting) {
      const wanted = this.#wanted(meter);
      if (this.#bucket.level < wanted) {
        due = now + this.#bucket.until(wanted);
        break;
      }
      this.#waiting.delete(meter);
      this.throttledMs += now - meter.askedAt;
      meter.grant(this.#take(wanted));
    }
    this.#schedule.sleep(this, due, now);
  }

  #take(bytes: number): number {
    this.#bucket.level -= bytes;
    this.granted += bytes;
    return bytes;
  }

  /** A quantum, or what is left of the body where that is less. Never more than a patient one would get. */
  #wanted(meter: Meter): number {
    const share = (this.#bucket.rate * (round / 1000)) / this.#bodies;
    const quantum = Math.min(Math.max(share, smallest), largest, this.#bucket.capacity(whileWaiting));
    return Math.min(Math.floor(quantum), meter.most - meter.granted);
  }
}

/** One body under a bandwidth: what it was granted, and whom to grant more. */
export class Meter {
  readonly most: number;
  /** What its relay may move before it asks. */
  readonly first: number;
  /** In all. */
  granted: number;
  /** When it asked for the grant that it waits for; for the bandwidth alone to write. */
  askedAt = 0;
  readonly #bandwidth: Bandwidth;
  #relay: Pick<Relay, 'grant'> | undefined;
  #ended = false;

  constructor(bandwidth: Bandwidth, most: number) {
    this.most = most;
    this.granted = 0;
    this.#bandwidth = bandwidth;
    this.first = bandwidth.begin(this);
    this.granted = this.first;
  }

  /** Grants `relay` more when its turn comes, which may be now. Only for one that has used up what it was granted. */
  more(relay: Pick<Relay, 'grant'>): void {
    if (this.#ended || this.granted >= this.most) return;
    this.#relay = relay;
    this.#bandwidth.ask(this);
  }

  /** The body has ended with so many bytes moved in all: the rest of its budget is for others. */
  end(moved: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#relay = undefined;
    this.#bandwidth.end(this, Math.max(this.granted - moved, 0));
  }

  /** For the bandwidth alone. */
  grant(bytes: number): void {
    this.granted += bytes;
    this.#relay?.grant(bytes);
  }
}
