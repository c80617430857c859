import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { headFixtures, responseTo } from '../../test/support/head-fixtures.ts';
import { hopByHop } from './field-names.ts';
import { forwardRequest, forwardResponse } from './forward.ts';
import { parseRequestHead } from './request-head.ts';
import { parseResponseHead } from './response-head.ts';

const limits = { maxTarget: 4096, maxFields: 100 };
const asReceived = { drop: new Set<string>(), add: '', decoded: false };

/** The same bytes amid others, as they lie in a shared buffer: what surrounds a head must not matter. */
function amid(bytes: Buffer): { buffer: Buffer; start: number; end: number } {
  const buffer = Buffer.concat([Buffer.from('\r\n\r\nX: '), bytes, Buffer.from('X-Next: a\r\n\r\n')]);
  return { buffer, start: 7, end: 7 + bytes.length };
}

describe('a request head', () => {
  for (const { name, bytes, expected } of headFixtures('request')) {
    test(`${expected === undefined ? 'is accepted' : `is refused as ${expected}`}: ${name}`, () => {
      const { buffer, start, end } = amid(bytes);
      const head = parseRequestHead(buffer, start, end, limits);
      assert.deepEqual(head, parseRequestHead(bytes, 0, bytes.length, limits));
      if (expected !== undefined || 'code' in head) {
        assert.equal('code' in head ? head.code : 'accepted', expected);
        return;
      }
      const text = forwardRequest(head, { ...asReceived, host: 'upstream' });
      const again = parseRequestHead(Buffer.from(text, 'latin1'), 0, text.length, limits);
      assert.ok(!('code' in again), text);
      assert.deepEqual(
        [again.method, again.target, again.framing, again.contentLength],
        [head.method, head.target, head.framing, head.contentLength],
      );
      assert.equal(again.host, head.host || 'upstream');
      for (const { key } of again.fields.list)
        assert.ok(key === 'transfer-encoding' || !hopByHop.has(key), key);
    });
  }
});

describe('a response head', () => {
  for (const { name, bytes, expected, mended } of headFixtures('response')) {
    const what = mended ? 'goes on mended' : 'is accepted';
    test(`${expected === undefined ? what : `is refused as ${expected}`}: ${name}`, () => {
      const { buffer, start, end } = amid(bytes);
      const head = parseResponseHead(buffer, start, end, responseTo('GET'));
      assert.deepEqual(head, parseResponseHead(bytes, 0, bytes.length, responseTo('GET')));
      if (expected !== undefined || 'code' in head) {
        assert.equal('code' in head ? head.code : 'accepted', expected);
        return;
      }
      const text = forwardResponse(head, asReceived);
      const again = parseResponseHead(Buffer.from(text, 'latin1'), 0, text.length, responseTo('GET'));
      assert.ok(!('code' in again), text);
      assert.deepEqual(
        [again.status, again.reason, again.framing, again.contentLength],
        [head.status, head.reason, head.framing, head.contentLength],
      );
      for (const { key } of again.fields.list)
        assert.ok(key === 'transfer-encoding' || !hopByHop.has(key), key);
    });
  }
});
