import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { patience } from '../../../test/support/deadline.ts';
import { ManualTime } from '../../../test/support/manual-time.ts';
import { noLimits } from '../../../test/support/policies.ts';
import { createLimiters } from './limiter.ts';

describe('the limiters of all policies', { timeout: patience }, () => {
  it('a reload goes on with the streams and tokens of the policy of that name', () => {
    const limiters = createLimiters(new ManualTime());
    const limits = { ...noLimits, streams: 2, requestRate: { rate: 1, burst: 3 } };
    const before = limiters.of('a', limits);
    const ticket = before.admit();
    before.admit();
    const after = limiters.of('a', { ...limits });
    assert.equal(after, before);
    assert.equal(after.admit().kind, 'limited', 'two streams are in');
    if (ticket.kind === 'ticket') ticket.release();
    assert.equal(after.admit().kind, 'ticket');
    limiters.of('a', { ...limits, streams: 10 });
    assert.equal(after.admit().kind, 'limited', 'three tokens are gone');
    assert.equal(limiters.of('b', limits).admit().kind, 'ticket', 'another policy is another matter');
  });

  it('a policy without limits only counts', () => {
    const time = new ManualTime();
    const limiter = createLimiters(time).of('a', noLimits);
    limiter.admit();
    assert.equal(limiter.request, undefined);
    assert.equal(limiter.response, undefined);
    assert.equal(limiter.readings().streams, 1);
    assert.equal(time.pending, 0);
  });

  it('each direction has its own bandwidth, and a lifted one is offered to no new body', () => {
    const limiters = createLimiters(new ManualTime());
    const limits = { ...noLimits, requestBandwidth: { rate: 1000, burst: 1000 } };
    const limiter = limiters.of('a', limits);
    const { request } = limiter;
    assert.ok(request);
    assert.equal(limiter.response, undefined);
    limiters.of('a', { ...noLimits, responseBandwidth: { rate: 1000, burst: 1000 } });
    assert.equal(limiter.request, undefined);
    assert.ok(limiter.response);
    limiters.of('a', { ...limits });
    assert.equal(limiter.request, request, 'and bodies that began under it are under it again');
  });

  it('forgets a policy that is gone, but not while somebody is in or waits', async () => {
    const limiters = createLimiters(new ManualTime());
    const names = () => [...limiters.all()].map(([name]) => name);
    const busy = limiters.of('busy', { ...noLimits, streams: 1, queue: { depth: 1, wait: 1000 } });
    limiters.of('idle', noLimits);
    limiters.of('kept', noLimits);
    const ticket = busy.admit();
    const waiting = busy.admit();
    limiters.retain(new Set(['kept']));
    assert.deepEqual(names(), ['busy', 'kept']);
    if (ticket.kind === 'ticket') ticket.release();
    limiters.retain(new Set(['kept']));
    assert.deepEqual(names(), ['busy', 'kept']);
    const admitted = waiting.kind === 'waiting' && (await waiting.done);
    if (admitted && admitted.kind === 'ticket') admitted.release();
    limiters.retain(new Set(['kept']));
    assert.deepEqual(names(), ['kept']);
  });

  it('all policies that wait share one timer, and a close ends it', () => {
    const time = new ManualTime();
    const limiters = createLimiters(time);
    for (let index = 0; index < 50; index++) {
      const limiter = limiters.of(`policy ${index}`, {
        ...noLimits,
        requestBandwidth: { rate: 1000 + index, burst: 1 },
        streams: 1,
        queue: { depth: 1, wait: 1000 + index },
      });
      limiter.admit();
      limiter.admit();
      limiter.request?.meter(Number.POSITIVE_INFINITY).more({ grant() {} });
      assert.equal(time.pending, 1);
    }
    time.pass(1010);
    assert.equal(time.pending, 1);
    const readings = [...limiters.all()].map(([, limiter]) => limiter.readings());
    assert.equal(readings.filter(({ waiting }) => waiting === 1).length, 39);
    assert.equal(readings.filter(({ throttled }) => throttled === 1).length, 0);
    assert.ok(readings.every(({ throttledMs }) => throttledMs > 0 && throttledMs < 1100));
    limiters.close();
    assert.equal(time.pending, 0);
    assert.ok([...limiters.all()].every(([, limiter]) => limiter.readings().refused === 1));
  });

  it('keeps no process alive and works by the clock of the system', async () => {
    const limiters = createLimiters();
    const limiter = limiters.of('a', {
      ...noLimits,
      requestRate: { rate: 50, burst: 1 },
      queue: { depth: 5, wait: 2000 },
    });
    const began = performance.now();
    limiter.admit();
    const waiting = [1, 2, 3].map(() => limiter.admit());
    // Unref'd timers do not hold the test either.
    const awake = setInterval(() => {}, 1000);
    for (const one of waiting) assert.equal(one.kind === 'waiting' && (await one.done).kind, 'ticket');
    clearInterval(awake);
    const took = performance.now() - began;
    assert.ok(took >= 59, `three tokens at 50 a second in ${took} ms`);
    limiters.close();
  });
});
