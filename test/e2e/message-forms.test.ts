/** The shapes a message can take in HTTP/1.1 and 1.0: each must end where its framing says, for both sides. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { errors, failure } from '../../src/errors.ts';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { chunked, readChunked } from '../support/chunked-body.ts';
import { closedPort } from '../support/closed-port.ts';
import { digestOfText, readAnswer, readHead, readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const get = 'GET / HTTP/1.1\r\nHost: es\r\n\r\n';

/** A server that gives the same answer to each request, and counts its connections. */
const saying = (text: string) => Origin.open(answering(() => text));

onEachTransport('a message', (kind) => {
  it('interim answers reach an HTTP/1.1 client in order, and an HTTP/1.0 client not at all', async () => {
    const interim = 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    await using origin = await saying(interim + answerText(200, 'final'));
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(get);
    const heads = [await readHead(client), await readHead(client), await readHead(client)];
    assert.deepEqual(
      heads.map((head) => head?.status),
      [102, 103, 200],
    );
    assert.deepEqual([heads[1]?.field('link'), heads[1]?.field('connection')], ['</a>', undefined]);
    const old = await stand.client();
    await old.write('GET / HTTP/1.0\r\n\r\n');
    assert.equal((await readHead(old))?.status, 200);
  });

  it('a server that sends interim answers for ever is given up', async () => {
    await using origin = await saying('HTTP/1.1 102 Processing\r\n\r\n'.repeat(200));
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(get);
    assert.equal((await readWhole(client)).head.status, 502);
    assert.equal((await stand.ended()).failure?.code, 'upstream-head-malformed');
  });

  it('HEAD, 204 and 304 have no body whatever their heads declare, and keep both connections', async () => {
    for (const [method, answer, length] of [
      ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n', '1000'],
      ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', undefined],
      ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', undefined],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\n', '1000'],
      ['DELETE', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '0'],
    ] as const) {
      await using origin = await saying(answer);
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      for (let round = 0; round < 3; round++) {
        await client.write(`${method} / HTTP/1.1\r\nHost: es\r\n\r\n`);
        const { head } = await readWhole(client, method);
        assert.deepEqual([head.field('content-length'), head.field('connection')], [length, 'keep-alive']);
        assert.equal((await stand.ended()).failure, undefined);
      }
      assert.equal(origin.accepted, 1);
    }
  });

  it('a chunked body keeps its bytes and its trailers, both ways', async () => {
    const up = body(300_000, 1);
    const down = body(200_000, 2);
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n';
    await using origin = await saying(head + chunked(down, 999, 'X-Sum: 42\r\n').toString('latin1'));
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    for (const size of [1, 4096, 300_000]) {
      const cut = size === 1 ? up.subarray(0, 3000) : up;
      await client.write('POST / HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n');
      await client.write(chunked(cut, size, 'X-Check: yes\r\n'));
      await readHead(client);
      assert.deepEqual(await readChunked(client), { digest: digestOf([down]), trailers: 'X-Sum: 42\r\n' });
      const received = origin.received.at(-1);
      assert.deepEqual([received?.digest, received?.trailers], [digestOf([cut]), 'X-Check: yes\r\n']);
      assert.equal((await stand.ended()).request.bytes, cut.length);
    }
    assert.equal(origin.accepted, 1);
  });

  it('a malformed chunk is refused with 400, and nothing behind it is read as a request', async () => {
    const get = 'GET /smuggled HTTP/1.1\r\nHost: es\r\n\r\n';
    for (const bad of [
      '5;a=b\nhello\r\n',
      '-1\r\n',
      '5\r\nhelloX\r\n',
      '0x5\r\nhello\r\n',
      'fffffffffffffffff\r\n',
      '\r\n',
    ]) {
      await using origin = await Origin.open();
      await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: { threshold: 2 ** 50 } });
      const client = await stand.client();
      await client.write(`POST / HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n${bad}${get}`);
      const answer = await readWhole(client);
      assert.deepEqual([answer.head.status, answer.head.field('connection')], [400, 'close'], bad);
      assert.equal((await stand.ended()).failure?.code, 'chunk-malformed');
      assert.deepEqual([origin.received.length, stand.exchanges.length], [0, 1]);
    }
  });

  it('a body until close ends with the connection, and the server is not asked again on it', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write('HTTP/1.1 200 OK\r\n\r\n');
      await peer.writeAll(bodyBlocks(500_000));
      peer.end();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    for (const request of [get, 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n']) {
      const client = await stand.client();
      await client.write(request);
      const answer = await readWhole(client);
      assert.equal(answer.head.field('connection'), 'close');
      assert.equal(digestOfText(answer.text), digestOf(bodyBlocks(500_000)));
      assert.equal((await stand.ended()).failure, undefined);
    }
    assert.equal(origin.accepted, 2);
  });

  it('an HTTP/1.0 client is served, kept only if it asks for it', async () => {
    await using origin = await saying(answerText(200, 'hello'));
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    for (let round = 0; round < 2; round++) {
      await client.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
      const { head, text } = await readWhole(client);
      assert.deepEqual([text, head.field('connection')], ['hello', 'keep-alive']);
    }
    await client.write('GET / HTTP/1.0\r\n\r\n');
    const { head } = await readWhole(client);
    assert.equal(head.field('connection'), 'close');
    assert.equal(await client.ending(), 'end');
    assert.match(origin.received[0]!.head.text, /^GET \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/);
  });

  for (const code of [
    'unauthenticated',
    'policy-denied',
    'policy-limited',
    'body-too-large',
    'no-policies',
    'upstream-refused',
    'upstream-head-timeout',
  ] as const) {
    it(`an HTTP/1.0 client that asks to be kept is told so in the ${errors[code].status} of ${code}, and closed if it does not`, async () => {
      await using origin = await Origin.open(async (peer) => void (await peer.ending()));
      const upstream = errors[code].side === 'upstream';
      await using stand = await Stand.open(kind, {
        nodes: [code === 'upstream-refused' ? await closedPort() : origin.port],
        judge: upstream ? undefined : { judge: () => ({ kind: 'refused', failure: failure(code) }) },
        timeouts: { responseHead: upstream ? 50 : 0 },
      });
      for (const method of ['GET', 'HEAD']) {
        const client = await stand.client();
        for (const head of ['HTTP/1.0\r\nConnection: keep-alive', 'HTTP/1.1\r\nHost: es']) {
          for (let round = 0; round < 2; round++) {
            await client.write(`${method} / ${head}\r\n\r\n`);
            const answer = await readWhole(client, method);
            assert.deepEqual(
              ['connection', 'keep-alive'].map((name) => answer.head.field(name)),
              ['keep-alive', 'timeout=25'],
            );
            assert.equal(answer.head.status, errors[code].status);
            assert.equal(
              JSON.parse(answer.text || '{"status":0}').status,
              method === 'HEAD' ? 0 : answer.head.status,
            );
          }
        }
        await client.write(`${method} / HTTP/1.0\r\n\r\n`);
        assert.equal((await readWhole(client, method)).head.field('connection'), 'close');
        assert.equal(await client.ending(), 'end');
      }
    });
  }

  it('an HTTP/1.0 client that asks to be kept is kept by answers that have no body', async () => {
    for (const [method, answer] of [
      ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'],
      ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
      ['DELETE', 'HTTP/1.1 204 No Content\r\n\r\n'],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'],
      ['PUT', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ] as const) {
      await using origin = await saying(answer);
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      for (let round = 0; round < 2; round++) {
        await client.write(`${method} / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n`);
        assert.equal((await readWhole(client, method)).head.field('connection'), 'keep-alive');
      }
      await client.write(`${method} / HTTP/1.0\r\n\r\n`);
      assert.equal((await readWhole(client, method)).head.field('connection'), 'close');
      assert.equal(await client.ending(), 'end');
    }
  });

  it('a chunked answer is decoded for an HTTP/1.0 client, and ends with the connection', async () => {
    const down = body(200_000);
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    await using origin = await saying(head + chunked(down, 7777, 'X-Sum: 42\r\n').toString('latin1'));
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const answer = await readWhole(client);
    assert.deepEqual(
      [answer.head.field('transfer-encoding'), answer.head.field('connection'), digestOfText(answer.text)],
      [undefined, 'close', digestOf([down])],
    );
  });

  it('an HTTP/1.0 server is believed, and its connection used once unless it offers more', async () => {
    await using origin = await saying('HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok');
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    for (let round = 0; round < 2; round++) {
      await client.write(get);
      const { head, text } = await readWhole(client);
      assert.deepEqual([head.line, text, head.field('connection')], ['HTTP/1.1 200 OK', 'ok', 'keep-alive']);
    }
    assert.equal(origin.accepted, 2);
  });

  it('twenty pipelined requests with bodies in one packet are answered in their order', async () => {
    await using origin = await Origin.open(
      answering(({ head, digest }) => answerText(200, `${head.target} ${digest}`)),
    );
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    const bodies = Array.from({ length: 20 }, (_, i) => body(i * 10, i));
    const packet = bodies.map((bytes, i) => {
      const framing =
        i % 2 === 0
          ? `Content-Length: ${bytes.length}\r\n\r\n${bytes.toString('latin1')}`
          : `Transfer-Encoding: chunked\r\n\r\n${chunked(bytes, 7).toString('latin1')}`;
      return `POST /${i} HTTP/1.1\r\nHost: es\r\n${framing}`;
    });
    await client.write(packet.join(''));
    for (const [i, bytes] of bodies.entries()) {
      assert.equal((await readWhole(client)).text, `/${i} ${digestOf([bytes])}`);
    }
    assert.equal(stand.exchanges.filter(({ failure }) => failure !== undefined).length, 0);
  });

  it('pipelined requests behind one that says close are not answered', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(`GET /1 HTTP/1.1\r\nHost: es\r\nConnection: close\r\n\r\n${get}`);
    assert.equal((await readWhole(client)).head.field('connection'), 'close');
    assert.equal((await readAnswer(client)).kind, 'none');
    assert.equal(origin.received.length, 1);
  });

  it('a malformed or oversized answer is 502, and its connection is not used again', async () => {
    for (const [bad, code] of [
      ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello', 'upstream-head-malformed'],
      [
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello',
        'upstream-head-malformed',
      ],
      ['SSH-2.0-OpenSSH\r\n\r\n', 'upstream-head-malformed'],
      ['HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n', 'upstream-head-malformed'],
      [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, 'upstream-head-too-large'],
      [`HTTP/1.1 200 OK\r\n${'X: a\r\n'.repeat(301)}\r\n`, 'upstream-too-many-fields'],
    ] as const) {
      await using origin = await saying(bad);
      const limits = { responseHeadBytes: 64 * 1024, responseHeadFields: 300 };
      await using stand = await Stand.open(kind, { nodes: [origin.port], limits });
      const client = await stand.client();
      await client.write(get);
      assert.equal((await readWhole(client)).head.status, 502);
      assert.equal((await stand.ended()).failure?.code, code);
      await client.write(get);
      assert.equal((await readWhole(client)).head.status, 502);
      assert.equal(origin.accepted, 2);
    }
  });

  it('an answer with a Warning for each field of a large mapping reaches the client, every one of them', async () => {
    const warning = (n: number) =>
      `Warning: 299 Elasticsearch-6.8.0-65b6179 "Deprecated field [field_${n}] used, expected [other] instead"\r\n`;
    for (const count of [98, 800]) {
      const warnings = Array.from({ length: count }, (_, n) => warning(n)).join('');
      await using origin = await saying(answerText(200, '{"took":1,"errors":false}', warnings));
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      await client.write('POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: 3\r\n\r\n{}\n');
      const { head, text } = await readWhole(client);
      assert.deepEqual([head.status, text], [200, '{"took":1,"errors":false}']);
      assert.ok(head.text.includes(warnings));
      assert.deepEqual([origin.received.length, (await stand.ended()).failure], [1, undefined]);
    }
  });

  it('a limit that a head hits is told by its name, to the client its own, and in the record', async () => {
    const limits = { headBytes: 4096, headFields: 20, targetBytes: 100, responseHeadBytes: 2048 };
    const head = (target: string, fields: string) => `GET ${target} HTTP/1.1\r\nHost: es\r\n${fields}\r\n`;
    await using origin = await saying(answerText(200, 'hello', `X: ${'x'.repeat(3000)}\r\n`));
    await using stand = await Stand.open(kind, { nodes: [origin.port], limits });
    for (const [request, status, detail] of [
      [head('/', 'X: a\r\n'.repeat(20)), 431, 'more than 20 fields (limits.headFields)'],
      [head('/', `X: ${'x'.repeat(5000)}\r\n`), 431, 'longer than 4096 bytes (limits.headBytes)'],
      [head(`/${'x'.repeat(100)}`, ''), 414, 'the target is longer than 100 bytes (limits.targetBytes)'],
      [head(`/${'x'.repeat(5000)}`, ''), 414, 'the target is longer than 100 bytes (limits.targetBytes)'],
      [head('/', ''), 502, 'longer than 2048 bytes (limits.responseHeadBytes)'],
    ] as const) {
      const client = await stand.client();
      await client.write(request);
      const { head, text } = await readWhole(client);
      assert.equal(head.status, status, detail);
      assert.equal((await stand.ended()).failure?.detail, detail);
      if (status < 500) assert.equal(JSON.parse(text).error.reason, detail);
    }
  });

  it('trailers over their limit are told as such: 431 to a request, and an answer is cut', async () => {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    const long = chunked(Buffer.from('hello'), 5, `X-Sum: ${'y'.repeat(600)}\r\n`).toString('latin1');
    await using origin = await saying(head + long);
    const preflight = { threshold: Number.POSITIVE_INFINITY };
    for (const [trailerBytes, up, down] of [
      [512, 'trailers-too-long', 'upstream-trailers-too-long'],
      [1024, undefined, undefined],
    ] as const) {
      const limits = { trailerBytes };
      await using stand = await Stand.open(kind, { nodes: [origin.port], limits, preflight });
      const client = await stand.client();
      await client.write(get);
      assert.equal((await readAnswer(client)).kind === 'whole', down === undefined);
      assert.equal((await stand.ended()).failure?.code, down);
      const other = await stand.client();
      await other.write(`POST / HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n${long}`);
      assert.equal((await readHead(other))?.status, up === undefined ? 200 : 431);
      assert.equal((await stand.ended()).failure?.code, up);
    }
  });

  it('a space before a colon and a folded line in an answer are mended, and the bulk is not sent again', async () => {
    await using origin = await saying(
      'HTTP/1.1 200 OK\r\nX-Took : 5\r\nX-Long: a\r\n b\r\nContent-Length: 5\r\n\r\nhello',
    );
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    for (let round = 0; round < 2; round++) {
      await client.write('POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: 3\r\n\r\n{}\n');
      const { head, text } = await readWhole(client);
      assert.deepEqual([head.status, text, head.field('connection')], [200, 'hello', 'keep-alive']);
      assert.ok(head.text.includes('\r\nX-Took: 5\r\nX-Long: a b\r\n'), head.text);
    }
    assert.deepEqual([origin.received.length, origin.accepted], [2, 1]);
  });

  for (const [what, answer, text] of [
    ['a length in 204', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello', ''],
    ['chunked in 204', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', ''],
    ['two lengths in 204', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n', ''],
    [
      'a length in 103',
      'HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
      'hello',
    ],
    ['a length behind a space', 'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello', 'hello'],
    [
      'chunked behind a space',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      'hello',
    ],
  ] as const) {
    it(`${what} is passed on without doubt, and the server's connection is not used again`, async () => {
      await using origin = await saying(answer);
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      for (let round = 0; round < 3; round++) {
        await client.write('DELETE /i HTTP/1.1\r\nHost: es\r\n\r\n');
        if (answer.startsWith('HTTP/1.1 103')) {
          assert.equal((await readHead(client))?.text, 'HTTP/1.1 103 Early Hints\r\n\r\n');
        }
        const { head, ...answered } = await readWhole(client);
        assert.deepEqual([answered.text, head.field('connection')], [text, 'keep-alive']);
        if (text === '') {
          assert.deepEqual(
            [head.status, head.field('content-length'), head.field('transfer-encoding')],
            [204, undefined, undefined],
          );
        }
        assert.equal((await stand.ended()).failure, undefined);
      }
      assert.deepEqual([origin.received.length, origin.accepted], [3, 3]);
    });
  }

  it('a malformed chunked answer is visibly cut', async () => {
    await using origin = await saying(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n',
    );
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    for (const request of [get, 'GET / HTTP/1.0\r\n\r\n']) {
      const client = await stand.client();
      await client.write(request);
      assert.notEqual((await readAnswer(client)).kind, 'whole');
      assert.equal((await stand.ended()).failure?.code, 'upstream-body-malformed');
    }
  });
});
