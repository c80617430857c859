import assert from 'node:assert/strict';
import { test } from 'node:test';
import { responseTo } from '../../test/support/head-fixtures.ts';
import { failure } from '../errors.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';

function parse(text: string, method = 'GET'): ResponseHead {
  const bytes = Buffer.from(text, 'latin1');
  const head = parseResponseHead(bytes, 0, bytes.length, responseTo(method));
  assert.ok(!('code' in head), JSON.stringify(head));
  return head;
}

const ok = (fields: string, method = 'GET', status = 200): ResponseHead =>
  parse(`HTTP/1.1 ${status} X\r\n${fields}\r\n`, method);

test('the body of a response ends as RFC 9112, section 6.3, says', () => {
  assert.deepEqual(ok('Content-Length: 5\r\n').framing, { kind: 'length', length: 5 });
  assert.deepEqual(ok('Content-Length: 0\r\n').framing, { kind: 'none' });
  assert.deepEqual(ok('Transfer-Encoding: chunked\r\n').framing, { kind: 'chunked' });
  assert.deepEqual(ok('').framing, { kind: 'until-close' });
});

test('an answer to HEAD and a 304 have no body, whatever length they tell', () => {
  for (const head of [ok('Content-Length: 500\r\n', 'HEAD'), ok('Content-Length: 500\r\n', 'GET', 304)]) {
    assert.deepEqual([head.framing.kind, head.contentLength, head.persistent], ['none', 500, true]);
  }
  assert.equal(ok('Transfer-Encoding: chunked\r\n', 'HEAD').framing.kind, 'none');
  assert.equal(ok('', 'HEAD').framing.kind, 'none');
});

test('204 and 1xx have no body and tell no length', () => {
  for (const status of [100, 103, 204]) {
    const head = ok('', 'POST', status);
    assert.deepEqual([head.framing.kind, head.contentLength], ['none', undefined]);
    assert.equal(head.interim, status < 200);
  }
  assert.equal(ok('Content-Length: 0\r\n', 'GET', 204).contentLength, undefined);
});

test('a connection that a body uses up until its close is never persistent', () => {
  assert.equal(ok('Connection: keep-alive\r\n').persistent, false);
  assert.equal(ok('Content-Length: 1\r\n').persistent, true);
  assert.equal(ok('Content-Length: 1\r\nConnection: close\r\n').persistent, false);
  assert.equal(parse('HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n').persistent, false);
});

test('what a server has written wrongly and a proxy is to mend is read, and puts the connection in doubt where it is of the framing', () => {
  const spaced = ok('Warning : 299 a\r\nX-A\t : b\r\n c\r\n\t\r\n  d \r\nContent-Length: 1\r\n');
  assert.deepEqual(
    spaced.fields.list.map(({ name, value }) => [name, value]),
    [
      ['Warning', '299 a'],
      ['X-A', 'b c d'],
      ['Content-Length', '1'],
    ],
  );
  assert.equal(spaced.persistent, true);
  const length = ok('Content-Length : 5\r\n');
  assert.deepEqual([length.framing, length.persistent], [{ kind: 'length', length: 5 }, false]);
  const chunked = ok('Transfer-Encoding : chunked\r\n');
  assert.deepEqual([chunked.framing.kind, chunked.persistent], ['chunked', false]);
  assert.equal(ok('Connection : close\r\nContent-Length: 5\r\n').persistent, false);
});

test('a body that 204 or 1xx declare, in whatever way, is none, and nothing else comes on the connection', () => {
  for (const status of [103, 204]) {
    for (const fields of [
      'Content-Length: 5\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
      'Content-Length: x\r\n',
    ]) {
      const head = ok(fields, 'POST', status);
      assert.deepEqual(
        [head.framing.kind, head.contentLength, head.persistent],
        ['none', undefined, false],
        fields,
      );
    }
    assert.equal(ok('Content-Length: 0\r\n', 'POST', status).persistent, true);
  }
});

test('too many fields name the setting', () => {
  const head = (count: number) => {
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\n${'Warning: 299 a\r\n'.repeat(count)}\r\n`);
    return parseResponseHead(bytes, 0, bytes.length, { method: 'GET', maxFields: 300 });
  };
  assert.ok('status' in head(300));
  const detail = 'more than 300 fields (limits.responseHeadFields)';
  assert.deepEqual(head(301), failure('upstream-too-many-fields', detail));
});

test('the reason is kept as it came, also when there is none', () => {
  assert.equal(parse('HTTP/1.1 404 Not  Found \r\nContent-Length: 0\r\n\r\n').reason, 'Not  Found ');
  assert.equal(parse('HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n').reason, '');
  assert.equal(parse('HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n').reason, '');
});
