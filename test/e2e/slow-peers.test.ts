/** Peers that are slow, or still: each holds only its own, a stall ends, and slowness alone never does. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { sleep, until } from '../support/deadline.ts';
import { digestOfText, readAnswer, readHead, readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const get = 'GET / HTTP/1.1\r\nHost: es\r\n\r\n';
const noPreflight = { threshold: Number.POSITIVE_INFINITY };

onEachTransport('a slow peer', (kind) => {
  it('a head that does not come to its end is 408, however steadily it trickles', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts: { head: 300 } });
    const client = await stand.client();
    const trickle = setInterval(() => client.socket.write('X: y\r\n'), 50);
    client.socket.write('GET / HTTP/1.1\r\n');
    const { head } = await readWhole(client);
    clearInterval(trickle);
    assert.deepEqual([head.status, head.field('connection')], [408, 'close']);
    const exchange = await stand.ended();
    assert.equal(exchange.failure?.code, 'head-timeout');
    assert.equal(origin.accepted, 0);
  });

  it('a connection that says nothing is closed after the idle time, without an answer or a record', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts: { idle: 200 } });
    const silent = await stand.client();
    const used = await stand.client();
    await used.write(get);
    await readWhole(used);
    assert.deepEqual([await silent.ending(), await used.ending()], ['end', 'end']);
    assert.equal(stand.exchanges.length, 1);
  });

  it('a hundred slow heads keep nobody waiting', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const slow = await Promise.all(Array.from({ length: 100 }, () => stand.client()));
    await Promise.all(slow.map((client) => client.write('GET / HTTP/1.1\r\nHost:')));
    const client = await stand.client();
    for (let round = 0; round < 20; round++) {
      await client.write(get);
      assert.equal((await readWhole(client)).head.status, 200);
      assert.ok((await stand.ended()).endedAfter < 500);
    }
  });

  it('a request body that stops arriving is 408, and its server is let go', async () => {
    for (const framing of [
      'Content-Length: 100\r\n\r\nhalf',
      'Transfer-Encoding: chunked\r\n\r\n9\r\nhalf',
    ]) {
      const seen: string[] = [];
      await using origin = await Origin.open(async (peer) => {
        await readHead(peer);
        seen.push(await peer.ending());
      });
      const timeouts = { stall: 200, linger: 200 };
      await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts, preflight: noPreflight });
      const client = await stand.client();
      await client.write(`POST / HTTP/1.1\r\nHost: es\r\n${framing}`);
      const { head } = await readWhole(client);
      assert.deepEqual([head.status, head.field('connection')], [408, 'close']);
      assert.equal((await stand.ended()).failure?.code, 'body-stalled');
      await until('the server to be let go', () => seen.length === 1);
    }
  });

  it('a server that stops reading is 504', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.exactly(1000);
    });
    const timeouts = { stall: 300, linger: 300 };
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts, preflight: noPreflight });
    const client = await stand.client();
    await client.write(`POST / HTTP/1.1\r\nHost: es\r\nContent-Length: ${64 * MIB}\r\n\r\n`);
    const flood = client.writeAll(bodyBlocks(64 * MIB));
    const { head } = await readWhole(client);
    assert.equal(head.status, 504);
    assert.equal((await stand.ended()).failure?.code, 'upstream-not-reading');
    await flood;
  });

  it('an answer that stops in the middle is visibly cut', async () => {
    for (const framing of [
      'Content-Length: 100\r\n\r\nhalf',
      'Transfer-Encoding: chunked\r\n\r\n9\r\nhalf',
      '\r\nhalf',
    ]) {
      await using origin = await Origin.open(async (peer) => {
        await readHead(peer);
        await peer.write(`HTTP/1.1 200 OK\r\n${framing}`);
      });
      await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts: { stall: 200 } });
      const client = await stand.client();
      await client.write(get);
      assert.notEqual((await readAnswer(client)).kind, 'whole');
      assert.equal((await stand.ended()).failure?.code, 'upstream-stalled');
    }
  });

  it('a client that stops reading is cut, and its server is let go', async () => {
    let sent: boolean | undefined;
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * MIB}\r\n\r\n`);
      sent = await peer.writeAll(bodyBlocks(64 * MIB));
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts: { stall: 300 } });
    const client = await stand.client();
    await client.write(get);
    await client.exactly(1000);
    assert.equal((await stand.ended()).failure?.code, 'client-stalled');
    await until('the server to be let go', () => sent === false);
    assert.notEqual(await client.digest().then((digest) => digest.startsWith(`${64 * MIB}`)), true);
  });

  it('no answer in the time set for it is 504; with none set, none ends it', async () => {
    await using origin = await Origin.open(async (peer, _nth, origin) => {
      await origin.receive(peer);
      await sleep(600);
      await peer.write(answerText(200, 'at last'));
    });
    for (const [responseHead, status] of [
      [200, 504],
      [0, 200],
    ] as const) {
      const timeouts = { responseHead, head: 100, stall: 100 };
      await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts });
      const client = await stand.client();
      await client.write('POST / HTTP/1.1\r\nHost: es\r\nContent-Length: 5\r\n\r\nhello');
      assert.equal((await readWhole(client)).head.status, status);
      const { failure } = await stand.ended();
      assert.equal(failure?.code, status === 504 ? 'upstream-head-timeout' : undefined);
    }
  });

  it('a response head that does not come to its end is 504', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write('HTTP/1.1 200 OK\r\nX-Half');
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts: { head: 200 } });
    const client = await stand.client();
    await client.write(get);
    assert.equal((await readWhole(client)).head.status, 504);
    assert.equal((await stand.ended()).failure?.code, 'upstream-head-timeout');
  });

  it('a body that trickles for longer than every timeout passes whole, both ways', async () => {
    const bytes = body(40);
    const trickle = async (write: (bytes: Buffer) => Promise<boolean>) => {
      for (let at = 0; at < bytes.length; at++) {
        assert.ok(await write(bytes.subarray(at, at + 1)));
        await sleep(50);
      }
    };
    await using origin = await Origin.open(async (peer, _nth, origin) => {
      const received = await origin.receive(peer);
      assert.equal(received?.digest, digestOf([bytes]));
      await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      await trickle((part) => peer.write(part));
    });
    const timeouts = { head: 300, idle: 300, stall: 300, responseHead: 300, linger: 300, connect: 300 };
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts, preflight: noPreflight });
    const client = await stand.client();
    await client.write(`POST / HTTP/1.1\r\nHost: es\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    await trickle((part) => client.write(part));
    assert.equal(digestOfText((await readWhole(client)).text), digestOf([bytes]));
    const exchange = await stand.ended();
    assert.equal(exchange.failure, undefined);
    assert.ok(exchange.endedAfter > 3500);
    assert.deepEqual(origin.faults, []);
  });

  it('at the bound on connections new ones wait, and are served when others have gone', async () => {
    await using origin = await Origin.open(answering());
    await using stand = await Stand.open(kind, { nodes: [origin.port], maxConnections: 2 });
    const first = [await stand.client(), await stand.client()];
    for (const client of first) {
      await client.write(get);
      await readWhole(client);
    }
    const third = await stand.client();
    await third.write(get);
    const answer = readWhole(third);
    await sleep(100);
    assert.equal(stand.exchanges.length, 2);
    first[0]!.destroy();
    assert.equal((await answer).head.status, 200);
  });
});
