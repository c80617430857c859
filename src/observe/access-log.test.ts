import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { patience } from '../../test/support/deadline.ts';
import { failure } from '../errors.ts';
import { beginExchange, type Exchange } from '../exchange.ts';
import { accessLine, createAccessLog } from './access-log.ts';

function upload(): Exchange {
  const exchange = beginExchange('id-1', '10.0.0.9', 51_234);
  return Object.assign(exchange, {
    method: 'POST',
    path: '/_bulk',
    userAgent: 'client/1.0',
    status: 200,
    request: { framing: 'length', declared: 1000, bytes: 1000, spliced: 900, copied: 100 },
    response: { framing: 'chunked', declared: undefined, bytes: 27, spliced: 0, copied: 27 },
    cluster: 'default',
    node: '10.0.0.1:9200',
    transport: 'engine',
    attempts: 2,
    reused: true,
    connectedAfter: 0.12345,
    firstByteAfter: 12.5,
    endedAfter: 13,
    rtt: 120,
    retransmits: 0,
  } satisfies Partial<Exchange>);
}

test('what was judged is told: endpoint, policy, principal, audits, and the wait', () => {
  const exchange = Object.assign(upload(), {
    endpoint: 'bulk',
    policy: 'team-a-writes',
    principal: 'user a"b?',
    audited: ['no-deletes'],
    queuedFor: 12.5,
  });
  assert.partialDeepStrictEqual(JSON.parse(accessLine(exchange)), {
    endpoint: 'bulk',
    policy: 'team-a-writes',
    principal: 'user a"b?',
    audited: ['no-deletes'],
    queued_ms: 12.5,
  });
});

test('credentials that are refused before any policy is asked name somebody all the same', () => {
  const exchange = Object.assign(beginExchange('id-3', '10.0.0.9', 1), {
    status: 401,
    principal: `user ${'"\u2028\u0000\n'.repeat(1000)}?`,
    failure: failure('unauthenticated'),
  });
  const line = accessLine(exchange);
  const { principal, policy } = JSON.parse(line);
  assert.deepEqual([principal.length, policy], [256, undefined]);
  assert.equal(line.indexOf('\n'), line.length - 1);
});

test('a line is the record, key by key', () => {
  const exchange = upload();
  assert.deepEqual(JSON.parse(accessLine(exchange)), {
    time: exchange.startedWall,
    id: 'id-1',
    client: '10.0.0.9',
    port: 51_234,
    method: 'POST',
    path: '/_bulk',
    http: '1.1',
    agent: 'client/1.0',
    status: 200,
    request: { framing: 'length', bytes: 1000, spliced: 900, copied: 100 },
    response: { framing: 'chunked', bytes: 27, spliced: 0, copied: 27 },
    cluster: 'default',
    node: '10.0.0.1:9200',
    transport: 'engine',
    attempts: 2,
    reused: true,
    connect_ms: 0.123,
    first_byte_ms: 12.5,
    total_ms: 13,
    rtt_us: 120,
    retransmits: 0,
    end: 'complete',
  });
});

test('a failure names its code, its side and what was wrong; a cut body what was declared', () => {
  const exchange = Object.assign(upload(), { failure: failure('client-gone') });
  exchange.request.bytes = 400;
  const line = JSON.parse(accessLine(exchange));
  assert.partialDeepStrictEqual(line, {
    end: 'client-gone',
    side: 'client',
    request: { declared: 1000, bytes: 400 },
  });
  assert.match(line.detail, /closed the connection/);
});

test('a head that was never understood still makes a whole line', () => {
  const exchange = beginExchange('id-2', '::1', 1);
  Object.assign(exchange, { status: 400, failure: failure('request-line-malformed') });
  const line = JSON.parse(accessLine(exchange));
  assert.deepEqual(Object.keys(line), [
    'time',
    'id',
    'client',
    'port',
    'status',
    'request',
    'response',
    'total_ms',
    'end',
    'side',
    'detail',
  ]);
});

test('whatever a client writes into id, path and agent, it is one line of JSON, and bounded', () => {
  const text = fc.string({ unit: 'binary', maxLength: 5000 });
  fc.assert(
    fc.property(text, text, text, (id, path, userAgent) => {
      const line = accessLine(Object.assign(upload(), { id, path: `/${path}`, userAgent }));
      assert.equal(line.indexOf('\n'), line.length - 1);
      assert.ok(Buffer.byteLength(line) < 32_768, 'fits the room of the batch');
      JSON.parse(line);
    }),
  );
});

test('every key of a line stands in docs/access-log.md', () => {
  const documented = new Set(
    [
      ...readFileSync(new URL('../../docs/access-log.md', import.meta.url), 'utf8').matchAll(/`([a-z_]+)`/g),
    ].map(([, key]) => key),
  );
  const exchange = Object.assign(upload(), { failure: failure('internal') });
  exchange.request.bytes = 1;
  const line = JSON.parse(accessLine(exchange));
  for (const key of [...Object.keys(line), ...Object.keys(line.request)]) {
    assert.ok(documented.has(key), `${key} is not documented`);
  }
});

test('every line is in the file once the log is closed, in order, through a rotation', {
  timeout: patience,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
  try {
    const file = join(folder, 'access.log');
    const log = createAccessLog(file, assert.fail);
    const exchange = upload();
    for (let number = 0; number < 5000; number++) {
      if (number === 2500) {
        log.flush();
        // The rotation comes while lines are still on their way.
        renameSync(file, `${file}.1`);
        log.reopen();
      }
      log.ended(Object.assign(exchange, { peerPort: number }));
    }
    await log.close();
    log.ended(exchange);
    const lines = [`${file}.1`, file].flatMap((one) => readFileSync(one, 'utf8').split('\n').slice(0, -1));
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).port),
      Array.from({ length: 5000 }, (_, number) => number),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('lines are written within about a second without being asked for', { timeout: patience }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
  const file = join(folder, 'access.log');
  const log = createAccessLog(file, assert.fail);
  try {
    log.ended(upload());
    const deadline = performance.now() + 5000;
    while (readFileSync(file, 'utf8') === '' && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.match(readFileSync(file, 'utf8'), /"end":"complete"\}\n$/);
  } finally {
    await log.close();
    rmSync(folder, { recursive: true });
  }
});

test('a log that can not be opened is a mistake at start-up', () => {
  assert.throws(() => createAccessLog('/nowhere/access.log'), /ENOENT/);
});

test('a full disk is told once and takes nothing else down', { timeout: patience }, async () => {
  const told: string[] = [];
  const log = createAccessLog('/dev/full', (why) => told.push(why));
  for (let round = 0; round < 3; round++) {
    log.ended(upload());
    log.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await log.close();
  assert.equal(told.length, 1);
  assert.match(told[0]!, /ENOSPC/);
});
