import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Backlog } from '../exchange.ts';
import { Ledger } from './ledger.ts';

/** A log whose lines are written when the test says so. */
class FakeBacklog implements Backlog {
  handed = 0;
  settled = 0;
  allowance = 1000;
  #watchers: (() => void)[] = [];

  hand(bytes: number, ledger?: Ledger): void {
    this.handed += bytes;
    ledger?.add(bytes);
  }

  settle(bytes: number): void {
    this.settled += bytes;
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  progress(timeout: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeout);
      this.#watchers.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

describe('a ledger', () => {
  it('never counts less than the client has unsettled, and at most as much again', () => {
    const backlog = new FakeBacklog();
    const ledger = new Ledger(backlog);
    /** The lines that are not settled, oldest first: whose each is. */
    const queue: { readonly bytes: number; readonly own: boolean }[] = [];
    let recent = 0;
    let seed = 1;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    for (let step = 0; step < 20_000; step++) {
      if (random() < 0.5) {
        const own = random() < 0.5;
        const bytes = 1 + Math.floor(random() * 300);
        queue.push({ bytes, own });
        backlog.hand(bytes, own ? ledger : undefined);
        if (own) recent += bytes;
      } else {
        const line = queue.shift();
        if (line) backlog.settle(line.bytes);
      }
      const exact = queue.reduce((sum, { own, bytes }) => sum + (own ? bytes : 0), 0);
      assert.ok(ledger.unsettled >= exact, `${ledger.unsettled} < ${exact}`);
      assert.ok(ledger.unsettled <= recent);
      if (queue.length === 0) assert.equal(ledger.unsettled, 0);
    }
  });

  it('lets who causes little pass, however much others cause', () => {
    const backlog = new FakeBacklog();
    const [busy, calm] = [new Ledger(backlog), new Ledger(backlog)];
    for (let line = 0; line < 100; line++) backlog.hand(300, busy);
    backlog.hand(300, calm);
    assert.deepEqual([busy.over, calm.over], [true, false]);
  });

  it('holds a client until its lines are settled', async () => {
    const backlog = new FakeBacklog();
    const ledger = new Ledger(backlog);
    for (let line = 0; line < 10; line++) backlog.hand(300, ledger);
    let held = true;
    const settled = ledger.settle().then(() => {
      held = false;
    });
    backlog.settle(1000);
    await new Promise(setImmediate);
    assert.equal(held, true);
    backlog.settle(2000);
    await settled;
    assert.equal(ledger.over, false);
  });

  it('holds nobody for ever where nothing is settled', async () => {
    const backlog = new FakeBacklog();
    const ledger = new Ledger(backlog);
    backlog.hand(10_000, ledger);
    await ledger.settle();
    assert.equal(ledger.over, true);
    backlog.allowance = Number.POSITIVE_INFINITY;
    assert.equal(ledger.over, false);
  });
});
