import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from './nearest.ts';

const settings = ['listen', 'upstream', 'timeouts', 'limits', 'admin', 'log'];

test('a slip of the keys finds the key that was meant', () => {
  for (const [slip, meant] of [
    ['limit', 'limits'],
    ['lsiten', 'listen'],
    ['Upstreams', 'upstream'],
    ['timeout', 'timeouts'],
    ['timeuots', 'timeouts'],
  ] as const) {
    assert.equal(nearest(slip, settings), meant);
  }
});

test('a word that is near to nothing is not guessed at', () => {
  for (const word of ['policy', 'tracing', '']) assert.equal(nearest(word, settings), undefined);
  assert.equal(nearest('log', []), undefined);
});

test('of two that are equally near, the one that keeps the word is meant', () => {
  for (const [word, candidates, meant] of [
    ['_search', ['msearch', 'search'], 'search'],
    ['_get', ['mget', 'get'], 'get'],
    ['_bulk', ['bulk'], 'bulk'],
  ] as const) {
    for (const order of [candidates, candidates.toReversed()]) assert.equal(nearest(word, order), meant);
  }
});
