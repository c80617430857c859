import assert from 'node:assert/strict';
import { test } from 'node:test';
import { responseTo } from '../../test/support/head-fixtures.ts';
import { forwardRequest, forwardResponse } from './forward.ts';
import { parseRequestHead } from './request-head.ts';
import { parseResponseHead } from './response-head.ts';

const none: ReadonlySet<string> = new Set();

function request(text: string, options: Partial<Parameters<typeof forwardRequest>[1]> = {}): string {
  const bytes = Buffer.from(text, 'latin1');
  const head = parseRequestHead(bytes, 0, bytes.length, { maxTarget: 4096, maxFields: 100 });
  assert.ok(!('code' in head), JSON.stringify(head));
  return forwardRequest(head, { drop: none, add: '', ...options });
}

function response(
  text: string,
  options: Partial<Parameters<typeof forwardResponse>[1]> = {},
  method = 'GET',
): string {
  const bytes = Buffer.from(text, 'latin1');
  const head = parseResponseHead(bytes, 0, bytes.length, responseTo(method));
  assert.ok(!('code' in head), JSON.stringify(head));
  return forwardResponse(head, { drop: none, add: '', decoded: false, ...options });
}

test('a request goes on with Host first, its fields as they came, canonical framing and what is added', () => {
  assert.equal(
    request(
      'POST /a?b HTTP/1.1\r\nX-B:  1 \r\ncontent-length: 007\r\nx-a: 2\r\nHost: es\r\nX-B: caf\xe9\r\n\r\n',
      {
        add: 'Via: 1.1 sluice\r\n',
      },
    ),
    'POST /a?b HTTP/1.1\r\nHost: es\r\nX-B: 1\r\nx-a: 2\r\nX-B: caf\xe9\r\nContent-Length: 7\r\nVia: 1.1 sluice\r\n\r\n',
  );
});

test('no hop-by-hop field and none that Connection names goes on, nor a way up to HTTP/2', () => {
  assert.equal(
    request(
      'GET / HTTP/1.1\r\nHost: es\r\nConnection: Upgrade, HTTP2-Settings, X-Hop\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n' +
        'x-hop: a\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nX-End: a\r\n\r\n',
    ),
    'GET / HTTP/1.1\r\nHost: es\r\nX-End: a\r\n\r\n',
  );
});

test('Connection can not have a vital field removed', () => {
  const text = request(
    'POST / HTTP/1.1\r\nHost: es\r\nAuthorization: a\r\nX-Forwarded-For: b\r\nExpect: 100-continue\r\nContent-Length: 3\r\n' +
      'Content-Type: c\r\nConnection: host, authorization, x-forwarded-for, expect, content-length, content-type\r\n\r\n',
  );
  for (const kept of [
    'Host: es',
    'Authorization: a',
    'X-Forwarded-For: b',
    'Expect: 100-continue',
    'Content-Length: 3',
  ]) {
    assert.ok(text.includes(`\r\n${kept}\r\n`), kept);
  }
  assert.ok(text.includes('\r\nContent-Type: c\r\n'));
});

test('the keys in drop are left out', () => {
  const drop = new Set(['x-forwarded-for']);
  const text = request('GET / HTTP/1.1\r\nHost: es\r\nX-Forwarded-FOR: a\r\nX-End: a\r\n\r\n', {
    drop,
    add: 'X-Forwarded-For: b\r\n',
  });
  assert.equal(text, 'GET / HTTP/1.1\r\nHost: es\r\nX-End: a\r\nX-Forwarded-For: b\r\n\r\n');
});

test('an HTTP/1.0 request goes on as HTTP/1.1, with a Host and without Expect', () => {
  const text = request('POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n', {
    host: 'node:9200',
  });
  assert.equal(text, 'POST / HTTP/1.1\r\nHost: node:9200\r\nContent-Length: 1\r\n\r\n');
});

test('a response goes on as HTTP/1.1 with everything that is not for this hop', () => {
  assert.equal(
    response(
      'HTTP/1.0 200 Fine\r\nX-elastic-product: Elasticsearch\r\nConnection: keep-alive, X-Hop, X-Elastic-Product\r\nX-Hop: a\r\n' +
        'Keep-Alive: timeout=9\r\nContent-Length: 2\r\nETag: "a"\r\n\r\n',
      { add: 'Keep-Alive: timeout=60\r\n' },
    ),
    'HTTP/1.1 200 Fine\r\nX-elastic-product: Elasticsearch\r\nETag: "a"\r\nContent-Length: 2\r\nKeep-Alive: timeout=60\r\n\r\n',
  );
});

test('decoding removes the chunked coding and leaves a length as it is', () => {
  const decoded = { decoded: true };
  assert.equal(
    response('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', decoded),
    'HTTP/1.1 200 OK\r\n\r\n',
  );
  assert.equal(
    response('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', decoded),
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n',
  );
});

test('the length of a body not sent is kept on HEAD and 304, and none is told on 204, 1xx and until close', () => {
  const told = (status: string, method = 'GET', fields = 'Content-Length: 9\r\n') =>
    response(`HTTP/1.1 ${status}\r\n${fields}\r\n`, {}, method).includes('Content-Length');
  assert.equal(told('200 OK', 'HEAD'), true);
  assert.equal(told('304 Not Modified'), true);
  assert.equal(told('204 No Content', 'GET', 'Content-Length: 0\r\n'), false);
  assert.equal(told('100 Continue', 'GET', 'Content-Length: 0\r\n'), false);
  assert.equal(response('HTTP/1.1 200 OK\r\n\r\n'), 'HTTP/1.1 200 OK\r\n\r\n');
});
