/** What a request and an answer carry on the far side: Sluice's own fields, and all others byte for byte. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

onEachTransport('a forwarded message', (kind) => {
  const ask = async (fields: string, trust: 'none' | 'all' = 'none') => {
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
