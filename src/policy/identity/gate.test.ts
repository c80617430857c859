import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
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

const from = (source: string, name = 'alice') => ({ source, name });

/** Ends what runs until all of these have ended. */
async function endAll<T>(works: Works, results: readonly Promise<T>[]): Promise<T[]> {
  let left = results.length;
  for (const one of results) void one.finally(() => left--).catch(() => {});
  for (let turn = 0; left > 0; turn++) {
    assert.ok(turn < 1000, 'work that never ends');
    works.end();
    await settled();
  }
  return await Promise.all(results);
}

describe('costly work', () => {
  it('never runs more than so many at once, in the order of calls, and is refused beyond the queue', async () => {
    const gate = new Gate({ atOnce: 2, queue: 3 });
    const works = new Works();
    const results = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => gate.run(from(name), works.of(name)).done);
    assert.equal(await within('the refusal', results[5]!), undefined);
    assert.deepEqual(await endAll(works, results.slice(0, 5)), ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(works.begun, ['a', 'b', 'c', 'd', 'e']);
    assert.equal(works.most, 2);
    const again = gate.run(from('f'), works.of('f')).done;
    assert.deepEqual(await endAll(works, [again]), ['f']);
  });

  it('of one source takes turns with that of others, whoever came first', async () => {
    const gate = new Gate({ atOnce: 1, queue: 64 });
    const works = new Works();
    const foes = Array.from({ length: 12 }, (_, at) => gate.run(from('foe'), works.of(`foe${at}`)).done);
    const friends = ['x', 'y'].map((name) => gate.run(from(name), works.of(name)).done);
    const more = gate.run(from('x'), works.of('x2')).done;
    await endAll(works, [...foes, ...friends, more]);
    assert.deepEqual(works.begun.slice(0, 7), ['foe0', 'foe1', 'x', 'y', 'foe2', 'x2', 'foe3']);
  });

  it('of one source takes turns by name, too', async () => {
    const gate = new Gate({ atOnce: 1, queue: 64 });
    const works = new Works();
    const foes = [0, 1, 2, 3].map((at) => gate.run(from('lb', 'alice'), works.of(`alice${at}`)).done);
    const bob = gate.run(from('lb', 'bob'), works.of('bob')).done;
    await endAll(works, [...foes, bob]);
    assert.deepEqual(works.begun.slice(0, 3), ['alice0', 'alice1', 'bob']);
  });

  it('gives its place up only to a source that has fewer, and never to one that has as many', async () => {
    const gate = new Gate({ atOnce: 1, queue: 4 });
    const works = new Works();
    const running = gate.run(from('foe'), works.of('first')).done;
    const foes = [1, 2, 3, 4, 5].map((at) => gate.run(from('foe'), works.of(`foe${at}`)).done);
    assert.equal(await within('one too many', foes[4]!), undefined);
    const friends = [1, 2, 3].map((at) => gate.run(from('friend'), works.of(`friend${at}`)).done);
    assert.equal(await within('its last', foes[3]!), undefined);
    assert.equal(await within('the one before', foes[2]!), undefined);
    assert.equal(await within('a third of the friend', friends[2]!), undefined);
    const all = [running, foes[0]!, foes[1]!, friends[0]!, friends[1]!];
    assert.deepEqual(await endAll(works, all), ['first', 'foe1', 'foe2', 'friend1', 'friend2']);
  });

  it('for one name of a source gives its place up to another name of it', async () => {
    const gate = new Gate({ atOnce: 1, queue: 2 });
    const works = new Works();
    const guesses = [0, 1, 2].map((at) => gate.run(from('lb', 'alice'), works.of(`alice${at}`)).done);
    const bob = gate.run(from('lb', 'bob'), works.of('bob')).done;
    assert.equal(await within('the last guess', guesses[2]!), undefined);
    assert.deepEqual(await endAll(works, [guesses[0]!, guesses[1]!, bob]), ['alice0', 'alice1', 'bob']);
  });

  it('that several sources want runs once, at the turn of the first, and outlives the place of one', async () => {
    const gate = new Gate({ atOnce: 1, queue: 3 });
    const works = new Works();
    const running = gate.run(from('foe'), works.of('first')).done;
    const foes = [1, 2].map((at) => gate.run(from('foe'), works.of(`foe${at}`)).done);
    const shared = gate.run(from('foe', 'bob'), works.of('shared'));
    for (const source of ['a', 'b', 'b']) shared.join(from(source, 'bob'));
    // The foe has three places and gives its last one up, which is one of three for the same.
    const late = gate.run(from('late'), works.of('late')).done;
    assert.equal(await within('a guess', foes[1]!), undefined);
    await endAll(works, [running, foes[0]!, shared.done, late]);
    assert.equal(works.begun.filter((name) => name === 'shared').length, 1);
    assert.equal(await shared.done, 'shared');
    shared.join(from('c', 'bob'));
    assert.equal(await endAll(works, [gate.run(from('d'), works.of('d')).done]).then(String), 'd');
  });

  it('of any sequence of askers ends, each once, and none of a source that asks for little is refused', async () => {
    const asking = fc.array(
      fc.record({ source: fc.constantFrom('foe', 'foe', 'a', 'b'), name: fc.constantFrom('x', 'y') }),
      {
        maxLength: 60,
      },
    );
    await fc.assert(
      fc.asyncProperty(asking, async (askers) => {
        const gate = new Gate({ atOnce: 2, queue: 8 });
        const works = new Works();
        const asked = new Map<string, number>();
        const results = askers.map((asker, at) => {
          asked.set(asker.source, (asked.get(asker.source) ?? 0) + 1);
          return gate.run(asker, works.of(`${at}`)).done;
        });
        const outcomes = await endAll(works, results);
        assert.equal(works.begun.length, new Set(works.begun).size);
        assert.equal(outcomes.filter((one) => one !== undefined).length, Math.min(askers.length, 10));
        // Three sources share eight places: two are everybody's.
        for (const [at, { source }] of askers.entries()) {
          if ((asked.get(source) ?? 0) <= 2) assert.equal(outcomes[at], `${at}`);
        }
      }),
    );
  });

  it('that fails gives its place back', async () => {
    const gate = new Gate({ atOnce: 1, queue: 0 });
    const fails = gate.run(from('a'), async () => {
      throw new Error('no memory');
    });
    await assert.rejects(within('the failure', fails.done), /no memory/);
    assert.equal(await gate.run(from('a'), async () => 1).done, 1);
  });
});
