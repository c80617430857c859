/** What a request and an answer carry on the far side: Sluice's own fields, and all others byte for byte. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { accessLine } from '../../src/observe/access-log.ts';
import type { TrustSetting } from '../../src/proxy/trust.ts';
import { readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin } from '../support/origin.ts';
import { PolicyStand } from '../support/policy-stand.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

onEachTransport('a forwarded message', (kind) => {
  const ask = async (fields: string, trust: TrustSetting = 'none') => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], trust });
    const client = await stand.client();
    await client.write(`GET /a%2Fb?q=%20 HTTP/1.1\r\nHost: es.example:9200\r\n${fields}\r\n`);
    const answer = await readWhole(client);
    const exchange = await stand.ended();
    const { pseudonym } = stand;
    return { request: origin.received[0]!.head, answer: answer.head, exchange, pseudonym };
  };

  it('says for whom, how and through whom, and believes no claim of the client', async () => {
    const claims =
      'X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n' +
      'X-Real-IP: 6.6.6.6\r\nX-Forwarded-Port: 1\r\n';
    for (const fields of ['', claims]) {
      const { request, pseudonym } = await ask(fields);
      assert.equal(request.line, 'GET /a%2Fb?q=%20 HTTP/1.1');
      assert.deepEqual(
        [
          'host',
          'x-forwarded-for',
          'x-forwarded-proto',
          'x-forwarded-host',
          'via',
          'forwarded',
          'x-real-ip',
          'x-forwarded-port',
        ].map((name) => request.field(name)),
        [
          'es.example:9200',
          '127.0.0.1',
          'http',
          'es.example:9200',
          `1.1 ${pseudonym}`,
          undefined,
          undefined,
          undefined,
        ],
      );
    }
  });

  it('adds to what proxies before it have said, where these are trusted', async () => {
    const said =
      'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nVia: 1.0 a\r\nVia: 1.1 b\r\n';
    const { request, pseudonym } = await ask(said, 'all');
    assert.deepEqual(
      ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'via'].map((name) => request.field(name)),
      ['1.2.3.4, 10.0.0.1, 127.0.0.1', 'https', 'es.example:9200', `1.0 a, 1.1 b, 1.1 ${pseudonym}`],
    );
  });

  const said =
    'X-Forwarded-For: 6.6.6.6, 203.0.113.5\r\nX-Forwarded-For: 10.0.0.7\r\nX-Proxy-User: alice\r\nX-Forwarded-Proto: https\r\n';

  it('from a proxy of our own is from the right-most address that is none, and the server hears of all', async () => {
    const { request, exchange } = await ask(said, ['127.0.0.0/8', '10.0.0.0/8']);
    assert.deepEqual([exchange.clientAddress, exchange.peerAddress], ['203.0.113.5', '127.0.0.1']);
    assert.deepEqual(
      ['x-forwarded-for', 'x-forwarded-proto', 'x-proxy-user'].map((name) => request.field(name)),
      ['6.6.6.6, 203.0.113.5, 10.0.0.7, 127.0.0.1', 'https', 'alice'],
    );
    const line = JSON.parse(accessLine(exchange));
    assert.deepEqual([line.client, line.peer, line.port], ['203.0.113.5', '127.0.0.1', exchange.peerPort]);
  });

  it('from anybody else is from the peer, and says nothing of another client or user', async () => {
    for (const trust of [['10.0.0.0/8', '203.0.113.5'], 'none'] as const) {
      const { request, exchange } = await ask(said, trust);
      assert.deepEqual([exchange.clientAddress, exchange.peerAddress], ['127.0.0.1', '127.0.0.1']);
      assert.deepEqual(
        ['x-forwarded-for', 'x-forwarded-proto', 'x-proxy-user'].map((name) => request.field(name)),
        ['127.0.0.1', 'http', undefined],
      );
      assert.equal(JSON.parse(accessLine(exchange)).peer, undefined);
    }
  });

  it('that names no client is from the last proxy that is known', async () => {
    for (const [entries, expected] of [
      ['203.0.113.5, unknown', '127.0.0.1'],
      ['203.0.113.5, unknown, 10.0.0.7', '10.0.0.7'],
      ['203.0.113.5:4711, [10.0.0.7]:80', '127.0.0.1'],
      ['203.0.113.5:4711, 10.0.0.7:80', '203.0.113.5'],
    ] as const) {
      const { exchange } = await ask(`X-Forwarded-For: ${entries}\r\n`, ['127.0.0.1', '10.0.0.0/8']);
      assert.equal(exchange.clientAddress, expected, entries);
    }
  });

  it('is judged by that address: `sources` can not be forged past a proxy', async () => {
    const policies = { inside: { action: 'allow', match: { sources: ['203.0.113.0/24'] } } };
    await using origin = await Origin.open();
    for (const [trust, entries, status] of [
      [['127.0.0.1'], '6.6.6.6, 203.0.113.5', 200],
      [['127.0.0.1'], '203.0.113.5, 6.6.6.6', 403],
      [['10.0.0.0/8'], '203.0.113.5', 403],
      ['none', '203.0.113.5', 403],
    ] as const) {
      await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies, trust });
      const client = await stand.client();
      await client.write(`GET /_search HTTP/1.1\r\nHost: es\r\nX-Forwarded-For: ${entries}\r\n\r\n`);
      assert.equal((await readWhole(client)).head.status, status, `${trust} ${entries}`);
    }
    assert.equal(origin.received.length, 1);
  });

  it('carries what a policy drops by what the peer may say, whoever asked first', async () => {
    const policies = { one: { action: 'allow', headers: { remove: ['x-mine'] } } };
    await using origin = await Origin.open();
    for (const [trust, expected] of [
      ['none', undefined],
      [['127.0.0.1'], 'alice'],
    ] as const) {
      await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies, trust });
      const client = await stand.client();
      await client.write('GET / HTTP/1.1\r\nHost: es\r\nX-Mine: 1\r\nX-Proxy-User: alice\r\n\r\n');
      await readWhole(client);
      const { head } = origin.received.at(-1)!;
      assert.deepEqual([head.field('x-proxy-user'), head.field('x-mine')], [expected, undefined]);
    }
  });

  it('keeps the id of the client or makes one, the same for server, client and record', async () => {
    const kept = await ask('X-Request-Id: from-the-client.1\r\n');
    assert.equal(kept.exchange.id, 'from-the-client.1');
    const long = await ask(`X-Request-Id: ${'x'.repeat(129)}\r\n`);
    const spaced = await ask('X-Request-Id: two words\r\n');
    const made = await ask('');
    for (const { request, answer, exchange } of [kept, long, spaced, made]) {
      assert.equal(request.field('x-request-id'), exchange.id);
      assert.equal(answer.field('x-request-id'), exchange.id);
      assert.match(exchange.id, /^[\x21-\x7e]{1,128}$/);
    }
    assert.equal(new Set([kept, long, spaced, made].map(({ exchange }) => exchange.id)).size, 4);
  });

  it('leaves tracing and what else is meant for the server alone', async () => {
    const fields = `traceparent: ${trace}\r\ntracestate: a=1\r\nX-Opaque-Id: task 7\r\nAccept-Encoding: gzip\r\nX-UTF8: \xe9\xff\r\n`;
    const { request } = await ask(fields);
    for (const line of fields.trimEnd().split('\r\n'))
      assert.ok(request.text.includes(`\r\n${line}\r\n`), line);
  });

  it('takes hop-by-hop fields out, both ways', async () => {
    const hops =
      'Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: timeout=900\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: x\r\n';
    await using origin = await Origin.open(answering(() => answerText(200, 'ok', hops)));
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(`GET / HTTP/1.1\r\nHost: es\r\nProxy-Authorization: Basic eDp5\r\n${hops}\r\n`);
    const { head } = await readWhole(client);
    const request = origin.received[0]!.head;
    for (const name of ['x-mine', 'te', 'upgrade', 'proxy-connection', 'proxy-authorization']) {
      assert.equal(request.field(name), undefined, name);
      assert.equal(head.field(name), undefined, name);
    }
    assert.equal(request.field('keep-alive'), undefined);
    assert.deepEqual([head.field('keep-alive'), head.field('connection')], ['timeout=25', 'keep-alive']);
  });

  it('an answer keeps its product, its encoding and its bytes', async () => {
    const packed = gzipSync('{"took":1}'.repeat(1000)).toString('latin1');
    const fields =
      'X-Elastic-Product: Elasticsearch\r\nContent-Encoding: gzip\r\nWarning: 299 a\r\nWarning: 299 b\r\n';
    const text = `HTTP/1.1 201 Created, so\r\n${fields}Content-Length: ${packed.length}\r\n\r\n${packed}`;
    await using origin = await Origin.open(answering(() => text));
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write('GET / HTTP/1.1\r\nHost: es\r\nAccept-Encoding: gzip\r\n\r\n');
    const answer = await readWhole(client);
    assert.ok(answer.head.text.startsWith(`HTTP/1.1 201 Created, so\r\n${fields}`), answer.head.text);
    assert.equal(answer.text, packed);
  });
});
