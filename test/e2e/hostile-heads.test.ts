/** Heads that two parsers could read differently: refused, recorded once, and nothing of them reaches a server. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { errors } from '../../src/errors.ts';
import { until } from '../support/deadline.ts';
import { headFixtures } from '../support/head-fixtures.ts';
import { readAnswer, readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

/** Refused by the parser, which gets bytes as a whole; on a connection they are cut into heads first. */
const cutApart: ReadonlySet<string> = new Set([
  'many-empty-lines-first',
  'no-request-line',
  'second-head-behind-the-empty-line',
]);

const get = 'GET /next HTTP/1.1\r\nHost: es\r\n\r\n';

onEachTransport('a hostile head', (kind) => {
  it('each bad fixture gets its status and a close, one record, and no connection upstream', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts: { head: 300 } });
    for (const { name, bytes, expected } of headFixtures('request')) {
      if (expected === undefined || cutApart.has(name)) continue;
      const before = stand.exchanges.length;
      const client = await stand.client();
      await client.write(bytes);
      const complete = bytes.includes('\r\n\r\n');
      if (complete) await client.write(get);
      const answer = await readWhole(client);
      // A head without its end is still being waited for when its time is up; on the wire the rest of it is cut off.
      const wanted = complete ? [errors[expected].status] : [errors[expected].status, 408];
      assert.ok(wanted.includes(answer.head.status), `${name}: ${answer.head.status}, not ${wanted}`);
      assert.equal(answer.head.field('connection'), 'close', name);
      assert.equal(JSON.parse(answer.text).status, answer.head.status, name);
      assert.equal((await readAnswer(client)).kind, 'none', `${name}: more than one answer`);
      client.destroy();
      await until('one record', () => stand.exchanges.length === before + 1);
      assert.equal(stand.exchanges.at(-1)?.status, answer.head.status, name);
    }
    assert.deepEqual([origin.accepted, stand.proxy.inFlight], [0, 0]);
  });

  it('each good fixture reaches the server as one request', async () => {
    await using origin = await Origin.open(
      answering(({ head }) => answerText(200, head.method === 'HEAD' ? '' : 'ok')),
    );
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: { threshold: 2 ** 50 } });
    let sent = 0;
    for (const { name, bytes, expected } of headFixtures('request')) {
      if (expected !== undefined) continue;
      const client = await stand.client();
      await client.write(bytes);
      const head = bytes.toString('latin1');
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (/^transfer-encoding:/im.test(head)) await client.write('0\r\n\r\n');
      else await client.write('x'.repeat(length));
      assert.equal((await readWhole(client)).head.status, 200, name);
      client.destroy();
      sent += 1;
    }
    assert.deepEqual([origin.received.length, origin.faults], [sent, []]);
  });

  for (const [what, request, status] of [
    [
      'a request in the body of CL+TE',
      `POST / HTTP/1.1\r\nHost: es\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${get}`,
      400,
    ],
    [
      'a request behind TE.TE with a disguised second',
      `POST / HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n${get}`,
      400,
    ],
    [
      'a request behind a space before the colon',
      `POST / HTTP/1.1\r\nHost: es\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${get}`,
      400,
    ],
    [
      'a request behind a folded Transfer-Encoding',
      `POST / HTTP/1.1\r\nHost: es\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n${get}`,
      400,
    ],
    ['chunked in HTTP/1.0', `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${get}`, 400],
  ] as const) {
    it(`${what} is not passed on`, async () => {
      await using origin = await Origin.open();
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      await client.write(request);
      assert.equal((await readWhole(client)).head.status, status);
      assert.equal((await readAnswer(client)).kind, 'none');
      assert.deepEqual([origin.accepted, stand.exchanges.length], [0, 1]);
    });
  }

  it('the body of a chunked DELETE or GET is a body, not the next request', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    for (const method of ['DELETE', 'GET', 'OPTIONS']) {
      const client = await stand.client();
      const inner = get.length.toString(16);
      await client.write(
        `${method} /i HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n${inner}\r\n${get}\r\n0\r\n\r\n`,
      );
      assert.equal((await readWhole(client)).head.status, 200);
    }
    assert.deepEqual(
      origin.received.map(({ head, digest }) => [head.target, digest.startsWith(`${get.length} bytes`)]),
      [
        ['/i', true],
        ['/i', true],
        ['/i', true],
      ],
    );
  });

  it('Connection can not have the framing, the host or the credentials removed', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(
      'POST / HTTP/1.1\r\nHost: es\r\nAuthorization: Basic eDp5\r\nX-Hop: 1\r\nContent-Length: 5\r\n' +
        'Connection: close, Content-Length, Host, Authorization, X-Forwarded-For, X-Hop\r\n\r\nhello',
    );
    await readWhole(client);
    const { head, digest } = origin.received[0]!;
    assert.ok(digest.startsWith('5 bytes'));
    assert.deepEqual(
      ['host', 'authorization', 'x-forwarded-for', 'x-hop', 'connection'].map((name) => head.field(name)),
      ['es', 'Basic eDp5', '127.0.0.1', undefined, undefined],
    );
  });
});
