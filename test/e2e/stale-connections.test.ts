/** A pooled connection that is dead costs no request, and no request is sent twice once its body has begun. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { sleep, until } from '../support/deadline.ts';
import { readHead, readWhole } from '../support/http-peer.ts';
import { answerText, Origin, type Script } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const get = 'GET / HTTP/1.1\r\nHost: es\r\n\r\n';
const noPreflight = { threshold: Number.POSITIVE_INFINITY };

/** Serves the first request of the first connection; what comes next on it ends it, after `read` bytes. */
const diesOnSecond =
  (read: number, how: 'close' | 'reset'): Script =>
  async (peer, nth, origin) => {
    const received = await origin.receive(peer);
    await peer.write(answerText(200, received?.head.method === 'HEAD' ? '' : 'first'));
    if (nth > 0) return;
    await peer.exactly(read);
    if (how === 'reset') peer.reset();
    else peer.destroy();
  };

onEachTransport('a stale connection', (kind) => {
  it('a server that closes after each answer, unsaid, costs nothing', async () => {
    await using origin = await Origin.open(async (peer) => {
      const received = await origin.receive(peer);
      await peer.write(answerText(200, received?.digest ?? ''));
      peer.end();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    for (let i = 0; i < 50; i++) {
      await client.write(i % 2 === 0 ? get : 'POST / HTTP/1.1\r\nHost: es\r\nContent-Length: 5\r\n\r\nhello');
      assert.equal((await readWhole(client)).head.status, 200);
      // Time for the FIN to be seen; that it comes even later is the next test's.
      await sleep(2);
    }
    assert.equal(origin.received.length, 50);
  });

  it('what a server closes in the pool is closed here too', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(get);
    await readWhole(client);
    await until('a pooled connection', () => stand.cluster.nodes[0]!.idleConnections === 1);
    origin.peers[0]!.end();
    await until('the pool to be empty', () => stand.cluster.nodes[0]!.idleConnections === 0);
  });

  for (const how of ['close', 'reset'] as const) {
    it(`${how} just when the next request comes: an idempotent one is sent again, once`, async () => {
      for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
        await using origin = await Origin.open(diesOnSecond(20, how));
        await using stand = await Stand.open(kind, { nodes: [origin.port] });
        const client = await stand.client();
        for (let i = 0; i < 2; i++) {
          await client.write(`${method} / HTTP/1.1\r\nHost: es\r\n\r\n`);
          assert.equal((await readWhole(client, method)).head.status, 200, method);
        }
        await stand.ended();
        assert.deepEqual(
          [(await stand.ended()).attempts, origin.accepted, origin.received.length],
          [2, 2, 2],
        );
      }
    });

    it(`${how} just when the next request comes: an upload that was asked for first loses nothing`, async () => {
      await using origin = await Origin.open(diesOnSecond(20, how));
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      await client.write(get);
      await readWhole(client);
      await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${4 * MIB}\r\n\r\n`);
      await client.writeAll(bodyBlocks(4 * MIB));
      assert.equal((await readWhole(client)).head.status, 200);
      assert.equal(origin.received[1]?.digest, digestOf(bodyBlocks(4 * MIB)));
    });

    it(`${how} once the body has begun: a POST is not sent again`, async () => {
      await using origin = await Origin.open(diesOnSecond(1000, how));
      await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
      const client = await stand.client();
      await client.write(get);
      await readWhole(client);
      await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: 500000\r\n\r\n`);
      await client.writeAll(bodyBlocks(500_000));
      const { head } = await readWhole(client);
      assert.equal(head.status, 502);
      await stand.ended();
      const exchange = await stand.ended();
      assert.deepEqual([exchange.failure?.code, exchange.attempts], ['upstream-closed', 1]);
      assert.deepEqual([origin.accepted, origin.received.length], [1, 1]);
    });

    it(`${how} after a POST without a body: it is not sent again, since it may have been acted on`, async () => {
      await using origin = await Origin.open(diesOnSecond(20, how));
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      await client.write(get);
      await readWhole(client);
      await client.write('POST /i/_refresh HTTP/1.1\r\nHost: es\r\nContent-Length: 0\r\n\r\n');
      assert.equal((await readWhole(client)).head.status, 502);
      assert.equal(origin.accepted, 1);
    });
  }

  it('a whole body that gets no answer is never sent twice, whatever its framing', async () => {
    for (const framing of [
      'Content-Length: 5\r\n\r\nhello',
      'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ]) {
      await using origin = await Origin.open(async (peer) => {
        await origin.receive(peer);
        peer.destroy();
      });
      await using second = await Origin.open(async (peer) => {
        await second.receive(peer);
        peer.destroy();
      });
      const nodes = [origin.port, second.port];
      await using stand = await Stand.open(kind, { nodes, preflight: noPreflight });
      const client = await stand.client();
      await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\n${framing}`);
      assert.equal((await readWhole(client)).head.status, 502);
      assert.equal(origin.received.length + second.received.length, 1);
    }
  });

  it('a body that was begun on a dead connection is never sent on without its beginning', async () => {
    await using origin = await Origin.open(async (peer, nth, origin) => {
      // Every connection dies within a turn or two of its answer, about when the next request is there.
      const received = await origin.receive(peer);
      await peer.write(answerText(200, received?.digest ?? ''));
      for (let turns = nth % 4; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      if (nth % 2 === 0) peer.reset();
      else peer.destroy();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
    const client = await stand.client();
    const bytes = body(20_000);
    for (let round = 0; round < 300; round++) {
      await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      await client.write(bytes);
      const { head, text } = await readWhole(client);
      if (head.status === 200) assert.equal(text, digestOf([bytes]));
      else assert.deepEqual([head.status, head.field('connection')], [502, 'keep-alive']);
      assert.ok((await stand.ended()).endedAfter < 2000, 'the server waits for bytes that are lost');
    }
  });

  it('a GET that gets no answer is tried on other nodes, each once', async () => {
    const script: Script = async (peer, _nth, origin) => {
      await origin.receive(peer);
      peer.destroy();
    };
    await using one = await Origin.open(script);
    await using two = await Origin.open(script);
    await using stand = await Stand.open(kind, { nodes: [one.port, two.port] });
    const client = await stand.client();
    await client.write(get);
    assert.equal((await readWhole(client)).head.status, 502);
    assert.deepEqual([one.received.length, two.received.length], [1, 1]);
  });

  it('bytes that a server sends after its answer never pass for the answer to another request', async () => {
    await using origin = await Origin.open(async (peer, nth) => {
      await readHead(peer);
      const extra = nth === 0 ? answerText(200, 'smuggled') : '';
      await peer.write(answerText(200, `answer ${nth}`) + extra);
      await readHead(peer);
      peer.end();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(get + get);
    assert.equal((await readWhole(client)).text, 'answer 0');
    assert.equal((await readWhole(client)).text, 'answer 1');
  });

  it('nor do bytes that come while the connection lies in the pool', async () => {
    await using origin = await Origin.open(async (peer, nth) => {
      await readHead(peer);
      await peer.write(answerText(200, `answer ${nth}`));
      await sleep(20);
      if (nth === 0) await peer.write(answerText(200, 'smuggled'));
      await readHead(peer);
      peer.end();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(get);
    assert.equal((await readWhole(client)).text, 'answer 0');
    await until('the pool to be empty', () => {
      return origin.peers[0]!.socket.readableEnded || stand.cluster.nodes[0]!.idleConnections === 0;
    });
    await client.write(get);
    assert.equal((await readWhole(client)).text, 'answer 1');
  });

  it('no more idle connections are kept than the pool may hold', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], pool: { maxIdlePerNode: 2 } });
    const clients = await Promise.all(Array.from({ length: 8 }, () => stand.client()));
    await Promise.all(clients.map((client) => client.write(get)));
    await Promise.all(clients.map((client) => readWhole(client)));
    await until('six to be closed', () => origin.open === 2);
    assert.equal(stand.cluster.nodes[0]!.idleConnections, 2);
  });
});
