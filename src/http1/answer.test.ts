import assert from 'node:assert/strict';
import { test } from 'node:test';
import { responseTo } from '../../test/support/head-fixtures.ts';
import { failure } from '../errors.ts';
import { writeAnswer } from './answer.ts';
import { connectionLines } from './connection-lines.ts';
import { parseResponseHead } from './response-head.ts';

const options = { requestId: 'r-1', connection: connectionLines(false, 0), method: 'POST' };

/** The answer as a client reads it: through the strict parser. */
function read(text: string, method = 'POST') {
  const bytes = Buffer.from(text, 'latin1');
  const end = bytes.indexOf('\r\n\r\n') + 4;
  const head = parseResponseHead(bytes, 0, end, responseTo(method));
  assert.ok(!('code' in head), JSON.stringify(head));
  return { head, body: bytes.subarray(end).toString('utf8') };
}

test('an answer is the JSON that the official clients read an error type, reason and status from', () => {
  const { head, body } = read(writeAnswer(400, failure('framing-ambiguous', 'two lengths'), options));
  const cause = { type: 'sluice_framing_ambiguous', reason: 'two lengths' };
  assert.deepEqual(JSON.parse(body), { error: { root_cause: [cause], ...cause }, status: 400 });
  assert.equal(head.contentLength, Buffer.byteLength(body));
  assert.equal(head.reason, 'Bad Request');
  assert.equal(head.fields.get('content-type'), 'application/json');
  assert.equal(head.fields.get('x-request-id'), 'r-1');
  assert.equal(head.fields.has('x-elastic-product'), false);
});

test('the length is right where the detail is not ASCII', () => {
  const { head, body } = read(writeAnswer(400, failure('target-malformed', 'caf\xe9 \u4e2d'), options));
  assert.equal(head.contentLength, body.length);
  assert.equal(JSON.parse(body).error.reason, 'caf\xe9 \u4e2d');
});

test('a client does not learn the addresses of the servers', () => {
  const text = writeAnswer(502, failure('upstream-refused', 'connect ECONNREFUSED 10.0.0.3:9200'), options);
  assert.ok(!text.includes('10.0.0.3'));
});

test('HEAD is answered with the head alone, and the length the body would have', () => {
  const whole = read(writeAnswer(503, failure('no-node'), options));
  const { head, body } = read(writeAnswer(503, failure('no-node'), { ...options, method: 'HEAD' }), 'HEAD');
  assert.deepEqual([body, head.contentLength], ['', whole.head.contentLength]);
});

test('overload says when to come back, and nothing else does', () => {
  for (const status of [400, 429, 502, 503, 504]) {
    const { head } = read(writeAnswer(status, failure('no-node'), options));
    assert.equal(head.fields.get('retry-after'), status === 429 || status === 503 ? '1' : undefined);
  }
});

test('the connection closes unless it is kept, and is told so in words that HTTP/1.0 knows', () => {
  assert.deepEqual(read(writeAnswer(503, failure('no-node'), options)).head.connection, ['close']);
  const connection = connectionLines(true, 300_000);
  const { head } = read(writeAnswer(503, failure('no-node'), { ...options, connection }));
  assert.deepEqual([head.connection, head.fields.get('keep-alive')], [['keep-alive'], 'timeout=295']);
});
