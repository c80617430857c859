/**
 * A client that ends its side after its request and waits for the answer, as `nc -N` and scripts do. The server is told,
 * decides as it does without a proxy, and its connection is not used again.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { chunked } from '../support/chunked-body.ts';
import { sleep, until } from '../support/deadline.ts';
import { readAnswer, readHead, readLarge, readWhole } from '../support/http-peer.ts';
import { answerText, Origin, type Script } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const get = 'GET /_search HTTP/1.1\r\nHost: es\r\n\r\n';
const bytes = body(100_000);
const post = Buffer.concat([
  Buffer.from(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${bytes.length}\r\n\r\n`),
  bytes,
]);
const requests = {
  get: Buffer.from(get),
  length: post,
  chunked: Buffer.concat([
    Buffer.from('POST /_bulk HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n'),
    chunked(bytes, 7000),
  ]),
};

/** Answers the one request of a connection when its client has ended its side. */
const afterTheEnd =
  (answer: (digest: string) => Iterable<Uint8Array | string>): Script =>
  async (peer, _nth, origin) => {
    const received = await origin.receive(peer);
    if (received === undefined) return;
    assert.equal(await peer.ending(), 'end');
    for (const piece of answer(received.digest)) await peer.write(piece);
    peer.end();
  };

/** Holds the request until its client has ended its side, and gives up then, as Elasticsearch cancels a search. */
const cancelling: Script = async (peer, _nth, origin) => {
  await origin.receive(peer);
  await peer.ending();
  peer.destroy();
};

onEachTransport('a client that ends its side after its request', (kind) => {
  for (const [what, request] of Object.entries(requests)) {
    it(`gets the answer, every time (${what})`, async () => {
      await using origin = await Origin.open();
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      for (let nth = 1; nth <= 40; nth++) {
        const client = await stand.client();
        client.socket.end(request);
        const { head, text } = await readWhole(client);
        assert.deepEqual([head.status, text], [200, digestOf(what === 'get' ? [] : [bytes])]);
        assert.equal(await client.ending(), 'end');
        assert.equal((await stand.ended()).failure, undefined);
      }
      assert.equal(origin.received.length, 40);
      await until('every connection of the server to be let go', () => origin.open === 0);
      assert.equal(stand.cluster.nodes[0]!.idleConnections, 0);
    });

    it(`is passed on as such: a server that gives up then is believed, and asked once (${what})`, async () => {
      for (const pooled of [false, true]) {
        await using origin = await Origin.open(async (peer, nth, self) => {
          if (pooled && nth === 0) {
            await self.receive(peer);
            await peer.write(answerText(200, 'the first'));
          }
          await cancelling(peer, nth, self);
        });
        await using stand = await Stand.open(kind, { nodes: [origin.port] });
        if (pooled) {
          const first = await stand.client();
          await first.write(get);
          assert.equal((await readWhole(first)).text, 'the first');
          await stand.ended();
        }
        const client = await stand.client();
        client.socket.end(request);
        assert.deepEqual(await readAnswer(client), { kind: 'none', ending: 'end' });
        const { failure, status, reused } = await stand.ended();
        assert.deepEqual([failure?.code, status, reused], ['client-gone', 499, pooled]);
        assert.match(failure?.detail ?? '', /ended its side/);
        assert.deepEqual([origin.accepted, origin.received.length], [1, pooled ? 2 : 1]);
      }
    });
  }

  it('gets a late and large answer whole, however slowly it reads, and whatever its framing', async () => {
    const size = 8 * MIB;
    const large = body(size, 3);
    const answers = {
      length: [`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`, large],
      chunked: ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', chunked(large, 300_000)],
      'until close': ['HTTP/1.1 200 OK\r\n\r\n', large],
    };
    for (const [framing, answer] of Object.entries(answers)) {
      await using origin = await Origin.open(afterTheEnd(() => answer));
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      client.socket.end(post);
      await sleep(300);
      assert.equal((await readLarge(client)).digest, digestOf([large]), framing);
      assert.equal(await client.ending(), 'end');
      const exchange = await stand.ended();
      assert.deepEqual([exchange.failure, exchange.response.bytes], [undefined, size]);
      assert.equal(stand.cluster.nodes[0]!.idleConnections, 0);
    }
  });

  it('and in the middle of the answer is passed on, and gets the rest', async () => {
    const size = 4 * MIB;
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      const blocks = [...bodyBlocks(size)];
      await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      await peer.writeAll(blocks.slice(0, 1));
      assert.equal(await peer.ending(), 'end');
      await peer.writeAll(blocks.slice(1));
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(get);
    const head = await readHead(client);
    assert.equal(head?.status, 200);
    client.end();
    assert.equal(await client.digest(size), digestOf(bodyBlocks(size)));
    assert.equal((await stand.ended()).failure, undefined);
    assert.deepEqual(origin.faults, []);
    assert.equal(stand.cluster.nodes[0]!.idleConnections, 0);
  });

  it('gets the answers to all that it has pipelined, in order', async () => {
    await using origin = await Origin.open(
      afterTheEnd(function* (digest) {
        yield answerText(200, digest);
      }),
    );
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    const all = [bytes.subarray(0, 10), bytes.subarray(0, 20_000), bytes.subarray(0, 3)];
    const pipelined = all.map((one) =>
      Buffer.concat([
        Buffer.from(`PUT /i/_doc/1 HTTP/1.1\r\nHost: es\r\nContent-Length: ${one.length}\r\n\r\n`),
        one,
      ]),
    );
    client.socket.end(Buffer.concat(pipelined));
    for (const one of all) assert.equal((await readWhole(client)).text, digestOf([one]));
    assert.equal(await client.ending(), 'end');
    assert.deepEqual([origin.accepted, origin.faults], [3, []]);
    for (const _ of all) assert.equal((await stand.ended()).failure, undefined);
  });

  it('and resets later is gone: the server is let go', async () => {
    const seen: string[] = [];
    await using origin = await Origin.open(async (peer, _nth, self) => {
      await self.receive(peer);
      seen.push(await peer.ending());
      // It goes on, until what it writes does not arrive.
      while (await peer.write('HTTP/1.1 102 Processing\r\n\r\n')) await sleep(20);
      seen.push('let go');
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    client.socket.end(post);
    await until('the server to know of the end', () => seen.length === 1);
    client.reset();
    assert.equal((await stand.ended()).failure?.code, 'client-gone');
    await until('the server to be let go', () => seen.length === 2);
    assert.deepEqual(seen, ['end', 'let go']);
  });

  it('while the server is asked for a 100 sends the body first', async () => {
    await using origin = await Origin.open(
      afterTheEnd(function* (digest) {
        yield answerText(200, digest);
      }),
    );
    await using stand = await Stand.open(kind, {
      nodes: [origin.port],
      preflight: { threshold: 1, timeout: 200 },
    });
    const client = await stand.client();
    client.socket.end(post);
    assert.equal((await readWhole(client)).text, digestOf([bytes]));
    assert.deepEqual(origin.faults, []);
  });

  it('and goes away for good is found out by what is written to it', async () => {
    const size = 64 * MIB;
    await using origin = await Origin.open(
      afterTheEnd(function* () {
        yield `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`;
        yield* bodyBlocks(size);
      }),
    );
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(post);
    client.destroy();
    assert.equal((await stand.ended()).failure?.code, 'client-gone');
    await until('the server to be let go', () => origin.open === 0);
  });
});
