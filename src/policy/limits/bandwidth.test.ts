import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { patience } from '../../../test/support/deadline.ts';
import { ManualTime } from '../../../test/support/manual-time.ts';
import { Bandwidth, type Meter } from './bandwidth.ts';
import { Schedule } from './schedule.ts';

const KB = 1000;
const MB = 1000 * KB;
const infinite = Number.POSITIVE_INFINITY;

function bandwidthOf(limit: { rate: number; burst: number }, lateness?: () => number) {
  const time = new ManualTime(lateness);
  return { time, bandwidth: new Bandwidth(new Schedule(time), limit) };
}

/** A body that moves at most `speed` bytes a millisecond of what it is granted, then asks at once for more. */
class Mover {
  moved = 0;
  grants = 0;
  longestPause = 0;
  readonly meter: Meter;
  readonly #time: ManualTime;
  readonly #speed: number;
  #asked: number | undefined;

  constructor(time: ManualTime, bandwidth: Bandwidth, speed = infinite, most = infinite) {
    this.#time = time;
    this.#speed = speed;
    this.meter = bandwidth.meter(most);
    this.#move(this.meter.first);
  }

  grant(bytes: number): void {
    assert.ok(bytes > 0 && Number.isInteger(bytes), `a grant of ${bytes}`);
    this.grants += 1;
    this.longestPause = Math.max(this.longestPause, this.#time.now() - (this.#asked ?? 0));
    this.#asked = undefined;
    this.#move(bytes);
  }

  #move(bytes: number): void {
    // Even the fastest asks in a later turn, as a relay does.
    this.#time.exactly(Math.max(bytes / this.#speed, 0.05), () => {
      this.moved += bytes;
      this.#asked = this.#time.now();
      this.meter.more(this);
    });
  }
}

const sum = (movers: readonly Mover[]) => movers.reduce((all, { moved }) => all + moved, 0);

function assertNear(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(
    Math.abs(actual - expected) <= expected * tolerance,
    `${what}: ${actual}, not ${expected} to ${tolerance * 100} %`,
  );
}

