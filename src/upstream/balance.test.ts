import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pickNode } from './balance.ts';

interface Node {
  readonly bytesInFlight: number;
  readonly ejected: boolean;
  readonly onTrial: boolean;
  isEjected(): boolean;
}

const node = (bytesInFlight: number, ejected = false, onTrial = ejected): Node => {
  return { bytesInFlight, ejected, onTrial, isEjected: () => ejected };
};
const nodes = fc.array(fc.record({ bytes: fc.nat(1000), ejected: fc.boolean(), tried: fc.boolean() }), {
  maxLength: 8,
});
/** Numbers for `random`, one after the other. */
const throws = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));

/** A cluster as generated, and what is picked from it. */
function picked(drawn: readonly { bytes: number; ejected: boolean; tried: boolean }[], random: () => number) {
  const all = drawn.map(({ bytes, ejected }) => node(bytes, ejected));
  const tried = new Set(all.filter((_, i) => drawn[i]?.tried));
  const untried = all.filter((candidate) => !tried.has(candidate));
  return { untried, choice: pickNode(all, tried, 0, random) };
}

describe('the choice of a node', () => {
  it('is one that was not tried, and one that is trusted where there is one', () => {
    fc.assert(
      fc.property(nodes, throws, (drawn, stream) => {
        const { untried, choice } = picked(drawn, () => stream.next().value ?? 0);
        if (untried.length === 0) return assert.equal(choice, undefined);
        assert.ok(choice && untried.includes(choice));
        if (untried.some(({ ejected }) => !ejected)) assert.equal(choice.ejected, false);
      }),
    );
  });

  it('is never the one with the most bytes outstanding, where two differ', () => {
    fc.assert(
      fc.property(nodes, throws, (drawn, stream) => {
        const { untried, choice } = picked(drawn, () => stream.next().value ?? 0);
        const trusted = untried.filter(({ ejected }) => !ejected);
        const candidates = trusted.length > 0 ? trusted : untried;
        const most = Math.max(...candidates.map(({ bytesInFlight }) => bytesInFlight));
        const alone = candidates.filter(({ bytesInFlight }) => bytesInFlight === most).length === 1;
        if (candidates.length > 1 && alone) assert.notEqual(choice?.bytesInFlight, most);
      }),
    );
  });

  it('of two nodes is always the lighter', () => {
    const [heavy, light] = [node(100), node(1)];
    for (const random of [0, 0.3, 0.5, 0.999]) {
      assert.equal(
        pickNode([heavy, light], new Set(), 0, () => random),
        light,
      );
      assert.equal(
        pickNode([light, heavy], new Set(), 0, () => random),
        light,
      );
    }
  });

  it('a request that has failed is not spent on trials, where there is a sound node', () => {
    const [failed, sound] = [node(0), node(1000)];
    const trials = Array.from({ length: 5 }, () => node(0, false, true));
    for (let i = 0; i < 100; i++) {
      const all = [failed, ...trials, sound];
      assert.equal(pickNode(all, new Set([failed]), 0, Math.random), sound);
      assert.equal(pickNode([failed, ...trials], new Set([failed]), 0, Math.random)?.onTrial, true);
    }
    const first = Array.from({ length: 100 }, () => pickNode([...trials, sound], new Set(), 0, Math.random));
    assert.ok(
      first.some((choice) => choice?.onTrial),
      'no node is ever tried again',
    );
  });

  it('reaches every node where all weigh the same', () => {
    const all = Array.from({ length: 5 }, () => node(0));
    const seen = new Set(Array.from({ length: 500 }, () => pickNode(all, new Set(), 0, Math.random)));
    assert.equal(seen.size, 5);
  });
});
