/** SIGTERM loses no stream, and nothing idle holds the process up. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { sleep, until, within } from '../support/deadline.ts';
import { readAnswer, readHead, readWhole } from '../support/http-peer.ts';
import { answerText, Origin } from '../support/origin.ts';
import { SluiceProcess } from '../support/sluice-process.ts';

const MIB = 1024 * 1024;
const get = 'GET / HTTP/1.1\r\nHost: es\r\n\r\n';
const post = (length: number) => `POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${length}\r\n\r\n`;

function connectFault(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('connect', () => resolve(undefined));
  });
}

for (const transport of ['engine', 'streams']) {
  describe(`a drain (${transport})`, () => {
    const start = (origin: Origin, timeouts = '{}') =>
      SluiceProcess.start([origin.port], `transport: ${transport}\ntimeouts: ${timeouts}\n`);

    it('an upload under way at SIGTERM ends whole; its answer says close; then it exits with 0', async () => {
      await using origin = await Origin.open();
      await using sluice = await start(origin);
      const client = await sluice.client();
      const all = body(32 * MIB);
      await client.write(post(all.length));
      await client.write(all.subarray(0, 8 * MIB));
      sluice.signal('SIGTERM');
      await until('the drain to begin', () => sluice.told.some((line) => line.includes('draining')));
      assert.equal(await sluice.readiness(), 503);
      assert.equal(await connectFault(sluice.port), 'ECONNREFUSED');
      await sleep(200);
      await client.write(all.subarray(8 * MIB));
      const { head, text } = await readWhole(client);
      assert.deepEqual([text, head.field('connection')], [digestOf([all]), 'close']);
      client.destroy();
      assert.equal(await sluice.exit(3000), 0);
      assert.equal(sluice.access.length, 1);
    });

    it('an answer that had begun before SIGTERM ends whole, and its connection holds nothing up', async () => {
      const size = 32 * MIB;
      let goOn = () => {};
      await using origin = await Origin.open(async (peer) => {
        await readHead(peer);
        await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        const blocks = [...bodyBlocks(size)];
        await peer.writeAll(blocks.slice(0, 10));
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        await peer.writeAll(blocks.slice(10));
      });
      await using sluice = await start(origin);
      const client = await sluice.client();
      await client.write(get);
      assert.equal((await readHead(client))?.field('connection'), 'keep-alive');
      sluice.signal('SIGTERM');
      await until('the drain to begin', () => sluice.told.some((line) => line.includes('draining')));
      goOn();
      assert.equal(await client.digest(size), digestOf(bodyBlocks(size)));
      assert.equal(await client.ending(), 'end');
      client.destroy();
      assert.equal(await sluice.exit(3000), 0);
    });

    it('idle connections, used or not, do not keep it alive', async () => {
      await using origin = await Origin.open();
      await using sluice = await start(origin);
      const clients = await Promise.all(Array.from({ length: 20 }, () => sluice.client()));
      for (const client of clients.slice(10)) {
        await client.write(get);
        await readWhole(client);
      }
      const began = performance.now();
      sluice.signal('SIGTERM');
      assert.equal(await sluice.exit(3000), 0);
      assert.ok(performance.now() - began < 2000);
      for (const client of clients) assert.equal(await client.ending(), 'end');
    });

    it('a second signal ends it at once', async () => {
      await using origin = await Origin.open(async (peer) => {
        await readHead(peer);
      });
      await using sluice = await start(origin);
      const client = await sluice.client();
      await client.write(get);
      await until('the request to arrive', () => origin.accepted === 1);
      sluice.signal('SIGTERM');
      await until('the drain to begin', () => sluice.told.some((line) => line.includes('draining')));
      sluice.signal('SIGTERM');
      const began = performance.now();
      assert.notEqual(await sluice.exit(2000), 0);
      assert.ok(performance.now() - began < 1000);
      client.destroy();
    });

    it('what has not ended at the deadline is cut, visibly, and recorded', async () => {
      await using origin = await Origin.open(async (peer) => {
        await readHead(peer);
        await peer.write('HTTP/1.1 200 OK\r\n\r\nthe beginning');
      });
      await using sluice = await start(origin, '{ drain: 500ms }');
      const client = await sluice.client();
      await client.write(get);
      await within('the beginning', client.through('beginning'));
      const began = performance.now();
      sluice.signal('SIGTERM');
      assert.equal(await client.ending(), 'reset');
      assert.equal(await sluice.exit(3000), 0);
      const took = performance.now() - began;
      assert.ok(took >= 490 && took < 2000, `${took} ms`);
      assert.equal(sluice.access.length, 1);
    });

    it('for a time new connections are still served, each with a close, while readiness is off', async () => {
      await using origin = await Origin.open();
      await using sluice = await start(origin, '{ accept: 1s }');
      const kept = await sluice.client();
      await kept.write(get);
      assert.equal((await readWhole(kept)).head.field('connection'), 'keep-alive');
      sluice.signal('SIGTERM');
      await until('the drain to begin', () => sluice.told.some((line) => line.includes('draining')));
      assert.equal(await sluice.readiness(), 503);
      for (const client of [kept, await sluice.client()]) {
        await client.write(get);
        const { head } = await readWhole(client);
        assert.deepEqual([head.status, head.field('connection')], [200, 'close']);
        client.destroy();
      }
      assert.equal(await sluice.exit(4000), 0);
    });

    it('pipelined requests are answered up to the one that says close', async () => {
      await using origin = await Origin.open(async (peer, _nth, origin) => {
        while (await origin.receive(peer)) {
          await sleep(300);
          await peer.write(answerText(200, 'ok'));
        }
      });
      await using sluice = await start(origin);
      const client = await sluice.client();
      await client.write(get.repeat(5));
      await until('the first to arrive', () => origin.received.length === 1);
      sluice.signal('SIGTERM');
      assert.equal((await readWhole(client)).head.field('connection'), 'close');
      assert.equal((await readAnswer(client)).kind, 'none');
      client.destroy();
      assert.equal(await sluice.exit(3000), 0);
    });
  });
}
