/** Bodies that share a policy's bandwidth: as much as it gives, shared evenly, and nobody pays for another's troubles. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { body, digestOf } from '../support/body.ts';
import { chunked, readChunked } from '../support/chunked-body.ts';
import { sleep, until } from '../support/deadline.ts';
import { readHead, readLarge, readWhole } from '../support/http-peer.ts';
import { answerText, Origin, type Script } from '../support/origin.ts';
import { PolicyProcess } from '../support/policy-process.ts';
import { PolicyStand } from '../support/policy-stand.ts';
import { onEachTransport } from '../support/stand.ts';

const MIB = 1024 * 1024;
const MB = 1_000_000;
const get = 'GET /logs/_search HTTP/1.1\r\nHost: es\r\n\r\n';
const post = (length: number) => `POST /logs/_doc HTTP/1.1\r\nHost: es\r\nContent-Length: ${length}\r\n\r\n`;
const chunkedPost = 'POST /logs/_doc HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n';
const preflight = { threshold: Number.POSITIVE_INFINITY };
const up = (requestBandwidth: unknown, more = {}) => ({
  slow: { action: 'allow', limits: { requestBandwidth, ...more } },
});
const down = (responseBandwidth: unknown) => ({ slow: { action: 'allow', limits: { responseBandwidth } } });

/** Without a burst to speak of, which would go to whoever comes first. */
const evenly = { rate: '20MB/s', burst: '256KiB' };

/**
 * That so many bytes took no less time than the rate of `evenly` allows. How near they come to it is for the unit tests,
 * which have a clock of their own, and for the benchmark: here a busy machine may take any time.
 */
function assertNotFaster(bytes: number, began: number): void {
  const [took, least] = [performance.now() - began, ((bytes - 256 * 1024) / (20 * MB)) * 1000];
  assert.ok(took >= least * 0.98, `${bytes} bytes in ${took} ms, not in ${least}`);
}

/** That nobody's share goes to the others: a busy machine makes them uneven, but not by so much. */
function assertShared(parts: readonly number[]): void {
  const mean = parts.reduce((sum, part) => sum + part, 0) / parts.length;
  for (const part of parts) assert.ok(part > mean / 4, `${part} of ${parts.join(', ')}`);
}

/** Sends `size` bytes to whoever asks, framed as the request's path says. */
const giving =
  (size: number): Script =>
  async (peer, _nth, origin) => {
    const all = body(size);
    for (;;) {
      const received = await origin.receive(peer);
      if (received === undefined) break;
      if (received.head.target.includes('chunked')) {
        await peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        await peer.write(chunked(all, 30_000));
      } else if (received.head.target.includes('close')) {
        await peer.write('HTTP/1.1 200 OK\r\n\r\n');
        await peer.write(all);
        break;
      } else {
        await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        await peer.write(all);
      }
    }
    peer.end();
  };

