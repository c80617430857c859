/** Every input in the corpus, and so every finding of the fuzzers, through both languages' parsers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseRequestHead } from '../../src/http1/request-head.ts';
import { parseResponseHead } from '../../src/http1/response-head.ts';
import { Inbox } from '../../src/net/inbox.ts';
import { responseTo } from '../support/head-fixtures.ts';
import { corpus } from './corpus.ts';
import { buildNativeDecoder, decodeHere, difference } from './decoders.ts';
import { fieldNames } from './field-names.ts';

const bodies = corpus('chunk-decoder');
const verdicts = { good: 'ended', bad: 'malformed', long: 'too-long', cut: 'more' } as const;
const native = buildNativeDecoder();
const skip = native ? false : "there is no g++ here to build the engine's decoder with";

describe('a chunked body of the corpus', () => {
  for (const { name, bytes } of bodies) {
    test(`is read as its name says, whole and byte by byte: ${name}`, () => {
      const decoded = decodeHere(bytes);
      const expected = Object.entries(verdicts).find(([prefix]) => name.startsWith(`${prefix}.`));
      assert.equal(decoded.kind, expected?.[1], 'names begin with good, bad, long or cut');
      assert.deepEqual(decodeHere(bytes, 1), decoded);
    });
  }

  test('is read by the engine as by src/http1', { skip }, () => {
    const decoded = native?.(bodies.map(({ bytes }) => bytes)) ?? [];
    const differences = bodies.map(({ name, bytes }, index) => [name, difference(bytes, decoded[index]!)]);
    assert.deepEqual(
      differences.filter(([, what]) => what !== undefined),
      [],
    );
  });

  test('cut anywhere is read by the engine as by src/http1', { skip }, () => {
    const cuts = bodies.flatMap(({ bytes }) =>
      Array.from({ length: Math.min(bytes.length, 300) }, (_, length) => bytes.subarray(0, length)),
    );
    const decoded = native?.(cuts) ?? [];
    for (const [index, bytes] of cuts.entries()) assert.equal(difference(bytes, decoded[index]!), undefined);
  });
});

test('each name with a meaning is kept or dropped as a trailer alike, however it is spelt', { skip }, () => {
  assert.ok(fieldNames.includes('transfer-encoding') && fieldNames.includes('if-any'), String(fieldNames));
  const spellings = fieldNames.flatMap((name) => [name, name.toUpperCase(), name.replaceAll('-', '_')]);
  const each = spellings.map((name) => Buffer.from(`0\r\n${name}: a\r\n\r\n`));
  const decoded = native?.(each) ?? [];
  for (const [index, bytes] of each.entries()) assert.equal(difference(bytes, decoded[index]!), undefined);
});

/** Shows bytes to an inbox in pieces; where the head that it finds begins and ends in the whole, if it finds one. */
function headIn(bytes: Buffer, pieceLength: number): { start: number; end: number } | undefined {
  const inbox = new Inbox();
  for (let at = 0; at < bytes.length; at += pieceLength) {
    inbox.push(Buffer.from(bytes.subarray(at, at + pieceLength)));
    const head = inbox.takeHead(bytes.length);
    if (!head) continue;
    const end = Math.min(at + pieceLength, bytes.length) - inbox.length;
    return { start: end - (head.end - head.start), end };
  }
  return undefined;
}

describe('a head of the corpus', () => {
  for (const { name, bytes } of corpus('head')) {
    test(`is found as a naive search finds it, however it is cut, and never throws: ${name}`, () => {
      const text = bytes.toString('latin1');
      const start = /^(?:\r\n)*/.exec(text)?.[0].length ?? 0;
      const end = /\n\r?\n/.exec(text.slice(start));
      const expected = end ? { start, end: start + end.index + end[0].length } : undefined;
      for (const pieceLength of [1, 2, 3, 7, Math.max(bytes.length, 1)]) {
        assert.deepEqual(headIn(bytes, pieceLength), expected);
      }
      parseRequestHead(bytes, 0, bytes.length, { maxTarget: 100, maxFields: 100 });
      parseResponseHead(bytes, 0, bytes.length, responseTo('GET'));
    });
  }
});
