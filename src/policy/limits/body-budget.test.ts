import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { patience } from '../../../test/support/deadline.ts';
import { ManualTime } from '../../../test/support/manual-time.ts';
import type { Framing } from '../../http1/framing.ts';
import { Bandwidth } from './bandwidth.ts';
import { type BodyBudget, bodyBudget } from './body-budget.ts';
import { Schedule } from './schedule.ts';

const unlimited = Number.POSITIVE_INFINITY;
const chunked: Framing = { kind: 'chunked' };
const ofLength = (length: number): Framing => ({ kind: 'length', length });
const bandwidthOf = (rate: number, burst: number, time = new ManualTime()) =>
  new Bandwidth(new Schedule(time), { rate, burst });

/** Moves a body of `size` bytes as a relay does: it asks when its budget is used up and more is to come. */
function relayOf(size: number, budget: BodyBudget) {
  const relay = { moved: 0, stopped: false, left: budget.budget, grant, stop, run };
  function grant(bytes: number) {
    relay.left += bytes;
    if (relay.left > 0) run();
  }
  function stop() {
    relay.stopped = true;
  }
  function run() {
    const step = Math.min(relay.left, size - relay.moved);
    relay.moved += step;
    relay.left -= step;
    if (relay.moved < size) budget.onBudget(relay);
  }
  return relay;
}

describe('the budget of one body', { timeout: patience }, () => {
  it('is none where nothing can hold the body back', () => {
    assert.equal(bodyBudget({ kind: 'none' }, 10, bandwidthOf(1, 1)), undefined);
    assert.equal(bodyBudget(chunked, unlimited, undefined), undefined);
    assert.equal(bodyBudget(ofLength(100), 100, undefined), undefined);
    assert.equal(bodyBudget({ kind: 'until-close' }, unlimited, undefined), undefined);
    assert.ok(bodyBudget(ofLength(101), 100, undefined));
    assert.ok(bodyBudget(chunked, 100, undefined));
    assert.ok(bodyBudget(ofLength(100), 100, bandwidthOf(1, 1)));
  });

  it('a limit of nothing lets an empty body through and stops any other before its first byte', () => {
    for (const size of [0, 1]) {
      const budget: BodyBudget = bodyBudget(chunked, 0, undefined)!;
      const relay = relayOf(size, budget);
      relay.run();
      assert.equal(relay.moved, 0);
      assert.equal(budget.over, size > 0);
      assert.equal(relay.stopped, size > 0);
    }
  });

  it('moves what is allowed and no more, and gives back what was not moved, with a bandwidth and without', () => {
    fc.assert(
      fc.property(
        fc.nat(300_000),
        fc.nat(300_000),
        fc.option(fc.record({ rate: fc.integer({ min: 1000, max: 1e9 }), burst: fc.nat(100_000) }), {
          nil: undefined,
        }),
        fc.boolean(),
        (size, allowed, limit, counted) => {
          const time = new ManualTime();
          const bandwidth = limit && bandwidthOf(limit.rate, limit.burst, time);
          const budget: BodyBudget | undefined = bodyBudget(
            counted ? chunked : ofLength(size),
            allowed,
            bandwidth,
          );
          if (!budget) return assert.ok(!counted && size <= allowed);
          const relay = relayOf(size, budget);
          relay.run();
          time.pass(400_000);
          assert.equal(relay.moved, Math.min(size, allowed));
          assert.equal(budget.over, size > allowed);
          assert.equal(relay.stopped, size > allowed);
          budget.end(relay.moved);
          budget.end(relay.moved);
          if (bandwidth) assert.equal(bandwidth.granted - bandwidth.returned, relay.moved);
          assert.equal(time.pending, 0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('nothing is granted to a relay after its end', () => {
    const time = new ManualTime();
    const budget = bodyBudget(chunked, unlimited, bandwidthOf(1000, 1, time))!;
    const relay = relayOf(1_000_000, budget);
    relay.run();
    time.pass(5000);
    const { moved } = relay;
    budget.end(moved);
    budget.onBudget(relay);
    time.pass(5000);
    assert.equal(relay.moved, moved);
  });
});
