/** A page of another origin, under policies: its browser asks first, without credentials, and only asking is opened. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { digestOf } from '../support/body.ts';
import { fetchAsPage, type PageRequest } from '../support/browser.ts';
import { until } from '../support/deadline.ts';
import { readWhole } from '../support/http-peer.ts';
import { answerText, Origin, type Script } from '../support/origin.ts';
import { PolicyProcess } from '../support/policy-process.ts';
import { onEachTransport } from '../support/stand.ts';

const page = 'https://app.example';
const alice = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
const policies = {
  'browsers-ask-first': { order: 1, action: 'allow', match: { endpoints: ['cors.preflight'] } },
  'no-secrets': { order: 2, action: 'deny', match: { indices: ['secret'] } },
  alice: { order: 3, action: 'allow', match: { principals: [{ claimedUsers: ['alice'] }] } },
};
const { 'browsers-ask-first': _left, ...withoutAsking } = policies;

/** As Elasticsearch with http.cors.enabled: preflights are answered, and answers tell who may read them. */
const corsServer: Script = async (peer, _nth, origin) => {
  for (;;) {
    const received = await origin.receive(peer);
    if (received === undefined) break;
    const { head, digest } = received;
    const allowed = `Access-Control-Allow-Origin: ${page}\r\nVary: Origin\r\n`;
    const asks =
      head.line.startsWith('OPTIONS ') && head.field('access-control-request-method') !== undefined;
    const more =
      'Access-Control-Allow-Methods: GET, PUT, DELETE\r\nAccess-Control-Allow-Headers: Authorization, Content-Type\r\n';
    await peer.write(answerText(200, asks ? '' : digest, asks ? allowed + more : allowed));
  }
  peer.end();
};

onEachTransport('a page of another origin', (kind) => {
  const put: PageRequest = {
    origin: page,
    method: 'PUT',
    path: '/logs/_doc/a%2Fb',
    headers: { Authorization: alice, 'Content-Type': 'application/json' },
    body: '{"n":1}',
  };
  const start = (origin: Origin, specs: Record<string, object> = policies) =>
    PolicyProcess.start([origin.port], { policies: specs, transport: kind });

  it('writes and reads with credentials, where a policy lets its browser ask first', async () => {
    await using origin = await Origin.open(corsServer);
    await using running = await start(origin);
    const peer = await running.sluice.client();
    for (const request of [put, { ...put, path: '/logs/_search', method: 'GET', body: undefined }]) {
      const { body, ...rest } = request;
      const fetched = await fetchAsPage(peer, body === undefined ? rest : { ...rest, body });
      assert.deepEqual([fetched.kind, fetched.status], ['response', 200], JSON.stringify(fetched));
    }
    peer.destroy();
    assert.deepEqual(
      origin.received.map(({ head }) => [head.line.split(' ')[0], head.field('authorization')]),
      [
        ['OPTIONS', undefined],
        ['PUT', alice],
        ['OPTIONS', undefined],
        ['GET', alice],
      ],
    );
    assert.equal(origin.received[1]?.digest, digestOf([Buffer.from(put.body ?? '')]));
    await until('all to be logged', () => running.sluice.access.length === 4);
    const [asked] = running.sluice.access;
    assert.deepEqual([asked?.endpoint, asked?.policy], ['cors.preflight', 'browsers-ask-first']);
  });

  it('sends nothing where none does: the browser stops at the refusal of its question', async () => {
    await using origin = await Origin.open(corsServer);
    await using running = await start(origin, withoutAsking);
    const peer = await running.sluice.client();
    const fetched = await fetchAsPage(peer, put);
    peer.destroy();
    assert.deepEqual(fetched, { kind: 'network error', step: 'preflight', status: 401 });
    assert.equal(origin.received.length, 0);
  });

  it('can not read a refusal of its request, which carries no leave to: the browser alone sees the status', async () => {
    await using origin = await Origin.open(corsServer);
    await using running = await start(origin);
    const peer = await running.sluice.client();
    const fetched = await fetchAsPage(peer, { ...put, path: '/secret/_doc/1' });
    assert.deepEqual(fetched, { kind: 'network error', step: 'request', status: 403 });
    peer.destroy();
    const next = await running.sluice.client();
    const other = await fetchAsPage(next, { ...put, origin: 'https://evil.example' });
    assert.deepEqual(
      other,
      { kind: 'network error', step: 'preflight', status: 200 },
      'the server decides who may',
    );
    next.destroy();
  });

  // What does not pass for one is `unknown`, which a policy that denies an index catches as well.
  it('asks, and nothing else passes for a question', async () => {
    await using origin = await Origin.open(corsServer);
    await using running = await start(origin);
    const peer = await running.sluice.client();
    const asks = `Origin: ${page}\r\nAccess-Control-Request-Method: PUT\r\n`;
    for (const [what, line, fields, status] of [
      ['a question', 'OPTIONS /logs/_doc/1', asks, 200],
      ['a question on any path', 'OPTIONS /_cluster/settings?x=y', asks, 200],
      ['another method', 'GET /_cluster/settings', asks, 401],
      ['another method, too', 'DELETE /logs', asks, 401],
      ['without an origin', 'OPTIONS /logs', 'Access-Control-Request-Method: PUT\r\n', 403],
      ['without a method', 'OPTIONS /logs', `Origin: ${page}\r\n`, 403],
      ['two origins', 'OPTIONS /logs', `${asks}Origin: https://evil.example\r\n`, 403],
      ['two methods', 'OPTIONS /logs', `${asks}Access-Control-Request-Method: GET\r\n`, 403],
      ['credentials of another', 'OPTIONS /logs', `${asks}Authorization: Basic Ym9iOng=\r\n`, 403],
      ['a cookie', 'OPTIONS /logs', `${asks}Cookie: a=b\r\n`, 403],
      ['a field that does not reach the server', 'OPTIONS /logs', `${asks}Connection: origin\r\n`, 403],
      ['an ambiguous path', 'OPTIONS /logs/../_all', asks, 400],
    ] as const) {
      const before = origin.received.length;
      await peer.write(`${line} HTTP/1.1\r\nHost: es\r\n${fields}\r\n`);
      assert.equal((await readWhole(peer)).head.status, status, what);
      assert.equal(origin.received.length - before, status === 200 ? 1 : 0, what);
    }
    peer.destroy();
    const posing = await running.sluice.client();
    await posing.write(`OPTIONS /logs/_bulk HTTP/1.1\r\nHost: es\r\n${asks}Content-Length: 5\r\n\r\nhello`);
    assert.equal((await readWhole(posing)).head.status, 403, 'a body');
    posing.destroy();
  });
});
