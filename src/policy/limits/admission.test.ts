import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { patience } from '../../../test/support/deadline.ts';
import { ManualTime } from '../../../test/support/manual-time.ts';
import {
  Admission,
  type AdmissionLimits,
  type Left,
  type Limited,
  type Ticket,
  type Waiting,
} from './admission.ts';
import { Schedule } from './schedule.ts';

const none: AdmissionLimits = { streams: Number.POSITIVE_INFINITY, requestRate: undefined, queue: undefined };

function admissionOf(limits: Partial<AdmissionLimits>, lateness?: () => number) {
  const time = new ManualTime(lateness);
  return { time, admission: new Admission(new Schedule(time), 'few', { ...none, ...limits }) };
}

type Admitted = ReturnType<Admission['admit']>;

function ticket(result: Admitted | Left): Ticket {
  assert.equal(result.kind, 'ticket');
  return result as Ticket;
}

function limited(result: Admitted | Left): Limited {
  assert.equal(result.kind, 'limited');
  return result as Limited;
}

function waiting(result: Admitted): Waiting {
  assert.equal(result.kind, 'waiting');
  return result as Waiting;
}

describe('admission to a policy', { timeout: patience }, () => {
  it('without limits everybody is let in, counted, and no timer is ever set', () => {
    const { time, admission } = admissionOf({});
    const tickets = Array.from({ length: 1000 }, () => ticket(admission.admit()));
    assert.equal(admission.streams, 1000);
    for (const one of tickets) one.release();
    assert.equal(admission.streams, 0);
    assert.equal(admission.admitted, 1000);
    assert.equal(time.pending, 0);
  });

  it('one more than the streams allowed is turned away with 429 and told to come again', () => {
    const { admission } = admissionOf({ streams: 2 });
    const first = ticket(admission.admit());
    ticket(admission.admit());
    const refused = limited(admission.admit());
    assert.deepEqual(refused.failure, {
      code: 'policy-limited',
      detail: 'Policy few allows 2 requests at once.',
    });
    assert.equal(refused.retryAfter, 1);
    first.release();
    ticket(admission.admit());
    assert.equal(admission.refused, 1);
  });

  it('a ticket released twice frees one place', () => {
    const { admission } = admissionOf({ streams: 2 });
    const first = ticket(admission.admit());
    ticket(admission.admit());
    first.release();
    first.release();
    assert.equal(admission.streams, 1);
    ticket(admission.admit());
    limited(admission.admit());
  });

  it('requests come at the rate, after the burst, and Retry-After says when the next may', () => {
    const { time, admission } = admissionOf({ requestRate: { rate: 0.25, burst: 3 } });
    for (let turn = 0; turn < 3; turn++) ticket(admission.admit());
    assert.equal(limited(admission.admit()).retryAfter, 4);
    time.pass(1500);
    assert.equal(limited(admission.admit()).retryAfter, 3);
    time.pass(2499);
    assert.equal(limited(admission.admit()).retryAfter, 1);
    time.pass(1);
    ticket(admission.admit());
    limited(admission.admit());
    assert.equal(limited(admission.admit()).failure.detail, 'Policy few allows 0.25 requests a second.');
  });

  it('Retry-After counts the tokens that others wait for already', () => {
    const { admission } = admissionOf({
      requestRate: { rate: 0.1, burst: 1 },
      queue: { depth: 2, wait: 60_000 },
    });
    ticket(admission.admit());
    waiting(admission.admit());
    waiting(admission.admit());
    assert.equal(limited(admission.admit()).retryAfter, 30);
  });

  it('a burst below one still lets one in', () => {
    const { admission } = admissionOf({ requestRate: { rate: 0.1, burst: 0 } });
    ticket(admission.admit());
    assert.equal(limited(admission.admit()).retryAfter, 10);
  });

  it('Retry-After is finite, whatever the rate', () => {
    const { admission } = admissionOf({ requestRate: { rate: 0, burst: 1 } });
    ticket(admission.admit());
    assert.equal(limited(admission.admit()).retryAfter, 3600);
  });

  it('the queue is served first come, first served, as streams end', async () => {
    const { admission } = admissionOf({ streams: 1, queue: { depth: 3, wait: 1000 } });
    let running = ticket(admission.admit());
    const queue = [1, 2, 3].map(() => waiting(admission.admit()));
    limited(admission.admit());
    for (const next of queue) {
      running.release();

      running = ticket(await next.done);
      assert.equal(admission.streams, 1);
    }
  });

  it('who has waited long enough is turned away, no sooner and no later', async () => {
    const { time, admission } = admissionOf({ streams: 1, queue: { depth: 10, wait: 1000 } });
    ticket(admission.admit());
    const first = waiting(admission.admit());
    time.pass(600);
    const second = waiting(admission.admit());
    time.pass(399);
    assert.equal(admission.waiting, 2);
    time.pass(1);
    assert.equal(admission.waiting, 1);
    limited(await first.done);
    time.pass(600);
    limited(await second.done);
    assert.equal(time.pending, 0);
  });

  it('who waits for a token is let in when it comes, at the full rate even when timers are late', async () => {
    const { time, admission } = admissionOf(
      { requestRate: { rate: 1000, burst: 1 }, queue: { depth: 10_000, wait: 60_000 } },
      () => 17,
    );
    for (let turn = 0; turn < 5000; turn++) admission.admit();
    time.pass(4000);
    assert.ok(admission.admitted <= 4001);
    assert.ok(admission.admitted > 4001 - 40, `${admission.admitted} of 4001`);
  });

  it('a client that leaves makes room, and is not let in any more', async () => {
    const { time, admission } = admissionOf({ streams: 1, queue: { depth: 1, wait: 1000 } });
    const running = ticket(admission.admit());
    const gone = waiting(admission.admit());
    limited(admission.admit());
    gone.cancel();
    gone.cancel();
    assert.equal((await gone.done).kind, 'left');
    assert.equal(time.pending, 0);
    const next = waiting(admission.admit());
    running.release();
    ticket(await next.done).release();
    assert.equal(admission.streams, 0);
  });

  it('a cancel that comes after the ticket leaves the ticket valid, to be released', async () => {
    const { admission } = admissionOf({ streams: 1, queue: { depth: 1, wait: 1000 } });
    const running = ticket(admission.admit());
    const late = waiting(admission.admit());
    running.release();
    late.cancel();
    assert.equal(admission.streams, 1);
    ticket(await late.done).release();
    assert.equal(admission.streams, 0);
  });

  it('a newcomer does not pass those who wait, even when the timer is late', async () => {
    const { time, admission } = admissionOf(
      { requestRate: { rate: 10, burst: 1 }, queue: { depth: 5, wait: 10_000 } },
      () => 1000,
    );
    ticket(admission.admit());
    const first = waiting(admission.admit());
    time.pass(150);
    const second = waiting(admission.admit());
    ticket(await first.done);
    assert.equal(admission.waiting, 1);
    second.cancel();
  });

  it('lower limits cut no stream and let nobody in until there is room', async () => {
    const { admission } = admissionOf({ streams: 4 });
    const tickets = [1, 2, 3, 4].map(() => ticket(admission.admit()));
    admission.adjust({ ...none, streams: 2 });
    assert.equal(admission.streams, 4);
    for (const [index, one] of tickets.entries()) {
      if (index < 3) limited(admission.admit());
      one.release();
    }
    ticket(admission.admit());
  });

  it('higher limits let those who wait in at once, and none at all lets all of them in', async () => {
    const queue = { depth: 10, wait: 60_000 };
    const { time, admission } = admissionOf({ streams: 1, queue });
    ticket(admission.admit());
    const queued = Array.from({ length: 5 }, () => waiting(admission.admit()));
    admission.adjust({ ...none, streams: 3, queue });
    assert.equal(admission.streams, 3);
    admission.adjust(none);
    for (const one of queued) ticket(await one.done);
    assert.equal(admission.streams, 6);
    assert.equal(time.pending, 0);
  });

  it('a queue that a reload takes away turns away those in it, a shorter one those who were in it longer', async () => {
    const { time, admission } = admissionOf({ streams: 1, queue: { depth: 10, wait: 60_000 } });
    ticket(admission.admit());
    const first = waiting(admission.admit());
    time.pass(5000);
    const second = waiting(admission.admit());
    admission.adjust({ ...none, streams: 1, queue: { depth: 10, wait: 3000 } });
    limited(await first.done);
    assert.equal(admission.waiting, 1);
    admission.adjust({ ...none, streams: 1 });
    limited(await second.done);
  });

  it('streams that began without a limit count under the one that comes', () => {
    const { admission } = admissionOf({});
    const first = ticket(admission.admit());
    ticket(admission.admit());
    admission.adjust({ ...none, streams: 2 });
    limited(admission.admit());
    first.release();
    ticket(admission.admit());
  });

  it('a close turns away all who wait and all who would', async () => {
    const { time, admission } = admissionOf({ streams: 1, queue: { depth: 10, wait: 60_000 } });
    ticket(admission.admit());
    const first = waiting(admission.admit());
    admission.close();
    limited(await first.done);
    limited(admission.admit());
    assert.equal(time.pending, 0);
  });

  it('bounds hold, order holds and each is told once, whatever comes when', async () => {
    const index = fc.nat(30);
    const limits = fc.record({
      streams: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(Number.POSITIVE_INFINITY)),
      requestRate: fc.option(
        fc.record({ rate: fc.integer({ min: 1, max: 200 }), burst: fc.integer({ min: 0, max: 10 }) }),
        { nil: undefined },
      ),
      queue: fc.option(fc.record({ depth: fc.nat(6), wait: fc.nat(500) }), { nil: undefined }),
    });
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant({ kind: 'admit' as const }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), index }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), index }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), time: fc.nat(300) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('adjust' as const), limits }) },
    );
    const steps = fc.array(step, { maxLength: 80, size: 'max' });
    await fc.assert(
      fc.asyncProperty(limits, steps, fc.nat(40), async (initial, todo, lateness) => {
        const { time, admission } = admissionOf(initial, () => lateness);
        let now = initial;
        /** Since these rates hold: what the bucket can have given. */
        let since = 0;
        let taken = 0;
        let most = 0;
        const tickets: Ticket[] = [];
        const queue: Waiting[] = [];
        const letIn: number[] = [];
        let [arrivals, results] = [0, 0];
        const keep = (result: Admitted | Left, arrival: number) => {
          results += 1;
          if (result.kind !== 'ticket') return;
          letIn.push(arrival);
          tickets.push(result);
        };
        for (const one of todo) {
          const before = admission.streams;
          if (one.kind === 'admit') {
            const arrival = arrivals++;
            const result = admission.admit();
            if (result.kind === 'waiting') {
              queue.push(result);
              void result.done.then((told) => keep(told, arrival));
              assert.ok(admission.waiting <= Math.max(now.queue?.depth ?? 0, most));
            } else void Promise.resolve(result).then((told) => keep(told, arrival));
          } else if (one.kind === 'release') {
            const [held] = tickets.splice(one.index % Math.max(tickets.length, 1), 1);
            held?.release();
            held?.release();
          } else if (one.kind === 'cancel') queue[one.index % Math.max(queue.length, 1)]?.cancel();
          else if (one.kind === 'pass') time.pass(one.time);
          else {
            admission.adjust(one.limits);
            now = one.limits;
          }
          most = admission.waiting;
          await new Promise((resolve) => setImmediate(resolve));
          assert.equal(admission.streams, tickets.length, 'streams are the tickets out');
          assert.ok(admission.streams <= Math.max(now.streams, before), 'streams above the bound');
          assert.ok(time.pending <= 1);
          if (one.kind === 'adjust') [since, taken] = [time.now(), admission.admitted];
          else if (now.requestRate) {
            const { rate, burst } = now.requestRate;
            const bound = ((time.now() - since) * rate) / 1000 + Math.max(burst, 1);
            assert.ok(admission.admitted - taken <= bound + 1e-6, 'more than rate * time + burst');
          }
        }
        assert.deepEqual(
          letIn,
          letIn.toSorted((a, b) => a - b),
          'first come, first served',
        );
        // All leave: whoever waits is let in or turned away in time.
        for (let turn = 0; turn < 20; turn++) {
          for (const held of tickets.splice(0)) held.release();
          time.pass(600);
          await new Promise((resolve) => setImmediate(resolve));
        }
        assert.equal(results, arrivals, 'each is told once');
        assert.equal(admission.streams, 0);
        assert.equal(admission.waiting, 0);
        assert.equal(time.pending, 0);
      }),
      { numRuns: 150 },
    );
  });
});
