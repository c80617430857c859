import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { durationPattern, readDuration, readSize, sizePattern, writeDuration, writeSize } from './units.ts';

const sizes = [
  ['0B', 0],
  ['100MB', 100_000_000],
  ['64KiB', 65_536],
  ['1.5MiB', 1_572_864],
  ['2 GiB', 2 ** 31],
  ['0.1kB', 100],
] as const;

const durations = [
  ['500ms', 500],
  ['60s', 60_000],
  ['1.5s', 1500],
  ['0.1s', 100],
  ['5m', 300_000],
  ['1 h', 3_600_000],
] as const;

test('sizes are read into bytes', () => {
  for (const [text, value] of sizes) assert.deepEqual(readSize(text), { kind: 'value', value });
});

test('durations are read into milliseconds', () => {
  for (const [text, value] of durations) assert.deepEqual(readDuration(text), { kind: 'value', value });
});

test('what has no unit, an ambiguous one, a sign or a fraction of a byte is refused with a fix', () => {
  for (const text of [
    '',
    '5',
    '100mb',
    '1K',
    '-1MB',
    '1e3B',
    '1.5B',
    'constructor',
    '9007199254740993B',
    '1MB2',
  ]) {
    const reading = readSize(text);
    assert.equal(reading.kind, 'wrong', text);
    if (reading.kind === 'wrong') assert.match(reading.fix, /KiB/);
  }
  for (const text of ['5', '5 min', '1d', '0.5ms', 'for ever']) {
    assert.equal(readDuration(text).kind, 'wrong', text);
  }
});

test('the patterns told to editors accept what is read', () => {
  for (const [text] of sizes) assert.match(text, new RegExp(sizePattern));
  for (const [text] of durations) assert.match(text, new RegExp(durationPattern));
});

test('what is written is read back as the same value', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 40 }), (value) => {
      assert.deepEqual(readSize(writeSize(value)), { kind: 'value', value });
      assert.deepEqual(readDuration(writeDuration(value)), { kind: 'value', value });
    }),
  );
});
