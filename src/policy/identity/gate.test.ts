import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { within } from '../../../test/support/deadline.ts';
import { Gate } from './gate.ts';

/** Work that runs until it is told to end, and counts how much of it runs at once. */
class Works {
  running = 0;
  most = 0;
  readonly begun: string[] = [];
  readonly #ends: (() => void)[] = [];

  of(name: string): () => Promise<string> {
    return async () => {
      this.begun.push(name);
      this.most = Math.max(this.most, ++this.running);
      await new Promise<void>((end) => this.#ends.push(end));
      this.running--;
      return name;
    };
  }

  end(): void {
    this.#ends.shift()?.();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('costly work', () => {
  it('never runs more than so many at once, in the order of calls, and is refused beyond the queue', async () => {
    const gate = new Gate({ atOnce: 2, queue: 3, perOwner: 10 });
    const works = new Works();
    const results = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => gate.run(name, works.of(name)));
    assert.equal(results[5], undefined);
    for (let ends = 0; ends < 5; ends++) {
      await settled();
      works.end();
    }
    assert.deepEqual(await within('the work', Promise.all(results.slice(0, 5))), ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(works.begun, ['a', 'b', 'c', 'd', 'e']);
    assert.equal(works.most, 2);
    const again = gate.run('f', works.of('f'));
    await settled();
    works.end();
    assert.equal(await within('the place that became free', again!), 'f');
  });

  it('for one owner leaves the others their turn', async () => {
    const gate = new Gate({ atOnce: 1, queue: 64, perOwner: 2 });
    const works = new Works();
    const mine = [1, 2, 3].map(() => gate.run('alice', works.of('alice')));
    assert.equal(mine[2], undefined);
    const other = gate.run('bob', works.of('bob'));
    assert.notEqual(other, undefined);
    for (let ends = 0; ends < 3; ends++) {
      await settled();
      works.end();
    }
    await within('all', Promise.all([...mine.slice(0, 2), other]));
    assert.notEqual(
      gate.run('alice', async () => 'again'),
      undefined,
    );
  });

  it('that fails gives its place back', async () => {
    const gate = new Gate({ atOnce: 1, queue: 0, perOwner: 1 });
    const fails = gate.run('a', async () => {
      throw new Error('no memory');
    });
    await assert.rejects(within('the failure', fails!), /no memory/);
    assert.equal(await gate.run('a', async () => 1), 1);
  });
});
