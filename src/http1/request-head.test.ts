import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuOf } from '../../test/support/work.ts';
import { type Failure, failure } from '../errors.ts';
import { parseRequestHead, type RequestHead, refuseLargeHead } from './request-head.ts';

const parse = (text: string): RequestHead | Failure => {
  const bytes = Buffer.from(text, 'latin1');
  return parseRequestHead(bytes, 0, bytes.length, { maxTarget: 64, maxFields: 100 });
};

function accepted(text: string): RequestHead {
  const head = parse(text);
  assert.ok(!('code' in head), JSON.stringify(head));
  return head;
}

const get = (fields: string, version = '1.1'): RequestHead =>
  accepted(`GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`);

test('the path and the query are the raw target, nothing decoded and nothing normalised', () => {
  const head = accepted('GET /a%2Fb/../_search?q=a?b%20c HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(head.path, '/a%2Fb/../_search');
  assert.equal(head.query, '?q=a?b%20c');
  assert.equal(head.target, head.path + head.query);
});

test('an absolute-form target becomes origin-form and its authority overrides Host', () => {
  const rows: [string, string, string][] = [
    ['GET http://es:9200/_search?q=a', '/_search?q=a', 'es:9200'],
    ['GET HTTPS://es', '/', 'es'],
    ['GET http://es?q=a', '/?q=a', 'es'],
    ['OPTIONS http://es', '*', 'es'],
    ['OPTIONS http://es/', '/', 'es'],
    ['GET http://[::1]:9200//a', '//a', '[::1]:9200'],
  ];
  for (const [line, target, host] of rows) {
    const head = accepted(`${line} HTTP/1.1\r\nHost: other\r\n\r\n`);
    assert.deepEqual([head.target, head.host], [target, host], line);
  }
});

test('a name with _ that stands for another field, a vital one or a hop-by-hop one is dropped', () => {
  const head = get(
    'X-A: 1\r\nx_a: 2\r\nX_Forwarded_For: 3\r\nTransfer_Encoding: chunked\r\na_b-c: 4\r\na-b_c: 5\r\n',
  );
  assert.deepEqual(
    head.fields.list.map((field) => field.key),
    ['host', 'x-a'],
  );
  assert.equal(head.framing.kind, 'none');
});

test('a name with _ that stands for nothing else is kept, also twice', () => {
  assert.equal(get('security_tenant: a\r\nSecurity_Tenant: b\r\n').fields.count('security_tenant'), 2);
});

test('the client keeps its connection open by default in HTTP/1.1 and on demand in HTTP/1.0', () => {
  assert.equal(get('').persistent, true);
  assert.equal(get('Connection: x, CLOSE\r\n').persistent, false);
  assert.equal(get('Connection: keep-alive\r\nConnection: close\r\n').persistent, false);
  assert.equal(get('', '1.0').persistent, false);
  assert.equal(get('Connection: Keep-Alive\r\n', '1.0').persistent, true);
  assert.equal(get('Connection: close, keep-alive\r\n', '1.0').persistent, false);
});

test('blanks around a Connection option are SP and HTAB alone', () => {
  assert.deepEqual(get('Connection: a \t,, \tb,\xa0close\r\n').connection, ['a', 'b', '\xa0close']);
});

test('100-continue is expected of HTTP/1.1 alone', () => {
  const fields = 'Content-Length: 1\r\nExpect: 100-CONTINUE\r\n';
  assert.equal(get(fields).expectsContinue, true);
  assert.equal(get(fields, '1.0').expectsContinue, false);
});

test('a declared length of 0 is no body, and still a declared length', () => {
  const head = get('Content-Length: 0\r\n');
  assert.deepEqual([head.framing, head.contentLength], [{ kind: 'none' }, 0]);
  const largest = get(`Content-Length: ${Number.MAX_SAFE_INTEGER}\r\n`);
  assert.deepEqual(largest.framing, { kind: 'length', length: Number.MAX_SAFE_INTEGER });
});

test('a target of exactly the limit is accepted', () => {
  const at = (length: number) => parse(`GET /${'a'.repeat(length - 1)} HTTP/1.1\r\nHost: a\r\n\r\n`);
  assert.ok('target' in at(64));
  const detail = 'the target is longer than 64 bytes (limits.targetBytes)';
  assert.deepEqual(at(65), failure('target-too-long', detail));
});

test('as many fields as the limit are accepted, and one more names the setting', () => {
  const of = (count: number) => parse(`GET / HTTP/1.1\r\nHost: a\r\n${'X: a\r\n'.repeat(count - 1)}\r\n`);
  assert.ok('target' in of(100));
  assert.deepEqual(of(101), failure('too-many-fields', 'more than 100 fields (limits.headFields)'));
});

test('a head that outgrew its limit is told by the limit it has hit, of the target or of the whole', () => {
  const limits = { maxHead: 8000, maxTarget: 7990 };
  const refuse = (text: string) => refuseLargeHead(Buffer.from(`\r\n${text}`), 2, text.length + 2, limits);
  const target = failure('target-too-long', 'the target is longer than 7990 bytes (limits.targetBytes)');
  const whole = failure('head-too-large', 'longer than 8000 bytes (limits.headBytes)');
  assert.deepEqual(refuse(`GET /${'a'.repeat(9000)}`), target);
  assert.deepEqual(refuse(`\r\nGET /${'a'.repeat(9000)}`), target);
  assert.deepEqual(refuse(`GET /${'a'.repeat(9000)} HTTP/1.1\r\n`), target);
  assert.deepEqual(refuse(`DELETE /_search?${'a'.repeat(7970)} HTTP/1.`), whole);
  assert.deepEqual(refuse(`GET / HTTP/1.1\r\nX: ${'a'.repeat(9000)}`), whole);
  assert.deepEqual(refuse(`G${'E'.repeat(9000)}`), whole);
  assert.deepEqual(refuse(`NOTHING\r\nX: ${'a'.repeat(9000)}`), whole);
});

test('no detail repeats what was received', () => {
  for (const secret of [
    'Authorization: Basic s3cret\x00',
    'Host: s3cret@b',
    'Content-Length: s3cret',
    's3cret : a',
  ]) {
    const head = parse(`GET / HTTP/1.1\r\n${secret}\r\n\r\n`);
    assert.ok('code' in head && !head.detail.includes('s3cret'), secret);
  }
});

test('a head of nothing but blanks and commas is refused or read in linear time', () => {
  const blanks = ' '.repeat(60_000);
  const cpu = cpuOf(() => {
    get(`Connection: a${blanks}b\r\nX: ${blanks}\r\n`);
    parse(`GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: a${blanks}b,${','.repeat(60_000)}\r\n\r\n`);
  });
  assert.ok(cpu < 1000, `${cpu} ms`);
});
