import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readPath } from './path.ts';

const accepted: [raw: string, text: string, segments: string[]][] = [
  ['/', '/', []],
  ['/logs-a/_bulk', '/logs-a/_bulk', ['logs-a', '_bulk']],
  ['/logs-a/_bulk/', '/logs-a/_bulk', ['logs-a', '_bulk']],
  ['/_BULK', '/_BULK', ['_BULK']],
  ['/logs-a./_search', '/logs-a./_search', ['logs-a.', '_search']],
  ['/.kibana/_search', '/.kibana/_search', ['.kibana', '_search']],
  ['/..logs', '/..logs', ['..logs']],
  ['/a%2Cb,c%2a/_search', '/a,b,c*/_search', ['a,b,c*', '_search']],
  ['/logs/_doc/caf%C3%A9%20%F0%9F%98%80', '/logs/_doc/café 😀', ['logs', '_doc', 'café 😀']],
  ['/logs/_doc/100%25', '/logs/_doc/100%', ['logs', '_doc', '100%']],
  ['/logs/_doc/100%25%20off', '/logs/_doc/100% off', ['logs', '_doc', '100% off']],
  ['/a+b;c=d/_doc/1', '/a+b;c=d/_doc/1', ['a+b;c=d', '_doc', '1']],
  ['/%3Clogs-%7Bnow%7D%3E/_bulk', '/<logs-{now}>/_bulk', ['<logs-{now}>', '_bulk']],
  ['/%3Clogs-%7Bnow%2Fd%7D%3E/_bulk', '/<logs-{now%2Fd}>/_bulk', ['<logs-{now/d}>', '_bulk']],
  [
    '/a,%3Clogs-%7Bnow-1M%2FM%7Byyyy.MM%7C%2B12:00%7D%7D%3E',
    '/a,<logs-{now-1M%2FM{yyyy.MM|+12:00}}>',
    ['a,<logs-{now-1M/M{yyyy.MM|+12:00}}>'],
  ],
  ['*', '*', ['*']],
];

test('a path is decoded once, as the servers decode it', () => {
  for (const [raw, text, segments] of accepted) {
    assert.deepEqual(readPath(raw), { text, segments, slashed: [] }, raw);
  }
});

test('a slash inside a segment is told, so that its place can be judged; one of date math is not', () => {
  for (const [raw, text, segments, slashed] of [
    ['/i/_doc/a%2Fb', '/i/_doc/a%2Fb', ['i', '_doc', 'a/b'], [2]],
    ['/i%2fj/_doc/%2F', '/i%2Fj/_doc/%2F', ['i/j', '_doc', '/'], [0, 2]],
    [
      '/i/_doc/https%3A%2F%2Fa.b%2F...',
      '/i/_doc/https:%2F%2Fa.b%2F...',
      ['i', '_doc', 'https://a.b/...'],
      [2],
    ],
    ['/logs%2F_bulk', '/logs%2F_bulk', ['logs/_bulk'], [0]],
    ['/%3Clogs-%7Bnow%2F_search%7D%3E', '/<logs-{now%2F_search}>', ['<logs-{now/_search}>'], [0]],
    ['/%3Clogs-%7Bnow%2Fd%2F_bulk%7D%3E', '/<logs-{now%2Fd%2F_bulk}>', ['<logs-{now/d/_bulk}>'], [0]],
    ['/%3Clogs%2Fd%3E', '/<logs%2Fd>', ['<logs/d>'], [0]],
    ['/%7Bnow%2Fd%7D', '/{now%2Fd}', ['{now/d}'], [0]],
    ['/%3Clogs-%7Bnow%2Fd%7D%3E%2F_bulk', '/<logs-{now%2Fd}>%2F_bulk', ['<logs-{now/d}>/_bulk'], [0]],
  ] as const) {
    assert.deepEqual(readPath(raw), { text, segments, slashed }, raw);
  }
});

