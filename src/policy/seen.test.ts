import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Seen } from './seen.ts';

test('a text is kept from its second coming on, and what comes once displaces nothing', () => {
  const seen = new Seen<number>(64);
  for (let round = 0; round < 2; round++) {
    assert.equal(seen.get('GET /_search'), undefined);
    seen.offer('GET /_search', 7);
  }
  for (let stranger = 0; stranger < 100_000; stranger++) {
    const text = `GET /logs/_doc/${stranger}`;
    assert.equal(seen.get(text), undefined);
    seen.offer(text, 0);
  }
  assert.equal(seen.get('GET /_search'), 7);
  assert.ok(seen.size < 64);
});

test('however many come again and again, no more are kept than said, and what is asked for stays', () => {
  const seen = new Seen<number>(64);
  const offer = (text: string, value: number): void => {
    if (seen.get(text) === undefined) seen.offer(text, value);
  };
  for (let round = 0; round < 5; round++) {
    for (let text = 0; text < 1000; text++) {
      offer(`GET /${text}`, text);
      offer('GET /hot', -1);
      assert.ok(seen.size <= 64);
    }
  }
  assert.equal(seen.get('GET /hot'), -1);
});
