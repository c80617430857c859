/** SIGTERM loses no stream, and nothing idle holds the process up. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { sleep, until, within } from '../support/deadline.ts';
import { withFullBacklog } from '../support/full-backlog.ts';
import { readAnswer, readHead, readWhole } from '../support/http-peer.ts';
import { answerText, Origin } from '../support/origin.ts';
import type { RawPeer } from '../support/raw-peer.ts';
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
    const start = (origin: Origin, timeouts = '{ accept: 0 }') =>
      SluiceProcess.start([origin.port], `transport: ${transport}\ntimeouts: ${timeouts}\n`);
    const draining = (sluice: SluiceProcess) =>
      until('the drain to begin', () => sluice.told.some((line) => line.includes('draining')));

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
      assert.equal(await sluice.exit(), 0);
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
      assert.equal(await sluice.exit(), 0);
    });

    it('idle connections, used or not, do not keep it alive', async () => {
      await using origin = await Origin.open();
      await using sluice = await start(origin);
      const clients = await Promise.all(Array.from({ length: 20 }, () => sluice.client()));
      for (const client of clients.slice(10)) {
        await client.write(get);
        await readWhole(client);
      }
      sluice.signal('SIGTERM');
      assert.equal(await sluice.exit(), 0);
      for (const client of clients) assert.equal(await client.ending(), 'end');
    });

    for (const [when, timeouts, cut] of [
      ['at the deadline', '{ accept: 0, drain: 1s }', () => {}],
      ['at a second signal', '{ accept: 60s }', (sluice: SluiceProcess) => sluice.signal('SIGTERM')],
    ] as const) {
      it(`${when} every exchange is cut, visibly: each has a line that blames the proxy, and the exit code is 3`, async () => {
        await using origin = await Origin.open(async (peer, _nth, self) => {
          const head = await readHead(peer);
          const answers: Record<string, string> = {
            '/until-close': 'HTTP/1.1 200 OK\r\n\r\nthe beginning',
            '/length': 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nthe beginning',
            '/chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nthe beginning\r\n',
          };
          await peer.write(answers[head?.target ?? ''] ?? '');
          self.received.push({ head: head!, digest: '', trailers: '' });
        });
        await using sluice = await start(origin, timeouts);
        const idle = await sluice.client();
        const begun = new Map<string, RawPeer>();
        for (const target of ['/until-close', '/length', '/chunked']) {
          const client = await sluice.client();
          await client.write(`GET ${target} HTTP/1.1\r\nHost: es\r\n\r\n`);
          await within('the beginning', client.through('beginning'));
          begun.set(target, client);
        }
        const unanswered: RawPeer[] = [];
        for (const request of [
          'GET /wait HTTP/1.1\r\nHost: es\r\n\r\n',
          'POST /upload HTTP/1.1\r\nHost: es\r\nContent-Length: 500000\r\n\r\nthe beginning',
          'POST /upload HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nthe beginning\r\n',
        ]) {
          const client = await sluice.client();
          await client.write(request);
          unanswered.push(client);
        }
        await until('all to be with the server', () => origin.received.length === 6);
        sluice.signal('SIGTERM');
        await draining(sluice);
        cut(sluice);
        // Where the close would be the end of the body, it is a reset.
        assert.equal(await begun.get('/until-close')?.ending(), 'reset');
        for (const target of ['/length', '/chunked']) await begun.get(target)?.ending();
        for (const client of unanswered) {
          const { head, text } = await readWhole(client);
          assert.deepEqual([head.status, head.field('connection')], [503, 'close']);
          assert.equal(JSON.parse(text).error.type, 'sluice_shutting_down');
        }
        assert.equal(await sluice.exit(), 3);
        assert.equal(await idle.ending(), 'end');
        assert.deepEqual(
          sluice.access.map(({ path, status, end, side }) => [path, status, end, side].join(' ')).toSorted(),
          [
            '/chunked 200 shutting-down proxy',
            '/length 200 shutting-down proxy',
            '/until-close 200 shutting-down proxy',
            '/upload 503 shutting-down proxy',
            '/upload 503 shutting-down proxy',
            '/wait 503 shutting-down proxy',
          ],
        );
        assert.ok(sluice.told.some((line) => line.includes('"exchanges":6')));
      });
    }

    it('at the deadline a dial and a head that is not whole are cut, too: each is answered, and has a line that blames the proxy', async () => {
      await withFullBacklog(async (port) => {
        const timeouts = '{ accept: 0, drain: 1s, connect: 60s, head: 60s }';
        const config = `transport: ${transport}\ntimeouts: ${timeouts}\n`;
        await using sluice = await SluiceProcess.start([port], config);
        const waiting = await sluice.client();
        await waiting.write(get);
        const unfinished = await sluice.client();
        await unfinished.write(get.slice(0, 10));
        while (!(await sluice.metrics()).includes('sluice_requests_in_flight 1\n')) await sleep(20);
        sluice.signal('SIGTERM');
        for (const client of [waiting, unfinished]) {
          const { head, text } = await readWhole(client);
          assert.deepEqual([head.status, head.field('connection')], [503, 'close']);
          assert.equal(JSON.parse(text).error.type, 'sluice_shutting_down');
          client.destroy();
        }
        // What has not come whole is no exchange that was lost.
        assert.equal(await sluice.exit(), 3);
        assert.ok(sluice.told.some((line) => line.includes('"exchanges":1')));
        assert.deepEqual(
          sluice.access
            .map(({ method, status, end, side }) => [method, status, end, side].join(' '))
            .toSorted(),
          [' 503 shutting-down proxy', 'GET 503 shutting-down proxy'],
        );
      });
    });

    it('a client that keeps its socket after its last answer holds nothing up', async () => {
      await using origin = await Origin.open(async (peer, _nth, self) => {
        while (await self.receive(peer)) {
          await sleep(500);
          await peer.write(answerText(200, 'ok'));
        }
      });
      await using sluice = await start(origin, '{ accept: 0, drain: 600s, linger: 600s }');
      const requests = [get, `${post(5)}hello`, 'GET / HTTP/1.0\r\n\r\n'];
      const clients: RawPeer[] = [];
      for (const request of requests) {
        const client = await sluice.client();
        await client.write(request);
        clients.push(client);
      }
      await until('all to be with the server', () => origin.received.length === requests.length);
      sluice.signal('SIGTERM');
      for (const client of clients) {
        assert.equal((await readWhole(client)).head.field('connection'), 'close');
        assert.equal(await client.ending(), 'end');
      }
      // None of them has closed its side.
      assert.equal(await sluice.exit(), 0);
      for (const client of clients) client.destroy();
      assert.deepEqual(
        sluice.access.map(({ end }) => end),
        requests.map(() => 'complete'),
      );
    });

    it('a client whose head is on its way when idle connections are closed is served', async () => {
      await using origin = await Origin.open();
      await using sluice = await start(origin);
      const client = await sluice.client();
      await client.write(get.slice(0, 10));
      const idle = await sluice.client();
      await idle.write(get);
      await readWhole(idle);
      sluice.signal('SIGTERM');
      await draining(sluice);
      assert.equal(await idle.ending(), 'end');
      await client.write(get.slice(10));
      const { head } = await readWhole(client);
      assert.deepEqual([head.status, head.field('connection')], [200, 'close']);
      assert.equal(await sluice.exit(), 0);
    });

    it('for a time new connections are still served, each with a close, while readiness is off', async () => {
      await using origin = await Origin.open();
      await using sluice = await start(origin, '{ accept: 2s }');
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
        assert.equal(await client.ending(), 'end');
      }
      assert.equal(await sluice.exit(), 0);
    });

    it('by default idle clients are told before they are closed: none meets a broken pipe', async () => {
      await using origin = await Origin.open();
      await using sluice = await start(origin, '{}');
      const clients = await Promise.all(Array.from({ length: 20 }, () => sluice.client()));
      for (const client of clients) {
        await client.write(get);
        assert.equal((await readWhole(client)).head.field('connection'), 'keep-alive');
      }
      sluice.signal('SIGTERM');
      await draining(sluice);
      await sleep(500);
      for (const client of clients) {
        assert.ok(await client.write(get));
        const { head } = await readWhole(client);
        assert.deepEqual([head.status, head.field('connection')], [200, 'close']);
        assert.equal(await client.ending(), 'end');
      }
      // Nothing is left that a second signal could cut.
      sluice.signal('SIGTERM');
      assert.equal(await sluice.exit(30_000), 0);
      assert.equal(sluice.access.length, 40);
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
      assert.equal(await sluice.exit(), 0);
    });
  });
}
