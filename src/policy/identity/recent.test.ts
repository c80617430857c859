import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Recent } from './recent.ts';

const entry = (value: number, { until = 1000, weight = 1 } = {}) => ({ value, until, weight });

describe('what was found out lately', () => {
  it('is bounded: the longest unused goes first', () => {
    const recent = new Recent<number>(3);
    for (const value of [1, 2, 3]) recent.set(`${value}`, entry(value));
    assert.equal(recent.get('1', 0), 1);
    recent.set('4', entry(4));
    assert.deepEqual(
      ['1', '2', '3', '4'].map((key) => recent.get(key, 0)),
      [1, undefined, 3, 4],
    );
    for (let value = 0; value < 10_000; value++) recent.set(`n${value}`, entry(value));
    assert.equal(recent.size, 3);
  });

  it('is bounded in weight, and one that alone is too heavy is not kept', () => {
    const recent = new Recent<number>(100, 10);
    for (let value = 0; value < 9; value++) recent.set(`${value}`, entry(value, { weight: 3 }));
    assert.deepEqual([recent.size, recent.weight], [3, 9]);
    recent.set('heavy', entry(0, { weight: 11 }));
    assert.deepEqual([recent.size, recent.weight], [0, 0]);
  });

  it('is forgotten when its time has come, and weighs nothing then', () => {
    const recent = new Recent<number>(3);
    recent.set('a', entry(1, { until: 10 }));
    assert.equal(recent.get('a', 9), 1);
    assert.equal(recent.get('a', 10), undefined);
    assert.deepEqual([recent.size, recent.weight], [0, 0]);
  });

  it('that is renewed when it is used stays as long as it is used often enough, and no longer', () => {
    const recent = new Recent<number>(3);
    recent.set('a', entry(1, { until: 10 }));
    for (let now = 5; now < 100; now += 9) assert.equal(recent.get('a', now, 10), 1);
    assert.equal(recent.get('a', 104), 1);
    assert.equal(recent.get('a', 105, 10), undefined);
  });

  it('is replaced, not added up, when it is found out again', () => {
    const recent = new Recent<number>(3);
    recent.set('a', entry(1, { weight: 5 }));
    recent.set('a', entry(2, { weight: 7 }));
    assert.deepEqual([recent.get('a', 0), recent.size, recent.weight], [2, 1, 7]);
    recent.clear();
    assert.deepEqual([recent.size, recent.weight], [0, 0]);
  });
});
