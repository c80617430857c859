import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldValue, methods, plainName, requestHeads, spoiled } from '../../test/support/generated-heads.ts';
import { responseTo } from '../../test/support/head-fixtures.ts';
import { hopByHop } from './field-names.ts';
import { forwardRequest, forwardResponse } from './forward.ts';
import type { Framing } from './framing.ts';
import { parseRequestHead, type RequestHead } from './request-head.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';

const asReceived = { drop: new Set<string>(), add: '', decoded: false };

function request(text: string) {
  const bytes = Buffer.from(text, 'latin1');
  return parseRequestHead(bytes, 0, bytes.length, { maxTarget: 4096, maxFields: 100 });
}

function response(text: string, method: string) {
  const bytes = Buffer.from(text, 'latin1');
  return parseResponseHead(bytes, 0, bytes.length, responseTo(method));
}

function framing(body: 'none' | 'chunked' | number): Framing {
  if (typeof body === 'string') return { kind: body };
  return body === 0 ? { kind: 'none' } : { kind: 'length', length: body };
}

/** What must hold of any accepted head, seen by eyes that don't share a line with the parser. */
function assertUnambiguous(text: string, head: RequestHead | ResponseHead): void {
  assert.doesNotMatch(text, /[^\t\r\n\x20-\x7e\x80-\xff]/, 'a control character');
  assert.doesNotMatch(text, /\r(?!\n)|(?<!\r)\n|\r\n[ \t]/, 'a bare CR or LF, or a fold');
  const lines = text.match(/^(?:content-length|transfer-encoding)\b.*$/gim) ?? [];
  assert.ok(lines.length <= 1, `two framings: ${lines}`);
  if (head.framing.kind === 'chunked')
    assert.match(lines[0] ?? '', /^transfer-encoding:[ \t]*chunked[ \t]*\r?$/i);
  if (head.framing.kind === 'length')
    assert.match(lines[0] ?? '', new RegExp(`:[ \t]*0*${head.framing.length}[ \t]*\r?$`));
}

/** What a proxy is to mend in an answer, mended by other means (RFC 9112, sections 5.1, 5.2 and 6.3). */
function mended(text: string, { interim, status }: ResponseHead): string {
  const joined = text.replace(/(?<=\r\n.+)\r\n[ \t]+/g, ' ');
  const closed = joined.replace(/^([\w!#$%&'*+.^`|~-]+)[ \t]+:/gm, '$1:');
  return interim || status === 204
    ? closed.replace(/^(?:content-length|transfer-encoding):.*\r\n/gim, '')
    : closed;
}

const essence = (head: RequestHead) => [
  head.method,
  head.target,
  head.framing,
  head.contentLength,
  head.expectsContinue,
];

test('any valid request head is read as what it was made from', () => {
  fc.assert(
    fc.property(requestHeads(methods), (made) => {
      const head = request(made.text);
      assert.ok(!('code' in head), JSON.stringify(head));
      assert.deepEqual(
        [head.method, head.target, head.path + head.query, head.version, head.host, head.framing],
        [made.method, made.target, made.target, made.version, made.host, framing(made.body)],
      );
      assert.deepEqual(
        head.fields.list.map(({ name, value }) => ({ name, value })),
        made.fields,
      );
    }),
    { numRuns: 1000 },
  );
});

test('any valid response head is read as what it was made from', () => {
  const made = fc.record({
    status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304),
    reason: fieldValue,
    body: fc.oneof(fc.constant('chunked' as const), fc.nat(), fc.constant('until-close' as const)),
    plain: fc.array(fc.record({ name: plainName, value: fieldValue }), { maxLength: 10 }),
  });
  fc.assert(
    fc.property(made, ({ status, reason, body, plain }) => {
      const fields = plain.map(({ name, value }) => `${name}: ${value}\r\n`).join('');
      const framed = body === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${body}\r\n`;
      const text = `HTTP/1.1 ${status} ${reason}\r\n${fields}${body === 'until-close' ? '' : framed}\r\n`;
      const head = response(text, 'GET');
      assert.ok(!('code' in head), JSON.stringify(head));
      assert.deepEqual([head.status, head.reason], [status, reason]);
      assert.deepEqual(head.framing, body === 'until-close' ? { kind: body } : framing(body));
      assert.equal(forwardResponse(head, asReceived), text);
    }),
    { numRuns: 500 },
  );
});

test('a spoiled request head is refused, or read without doubt and forwarded as the same request', () => {
  fc.assert(
    fc.property(spoiled(requestHeads(methods).map(({ text }) => text)), (text) => {
      const head = request(text);
      if ('code' in head) return;
      assertUnambiguous(text.replace(/^(?:\r\n)+/, ''), head);
      const forwarded = forwardRequest(head, { ...asReceived, host: 'upstream' });
      const again = request(forwarded);
      assert.ok(!('code' in again), forwarded);
      assert.deepEqual(essence(again), essence(head));
      assert.equal(again.host, head.host || 'upstream');
      assert.equal(forwardRequest(again, asReceived), forwarded);
      for (const { key } of again.fields.list)
        assert.ok(key === 'transfer-encoding' || !hopByHop.has(key), key);
    }),
    { numRuns: 3000 },
  );
});

test('a spoiled response head is refused, or read without doubt and forwarded as the same response', () => {
  const sound = fc
    .tuple(
      fc.constantFrom('1.0', '1.1'),
      fc.constantFrom(100, 200, 204, 304, 404),
      fc.constantFrom(0, 1, 2),
      fieldValue,
    )
    .map(([version, status, framed, value]) => {
      const line = ['', 'Content-Length: 7\r\n', 'Transfer-Encoding: chunked\r\n'][framed];
      return `HTTP/${version} ${status} OK\r\nX-A: ${value}\r\n${line}Connection: keep-alive\r\n\r\n`;
    });
  fc.assert(
    fc.property(spoiled(sound), fc.constantFrom('GET', 'HEAD'), (text, method) => {
      const head = response(text, method);
      if ('code' in head) return;
      assertUnambiguous(mended(text, head), head);
      const forwarded = forwardResponse(head, asReceived);
      const again = response(forwarded, method);
      assert.ok(!('code' in again), forwarded);
      assert.deepEqual(
        [again.status, again.reason, again.framing, again.contentLength],
        [head.status, head.reason, head.framing, head.contentLength],
      );
      assert.equal(forwardResponse(again, asReceived), forwarded);
    }),
    { numRuns: 3000 },
  );
});

test('random bytes are refused, never thrown on', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (octets, start) => {
      const bytes = Buffer.from(octets);
      const from = Math.min(start, bytes.length);
      assert.ok('code' in parseRequestHead(bytes, from, bytes.length, { maxTarget: 10, maxFields: 100 }));
      assert.ok('code' in parseResponseHead(bytes, from, bytes.length, responseTo('GET')));
    }),
    { numRuns: 1000 },
  );
});