describe('a bandwidth that many bodies share', { timeout: patience }, () => {
  it('32 bodies under 200 MB/s get all of it in equal parts, with few grants, whatever the timers do', () => {
    let turn = 0;
    const { time, bandwidth } = bandwidthOf({ rate: 200 * MB, burst: MB }, () => (turn++ * 7) % 5);
    const movers = Array.from({ length: 32 }, () => new Mover(time, bandwidth));
    time.pass(10_000);
    assertNear(sum(movers), 2000 * MB, 0.005, 'the sum');
    for (const { moved } of movers) assertNear(moved, (2000 * MB) / 32, 0.01, 'a share');
    const grants = movers.reduce((all, mover) => all + mover.grants, 0);
    assert.ok(grants < 20_000, `${grants} grants`);
  });

  it('a slow body takes what it can and leaves the rest to the others', () => {
    const { time, bandwidth } = bandwidthOf({ rate: 10 * MB, burst: 64 * KB });
    const slow = new Mover(time, bandwidth, 500);
    const quick = [1, 2, 3].map(() => new Mover(time, bandwidth));
    time.pass(10_000);
    assertNear(slow.moved, 5 * MB, 0.15, 'the slow one');
    assertNear(slow.moved + sum(quick), 100 * MB, 0.01, 'the sum');
    for (const { moved } of quick) assertNear(moved, 95 * (MB / 3), 0.02, 'a quick one');
  });

  it('a body that stands still holds one quantum and nothing else', () => {
    const { time, bandwidth } = bandwidthOf({ rate: MB, burst: 4 * KB });
    const still = bandwidth.meter(infinite);
    const mover = new Mover(time, bandwidth);
    time.pass(5000);
    assertNear(mover.moved, 5 * MB, 0.01, 'the other');
    assert.ok(still.granted <= 20 * KB);
  });

  it('bodies under a low rate move little and often', () => {
    const { time, bandwidth } = bandwidthOf({ rate: 64 * KB, burst: 1 });
    const movers = Array.from({ length: 4 }, () => new Mover(time, bandwidth));
    time.pass(10_000);
    assertNear(sum(movers), 640 * KB, 0.03, 'the sum');
    for (const { longestPause, moved } of movers) {
      assert.ok(longestPause < 4 * 70, `${longestPause} ms without a byte`);
      assertNear(moved, 160 * KB, 0.04, 'a share');
    }
  });

  for (const [what, rate] of [
    ['a few bytes', 40],
    ['many bytes', 400 * MB],
  ] as const) {
    it(`a burst of next to nothing costs nothing of a rate of ${what}`, () => {
      const { time, bandwidth } = bandwidthOf({ rate, burst: 0 });
      const mover = new Mover(time, bandwidth);
      time.pass(100_000);
      assertNear(mover.moved, rate * 100, 0.02, 'the sum');
    });
  }

  it('timers that come half a second late lose nothing and win nothing', () => {
    const { time, bandwidth } = bandwidthOf({ rate: 10 * MB, burst: KB }, () => 500);
    const movers = Array.from({ length: 5 }, () => new Mover(time, bandwidth));
    time.pass(20_400);
    assertNear(sum(movers), 204 * MB, 0.03, 'the sum');
    assert.ok(bandwidth.granted <= 204 * MB + KB);
  });

  it('after a pause the burst may go at once, and not a byte more', () => {
    const { time, bandwidth } = bandwidthOf({ rate: MB, burst: 100 * KB });
    for (let turn = 0; turn < 3; turn++) {
      time.pass(60_000);
      const before = bandwidth.granted - bandwidth.returned;
      const mover = new Mover(time, bandwidth);
      time.pass(40);
      const gone = bandwidth.granted - before;
      assert.ok(gone <= 100 * KB + 40 * KB && gone >= 100 * KB, `${gone} at once`);
      mover.meter.end(mover.moved);
    }
  });

  it('no timer runs when nobody waits', () => {
    const { time, bandwidth } = bandwidthOf({ rate: MB, burst: 64 * KB });
    assert.equal(time.pending, 0);
    const meter = bandwidth.meter(infinite);
    meter.more({ grant: () => meter.more({ grant: () => meter.more({ grant() {} }) }) });
    assert.equal(time.pending, 1);
    assert.equal(bandwidth.waiting, 1);
    meter.end(meter.granted);
    assert.equal(time.pending, 0);
  });

  it('a small body takes no more than its bytes', () => {
    const { bandwidth } = bandwidthOf({ rate: MB, burst: 10 * KB });
    const meters = Array.from({ length: 10 }, () => bandwidth.meter(KB));
    assert.deepEqual(new Set(meters.map(({ first }) => first)), new Set([KB]));
    assert.equal(bandwidth.meter(KB).first, 0);
  });

  it('nobody overtakes those who wait, not even one who has just come', () => {
    const { time, bandwidth } = bandwidthOf({ rate: MB, burst: 4 * KB });
    const order: number[] = [];
    const meters = [0, 1, 2].map(() => bandwidth.meter(infinite));
    meters.forEach((meter, index) => {
      meter.more({ grant: () => order.push(index) });
    });
    const late = bandwidth.meter(10);
    assert.equal(late.first, 0);
    late.more({ grant: () => order.push(3) });
    time.pass(100);
    assert.deepEqual(order, [0, 1, 2, 3]);
  });

  it('what a body did not use is there for the next, once', () => {
    const { time, bandwidth } = bandwidthOf({ rate: KB, burst: 4 * KB });
    const first = bandwidth.meter(4 * KB);
    assert.equal(first.first, 4 * KB);
    const grants: number[] = [];
    const next = bandwidth.meter(infinite);
    assert.equal(next.first, 0);
    next.more({ grant: (bytes) => grants.push(bytes) });
    first.end(100);
    first.end(100);
    assert.equal(bandwidth.returned, 3900);
    time.pass(97);
    assert.deepEqual(grants, [], '3997 of 4000');
    time.pass(3);
    assert.deepEqual(grants, [4000]);
  });

  it('a raised limit serves those who wait at once, a lowered one takes nothing back', () => {
    const { time, bandwidth } = bandwidthOf({ rate: KB, burst: 1 });
    const mover = new Mover(time, bandwidth);
    time.pass(10_000);
    assertNear(mover.moved, 10 * KB, 0.15, 'under the low one');
    bandwidth.adjust({ rate: MB, burst: 1 });
    time.pass(1000);
    assertNear(mover.moved, MB + 10 * KB, 0.03, 'under the high one');
    bandwidth.adjust({ rate: KB, burst: 1 });
    const before = mover.moved;
    time.pass(100_000);
    assertNear(mover.moved - before, 100 * KB, 0.25, 'under the low one again');
  });

  it('a lifted limit holds nobody, and one that comes back holds those as well who began before', () => {
    const { time, bandwidth } = bandwidthOf({ rate: KB, burst: 1 });
    const mover = new Mover(time, bandwidth, 100_000);
    time.pass(100);
    bandwidth.adjust(undefined);
    assert.equal(bandwidth.limited, false);
    time.pass(1000);
    assert.ok(mover.moved > 90 * MB, `${mover.moved} without a limit`);
    assert.equal(bandwidth.waiting, 0);
    bandwidth.adjust({ rate: 100 * KB, burst: 1 });
    time.pass(100);
    const before = mover.moved;
    time.pass(10_000);
    assertNear(mover.moved - before, MB, 0.02, 'with one again');
  });

  it('never grants more than rate * time + burst, and serves everybody who waits', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('begin' as const), most: fc.integer({ min: 1, max: 300_000 }) }),
      fc.record({ kind: fc.constant('ask' as const), which: fc.nat(20) }),
      fc.record({ kind: fc.constant('end' as const), which: fc.nat(20), unused: fc.nat(5000) }),
      fc.record({ kind: fc.constant('pass' as const), time: fc.integer({ min: 0, max: 400 }) }),
    );
    const limit = fc.record({
      rate: fc.integer({ min: 1, max: 50_000_000 }),
      burst: fc.integer({ min: 0, max: 2_000_000 }),
    });
    fc.assert(
      fc.property(
        limit,
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.nat(50),
        (limits, steps, lateness) => {
          const { time, bandwidth } = bandwidthOf(limits, () => lateness);
          const bound = (since = 0) =>
            (limits.rate * (time.now() - since)) / 1000 + Math.max(limits.burst, 1);
          const bodies: Meter[] = [];
          const waiting = new Set<Meter>();
          let [idleSince, usedThen] = [0, 0];
          for (const one of steps) {
            const body = 'which' in one ? bodies[one.which % Math.max(bodies.length, 1)] : undefined;
            if (one.kind === 'begin') bodies.push(bandwidth.meter(one.most));
            else if (one.kind === 'pass') time.pass(one.time);
            else if (body && one.kind === 'ask' && !waiting.has(body) && body.granted < body.most) {
              waiting.add(body);
              body.more({
                grant: (bytes) => {
                  assert.ok(bytes > 0 && bodies.includes(body));
                  waiting.delete(body);
                },
              });
            } else if (body && one.kind === 'end') {
              body.end(Math.max(body.granted - one.unused, 0));
              bodies.splice(bodies.indexOf(body), 1);
              waiting.delete(body);
              if (bodies.length === 0)
                [idleSince, usedThen] = [time.now(), bandwidth.granted - bandwidth.returned];
            }
            const used = bandwidth.granted - bandwidth.returned;
            assert.ok(used <= bound() + 1e-3, 'since the beginning');
            assert.ok(used - usedThen <= bound(idleSince) + 1e-3, 'since the last pause');
            assert.equal(bandwidth.waiting, waiting.size);
            assert.ok(time.pending <= 1);
          }
          // A quantum is at most what the rate gives in a second, or a burst, or 1 MiB.
          time.pass((waiting.size + 1) * (lateness + 1001 + ((1 << 20) / limits.rate) * 1000));
          assert.equal(waiting.size, 0, 'nobody starves');
          assert.equal(time.pending, 0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