const refused: [raw: string, detail: RegExp][] = [
  ['', /does not begin with a slash/],
  ['logs', /does not begin with a slash/],
  ['//', /empty segment/],
  ['//_bulk', /empty segment/],
  ['/logs//_bulk', /empty segment/],
  ['/logs/_bulk//', /empty segment/],
  ['/.', /dot segment/],
  ['/logs/./_bulk', /dot segment/],
  ['/logs/../_cluster/settings', /dot segment/],
  ['/logs/..', /dot segment/],
  ['/logs/%2e%2e/_cluster/settings', /encoded dot/],
  ['/logs/.%2E/x', /encoded dot/],
  ['/logs/%2e/x', /encoded dot/],
  ['/logs%2f..%2f_bulk', /dot segment beside an encoded slash/],
  ['/logs/_doc/a%2F.%2Fb', /dot segment beside an encoded slash/],
  ['/logs/_doc/a%2F..', /dot segment beside an encoded slash/],
  ['/logs/_doc/..%2Fa', /dot segment beside an encoded slash/],
  ['/logs/_doc/a%2F%2e%2e%2Fb', /encoded dot/],
  ['/logs/_doc/a%252Fb', /encoded again/],
  ['/logs\\_bulk', /backslash/],
  ['/logs%5C..%5Cx', /encoded backslash/],
  ['/logs%5c_bulk', /encoded backslash/],
  ['/logs%00/_bulk', /control character/],
  ['/logs%0d%0a', /control character/],
  ['/logs%7F', /control character/],
  ['/logs%C2%85', /control character/],
  ['/%255Fbulk', /encoded again/],
  ['/logs%252F_bulk', /encoded again/],
  ['/logs%25%34%31', /needs no encoding/],
  ['/%5Fbulk', /needs no encoding/],
  ['/logs/%5f%62ulk', /needs no encoding/],
  ['/log%73', /needs no encoding/],
  ['/logs%2Da', /needs no encoding/],
  ['/logs%', /malformed escape/],
  ['/logs%4', /malformed escape/],
  ['/logs%/x', /malformed escape/],
  ['/logs%zz', /malformed escape/],
  ['/logs%%41', /malformed escape/],
  ['/logs%u0041', /malformed escape/],
  ['/%C0%AFlogs', /not valid UTF-8/],
  ['/%E0%80%AF', /not valid UTF-8/],
  ['/%ED%A0%80', /not valid UTF-8/],
  ['/%F5%80%80%80', /not valid UTF-8/],
  ['/%C3', /not valid UTF-8/],
  ['/caf\xe9', /not encoded/],
  ['/logs a', /not encoded/],
  ['/logs\x00', /not encoded/],
  [`/${'a/'.repeat(33)}`, /more than 32 segments/],
];

test('what could be read as another path is refused, and says why', () => {
  for (const [raw, detail] of refused) {
    const read = readPath(raw);
    assert.ok('code' in read, `${raw} was accepted`);
    assert.equal(read.code, 'path-ambiguous');
    assert.match(read.detail, detail, raw);
  }
});

const pieces = fc.constantFrom(
  '/',
  '//',
  '.',
  '..',
  '%2F',
  '%2e',
  '%25',
  '%',
  '%00',
  '%C3',
  '%A9',
  '\\',
  '_bulk',
  'logs',
  '*',
  '<',
  '>',
  '{',
  '}',
  'now',
  '%3C',
  '%7B',
  '%7D',
  '%3E',
  '+',
  ';',
  ',',
  'd',
);

test('no path makes it throw, and what it accepts holds no second reading', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((all) => `/${all.join('')}`),
      ),
      (raw) => {
        const read = readPath(raw);
        if ('code' in read) return;
        for (const [at, segment] of read.segments.entries()) {
          if (read.slashed.includes(at)) {
            assert.match(segment, /\//);
            assert.doesNotMatch(segment, /(?:^|\/)\.{1,2}(?:\/|$)/);
          }
          assert.ok(segment !== '' && segment !== '.' && segment !== '..');
          assert.doesNotMatch(segment, /[\p{Cc}\\]|%[0-9A-Fa-f]{2}/u);
          if (!read.slashed.includes(at)) assert.doesNotMatch(segment, /\/(?![yMwdhHms][-+{}])/);
        }
        if (raw !== '*') assert.equal(read.text.split('/').length - 1, Math.max(1, read.segments.length));
      },
    ),
    { numRuns: 2000 },
  );
});

test('encodeURIComponent makes a document id that comes back as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (id) => {
      const read = readPath(`/logs/_doc/${encodeURIComponent(id)}`);
      if (!('code' in read)) assert.equal(read.segments[2], id);
      else assert.match(id, /[\\\p{Cc}]|%[0-9A-Fa-f]{2}|(?:^|\/)\.\.?(?:\/|$)/u);
    }),
    { numRuns: 1000 },
  );
});
