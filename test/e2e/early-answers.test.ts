/** A final answer that comes while the request's body is still on its way must reach the client as an answer. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { sleep, until, within } from '../support/deadline.ts';
import { readAnswer, readHead, readWhole } from '../support/http-peer.ts';
import { answerText, Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const noPreflight = { threshold: Number.POSITIVE_INFINITY };
const post = (length: number) => `POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${length}\r\n\r\n`;

onEachTransport('an early answer', (kind) => {
  for (const status of [413, 401, 429]) {
    for (const closes of [true, false]) {
      const how = closes ? 'and closes' : 'and stops reading';
      it(`${status}: a server that answers ${how} is heard by a client that writes 100 MB first`, async () => {
        await using origin = await Origin.open(async (peer) => {
          await readHead(peer);
          await peer.exactly(100_000);
          await peer.write(answerText(status, 'too much', closes ? 'Connection: close\r\n' : ''));
          // A server that closes with bytes unread sends a reset after its answer.
          if (closes) peer.destroy();
        });
        await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
        const client = await stand.client();
        await client.write(post(100 * MIB));
        assert.ok(await client.writeAll(bodyBlocks(100 * MIB)), 'the client was reset while it wrote');
        const answer = await readWhole(client);
        assert.equal(answer.head.field('connection'), 'close');
        assert.equal(await client.ending(), 'end');
        const exchange = await stand.ended();
        assert.equal(exchange.status, answer.head.status);
        assert.equal(origin.accepted, 1);
        // node:net throws away what it has not read when a write fails: there the reset can win.
        if (kind === 'streams' && closes && answer.head.status === 502) return;
        assert.deepEqual([answer.head.status, answer.text], [status, 'too much']);
        if (!closes) assert.notEqual(await origin.peers[0]!.ending(), undefined);
      });
    }
  }

  it('a chunked upload is refused in its middle', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.exactly(100_000);
      await peer.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      peer.end();
      await peer.ending();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
    const client = await stand.client();
    await client.write('POST / HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (const block of bodyBlocks(32 * MIB)) {
      assert.ok(await client.write(`${block.length.toString(16)}\r\n`), 'the client was reset');
      assert.ok(await client.write(block), 'the client was reset');
      assert.ok(await client.write('\r\n'), 'the client was reset');
    }
    await client.write('0\r\n\r\n');
    assert.equal((await readWhole(client)).head.status, 413);
    assert.equal(await client.ending(), 'end');
    assert.equal((await stand.ended()).status, 413);
  });

  it('after a 2xx the body goes on: both directions at once, and the connection is kept', async () => {
    const size = 24 * MIB;
    let uploaded = '';
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.exactly(10);
      await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      const download = peer.writeAll(bodyBlocks(size, 2));
      uploaded = await peer.digest(size - 10);
      await download;
      await origin.receive(peer);
      await peer.write(answerText(200, 'next'));
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
    const client = await stand.client();
    await client.write(post(size));
    const all = body(size, 3);
    await client.write(all.subarray(0, 10));
    const head = await readHead(client);
    assert.equal(head?.status, 200);
    const [sent, received] = await Promise.all([client.write(all.subarray(10)), client.digest(size)]);
    assert.ok(sent);
    assert.equal(received, digestOf(bodyBlocks(size, 2)));
    const exchange = await stand.ended();
    assert.deepEqual(
      [exchange.failure, exchange.request.bytes, exchange.response.bytes],
      [undefined, size, size],
    );
    await until('the origin to have read it all', () => uploaded !== '');
    assert.equal(uploaded, digestOf([all.subarray(10)]));
    await client.write('GET / HTTP/1.1\r\nHost: es\r\n\r\n');
    assert.equal((await readWhole(client)).text, 'next');
    assert.equal(origin.accepted, 1);
  });

  it('a 2xx whose server closes in the middle of the body is still heard', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.exactly(10);
      await peer.write(answerText(200, 'enough', 'Connection: close\r\n'));
      peer.destroy();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
    const client = await stand.client();
    await client.write(post(32 * MIB));
    assert.ok(await client.writeAll(bodyBlocks(32 * MIB)), 'the client was reset while it wrote');
    const answer = await readWhole(client);
    assert.equal(await client.ending(), 'end');
    if (kind === 'streams' && answer.head.status === 502) return;
    assert.deepEqual([answer.head.status, answer.text], [200, 'enough']);
    assert.equal((await stand.ended()).failure?.code, 'upstream-closed');
  });

  it('a client that never stops sending is cut off in the end', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write(answerText(413, 'no'));
      await peer.ending();
    });
    const limits = { lingerBytes: 4 * MIB };
    await using stand = await Stand.open(kind, { nodes: [origin.port], limits, preflight: noPreflight });
    const client = await stand.client();
    await client.write(post(512 * MIB));
    let taken = 0;
    for (const block of bodyBlocks(512 * MIB)) {
      if (!(await within('a write', client.write(block)))) break;
      taken += block.length;
    }
    assert.ok(taken < 64 * MIB, `${taken} bytes were taken from a client that was refused`);
    await until('the connection to close', () => stand.front.connections === 0);
  });

  it('a refused client that neither sends nor leaves is closed after the linger time', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write(answerText(429, 'later'));
      await peer.ending();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts: { linger: 300 } });
    const client = await stand.client();
    await client.write(`${post(1000)}half`);
    assert.equal((await readWhole(client)).head.status, 429);
    await sleep(100);
    assert.equal(stand.front.connections, 1);
    await until('the connection to close', () => stand.front.connections === 0);
  });

  it('an early answer that is cut itself is visibly cut', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write('HTTP/1.1 413 No\r\nContent-Length: 100\r\n\r\nhalf');
      await sleep(20);
      peer.destroy();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
    const client = await stand.client();
    await client.write(`${post(1000)}half`);
    assert.equal((await readAnswer(client)).kind, 'truncated');
    assert.equal((await stand.ended()).failure?.code, 'upstream-truncated');
  });
});
