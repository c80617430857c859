import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type EjectionOptions, Health, judgeStatus, mayEjectOneMore } from './health.ts';

const health = (options: Partial<EjectionOptions> = {}) =>
  new Health({ baseTime: 1000, maxTime: 5000, failures: 3, maxPercent: 50, ...options });

describe('the trust in a node', () => {
  it('is lost for twice as long with each failure in a row, up to a bound, and won back by an answer', () => {
    const failing = health();
    assert.equal(failing.isEjected(0), false);
    for (const [now, lasts, again] of [
      [0, 1000, false],
      [2000, 2000, true],
      [5000, 4000, true],
      [10_000, 5000, true],
      [20_000, 5000, true],
    ] as const) {
      assert.deepEqual(failing.eject(now, now), { lasts, again });
      assert.deepEqual([failing.isEjected(now + lasts - 1), failing.isEjected(now + lasts)], [true, false]);
    }
    assert.equal(failing.recover(25_000), true);
    assert.deepEqual([failing.isEjected(20_001), failing.recover(25_000)], [false, false]);
    assert.deepEqual(failing.eject(30_000, 30_000), { lasts: 1000, again: false });
  });

  it('is lost once to a hundred dials that were begun together, however late they fail', () => {
    const failing = health();
    assert.deepEqual(failing.eject(10, 0), { lasts: 1000, again: false });
    for (let late = 11; late < 3000; late += 30) assert.equal(failing.eject(late, 9), undefined);
    assert.equal(failing.isEjected(1010), false);
    assert.deepEqual(failing.eject(1020, 1011), { lasts: 2000, again: true });
  });

  it('does not overflow however often it fails', () => {
    const failing = health({ maxTime: 30_000 });
    let now = 0;
    for (let i = 0; i < 5000; i++) now += failing.eject(now, now)?.lasts ?? 0;
    assert.deepEqual(failing.eject(now, now), { lasts: 30_000, again: true });
  });

  it('is tried out by one exchange at a time after an ejection', () => {
    const failing = health();
    failing.eject(0, 0);
    failing.begin(500);
    assert.equal(failing.isEjected(1000), false);
    failing.begin(1000);
    assert.deepEqual([failing.isEjected(1999), failing.isEjected(2000)], [true, false]);
    // The one that tried it fails: that counts, although the node is out for the others.
    assert.deepEqual(failing.eject(1500, 1000), { lasts: 2000, again: true });
    failing.begin(3500);
    failing.recover(3500);
    assert.equal(failing.isEjected(3501), false);
    failing.begin(3502);
    assert.equal(failing.isEjected(3503), false);
  });

  it('is neither lost nor won back by exchanges that were begun before it was ejected', () => {
    const failing = health();
    failing.eject(100, 0);
    assert.deepEqual([failing.recover(99), failing.isEjected(101)], [false, true]);
    for (let i = 0; i < 10; i++) assert.equal(failing.fail(99), false);
    assert.equal(failing.failures, 0);
    assert.deepEqual([failing.recover(100), failing.isEjected(101)], [true, false]);
  });

  it('is lost to failed exchanges in a row, not to scattered ones', () => {
    const failing = health();
    assert.deepEqual([failing.fail(1), failing.fail(2)], [false, false]);
    failing.recover(3);
    assert.deepEqual([failing.fail(4), failing.fail(5), failing.fail(6)], [false, false, true]);
  });
});

it('of statuses only 502, 503 and 504 speak against a node, and 500 and 501 not for it', () => {
  for (const status of [200, 204, 301, 400, 404, 409, 413, 429, 499])
    assert.equal(judgeStatus(status), 'good');
  for (const status of [502, 503, 504]) assert.equal(judgeStatus(status), 'bad');
  for (const status of [500, 501, 505, 507, 599]) assert.equal(judgeStatus(status), 'neither');
});

it('failed exchanges never eject more than their share, and never the only node', () => {
  const nodes = (all: number, out: number) =>
    Array.from({ length: all }, (_, at) => ({ isEjected: () => at < out }));
  for (const [all, out, percent, may] of [
    [1, 0, 50, false],
    [2, 0, 50, true],
    [2, 1, 50, false],
    [3, 0, 50, true],
    [3, 1, 50, false],
    [10, 4, 50, true],
    [10, 5, 50, false],
    [10, 0, 0, false],
    [1, 0, 100, true],
  ] as const) {
    assert.equal(mayEjectOneMore(nodes(all, out), percent, 0), may, `${out} of ${all}, ${percent} %`);
  }
});