onEachTransport('bodies under one bandwidth', (kind) => {
  const open = (origin: Origin, policies: Record<string, object>, stall = 10_000) =>
    PolicyStand.open(kind, { nodes: [origin.port], policies, preflight, timeouts: { stall } });

  it('4 uploads share 20 MB/s: all of it, in even parts, whole', async () => {
    const arrived = [0, 0, 0, 0];
    await using origin = await Origin.open(async (peer, nth, origin) => {
      peer.socket.on('readable', () => {
        arrived[nth] = peer.socket.bytesRead;
      });
      const received = await origin.receive(peer);
      await peer.write(answerText(200, received?.digest ?? ''));
    });
    await using stand = await open(origin, up(evenly));
    const all = body(10 * MB);
    const began = performance.now();
    const clients = await Promise.all(Array.from({ length: 4 }, () => stand.client()));
    for (const [nth, client] of clients.entries()) {
      void client.write(nth % 2 === 0 ? post(all.length) : chunkedPost);
      void client.write(nth % 2 === 0 ? all : chunked(all, 100_000));
    }
    await until('all to move', () => arrived.every((bytes) => bytes > 500_000));
    const first = [...arrived];
    await sleep(1000);
    assertShared(arrived.map((bytes, nth) => bytes - (first[nth] ?? 0)));
    const answers = await Promise.all(clients.map((client) => readWhole(client)));
    assertNotFaster(4 * all.length, began);
    assert.deepEqual(
      answers.map(({ text }) => text),
      Array.from({ length: 4 }, () => digestOf([all])),
    );
    const { requestBytes, throttledMs } = stand.readings('slow');
    assert.equal(requestBytes, 4 * all.length);
    assert.ok(throttledMs > 1000);
  });

  it('4 downloads share 20 MB/s: all of it, in even parts, whole', async () => {
    const size = 6 * MB;
    await using origin = await Origin.open(giving(size));
    await using stand = await open(origin, down(evenly));
    const began = performance.now();
    const targets = ['length', 'chunked', 'close', 'length'];
    const clients = await Promise.all(targets.map(() => stand.client()));
    const answers = Promise.all(
      clients.map(async (client, nth) => {
        await client.write(`GET /logs/_doc/${targets[nth]} HTTP/1.1\r\nHost: es\r\n\r\n`);
        return readLarge(client);
      }),
    );
    answers.catch(() => {});
    await until('all to move', () => clients.every(({ socket }) => socket.bytesRead > 500_000));
    const early = clients.map(({ socket }) => socket.bytesRead);
    await sleep(600);
    assertShared(clients.map(({ socket }, nth) => socket.bytesRead - (early[nth] ?? 0)));
    const expected = digestOf([body(size)]);
    for (const { head, digest } of await answers) assert.deepEqual([head.status, digest], [200, expected]);
    assertNotFaster(4 * size, began);
    assert.equal(stand.readings('slow').responseBytes, 4 * size);
  });

  it('a client that stalls leaves its share to the others', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin, up('20MB/s'));
    const all = body(5 * MB);
    const stalled = await stand.client();
    await stalled.write(post(all.length));
    await stalled.write(all.subarray(0, 100_000));
    const answers = await Promise.all(
      [1, 2].map(async () => {
        const client = await stand.client();
        await client.write(post(all.length));
        void client.write(all);
        return readWhole(client);
      }),
    );
    // The other two end while it stalls: they waited for no share of it.
    assert.equal(stand.readings('slow').streams, 1);
    for (const { text } of answers) assert.equal(text, digestOf([all]));
    await stalled.write(all.subarray(100_000));
    assert.equal((await readWhole(stalled)).text, digestOf([all]));
  });

  it('a server that stops reading leaves its share to the others', async () => {
    await using origin = await Origin.open(async (peer, _nth, origin) => {
      const head = await readHead(peer);
      if (head?.target.includes('stuck')) return;
      const digest = await peer.digest(Number(head?.field('content-length')));
      origin.received.push({ head: head!, digest, trailers: '' });
      await peer.write(answerText(200, digest));
    });
    await using stand = await open(origin, up('10MB/s'), 800);
    const all = body(5 * MB);
    const stuck = await stand.client();
    await stuck.write(post(40 * MB).replace('/_doc', '/_doc/stuck'));
    void stuck.write(body(40 * MB));
    await sleep(100);
    const client = await stand.client();
    await client.write(post(all.length));
    void client.write(all);
    // It ends, and the other one is still there: it waited for no share of it.
    assert.equal((await readWhole(client)).text, digestOf([all]));
    assert.equal(stand.readings('slow').streams, 1);
    stuck.destroy();
  });

  it('standing still for want of bandwidth is no stall, and a real stall is one all the same', async () => {
    await using origin = await Origin.open();
    // A round over all of them takes longer than the stall timeout.
    await using stand = await open(origin, up({ rate: '80kB/s', burst: '4KiB' }), 200);
    const size = 5000;
    const clients = await Promise.all(Array.from({ length: 12 }, () => stand.client()));
    for (const client of clients) {
      await client.write(post(size));
      await client.write(body(size));
    }
    for (const client of clients) assert.equal((await readWhole(client)).text, digestOf([body(size)]));
    const stalled = await stand.client();
    await stalled.write(`${post(size)}half`);
    assert.equal((await readWhole(stalled)).head.status, 408);
  });

  for (const [how, leave] of [
    ['closes', (socket: { destroy(): void }) => socket.destroy()],
    ['resets', (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy()],
  ] as const) {
    it(`a client that ${how} while its upload is throttled ends it, and makes room for the next`, async () => {
      await using origin = await Origin.open(async (peer, _nth, origin) => {
        await origin.receive(peer);
        await peer.write(answerText(200, 'ok'));
      });
      const policies = up('10MB/s', { streams: 1, queue: { depth: 1, wait: '30s' } });
      await using stand = await open(origin, policies);
      const client = await stand.client();
      await client.write(post(50 * MB));
      void client.write(body(20 * MB));
      await until('it to be throttled', () => stand.readings('slow').throttledMs > 100);
      const next = await stand.client();
      await next.write(get);
      await until('the next to wait', () => stand.readings('slow').waiting === 1);
      leave(client.socket);
      // What the kernel has of its body by then is sent on first, at the policy's pace; the 20 MB would not end it.
      assert.equal((await readWhole(next)).head.status, 200);
      const left = await stand.ended();
      assert.equal(left.failure?.code, 'client-gone');
      assert.ok(left.request.bytes < 20 * MB, `${left.request.bytes} bytes were sent on`);
      await until('the server to be told', () => origin.faults.length === 1);
    });

    it(`a client that ${how} while its download is throttled ends it`, async () => {
      await using origin = await Origin.open(giving(20 * MB));
      await using stand = await open(origin, down('1MB/s'));
      const client = await stand.client();
      await client.write(get);
      assert.equal((await readHead(client))?.status, 200);
      await until('it to be throttled', () => stand.readings('slow').throttledMs > 100);
      leave(client.socket);
      const ended = await stand.ended();
      assert.equal(ended.failure?.code, 'client-gone');
      assert.ok(ended.response.bytes < 20 * MB, `${ended.response.bytes} bytes were sent on`);
    });
  }

  it('after a throttled exchange both connections serve the next', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin, up('30MB/s'));
    const client = await stand.client();
    const all = body(2 * MB);
    for (let round = 0; round < 3; round++) {
      await client.write(post(all.length));
      await client.write(all);
      assert.equal((await readWhole(client)).text, digestOf([all]));
      await client.write(chunkedPost);
      await client.write(chunked(all, 9999, 'X-Sum: 1\r\n'));
      assert.equal((await readWhole(client)).text, digestOf([all]));
      await client.write(get);
      assert.equal((await readWhole(client)).head.status, 200);
    }
    assert.equal(origin.accepted, 1);
    assert.deepEqual(
      origin.received.filter(({ trailers }) => trailers !== '').map(({ trailers }) => trailers),
      ['X-Sum: 1\r\n', 'X-Sum: 1\r\n', 'X-Sum: 1\r\n'],
    );
  });

  it('a reload that lifts the limit lets a throttled body go', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin, up('500kB/s'));
    const client = await stand.client();
    const all = body(10 * MB);
    await client.write(post(all.length));
    void client.write(all);
    await until('it to be throttled', () => stand.readings('slow').throttledMs > 100);
    await stand.use({ slow: { action: 'allow' } });
    assert.equal((await readWhole(client)).text, digestOf([all]));
    await stand.use({});
    assert.equal((await stand.ended()).policy, 'slow');
  });

  it('a chunked answer keeps its trailers', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      await peer.write(chunked(body(MIB), 10_000, 'X-Sum: 1\r\n'));
    });
    await using stand = await open(origin, down('5MB/s'));
    const client = await stand.client();
    await client.write(get);
    assert.equal((await readHead(client))?.status, 200);
    assert.deepEqual(await readChunked(client), { digest: digestOf([body(MIB)]), trailers: 'X-Sum: 1\r\n' });
  });
});

describe('the memory of a process that throttles', () => {
  // Blocks that node:net has read are garbage for a while, throttled or not.
  for (const [transport, bound] of [
    ['engine', 8],
    ['streams', 64],
  ] as const) {
    // Another build of the engine, such as the sanitized one, takes memory of its own.
    const skip = process.env.SLUICE_ENGINE === undefined ? false : 'the engine is another build';
    it(`does not grow with what its clients would send (${transport})`, { skip }, async () => {
      await using origin = await Origin.open();
      await using running = await PolicyProcess.start([origin.port], { transport, policies: up('20MB/s') });
      const { sluice } = running;
      const before = sluice.peakMemory();
      const all = body(100 * MB);
      const clients = await Promise.all([1, 2, 3, 4].map(() => sluice.client()));
      for (const client of clients) {
        await client.write(post(all.length));
        void client.write(all);
      }
      await sleep(1000);
      const grown = (sluice.peakMemory() - before) / MIB;
      for (const client of clients) client.destroy();
      assert.ok(grown < bound, `${grown.toFixed(1)} MiB more`);
    });
  }
});
