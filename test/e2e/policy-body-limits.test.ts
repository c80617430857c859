/** A body that is larger than its policy allows: refused before a server hears of it, or cut at the limit. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { TransportKind } from '../../src/net/contract.ts';
import { body, digestOf } from '../support/body.ts';
import { chunked, chunks } from '../support/chunked-body.ts';
import { sleep, until } from '../support/deadline.ts';
import { readAnswer, readBody, readHead, readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin, type Script } from '../support/origin.ts';
import { PolicyStand, type PolicyStandOptions } from '../support/policy-stand.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport } from '../support/stand.ts';

const MIB = 1024 * 1024;
const limit = 1_000_000;
const noPreflight = { threshold: Number.POSITIVE_INFINITY };
const get = 'GET / HTTP/1.1\r\nHost: es\r\n\r\n';
const lengthHead = (length: number, more = '') =>
  `POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${length}\r\n${more}\r\n`;
const chunkedHead = 'POST /_bulk HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n';
const limited = { all: { action: 'allow', limits: { bodyBytes: limit } } };
const tooLarge = `The request body is larger than the ${limit} bytes that policy all allows.`;

/** Reads chunks for as long as they come; gives what it saw of the body and whether the last chunk was among it. */
async function readCut(peer: RawPeer): Promise<{ seen: Buffer; ended: boolean }> {
  const blocks: Buffer[] = [];
  try {
    for (;;) {
      const size = Number.parseInt(await peer.through('\r\n'), 16);
      if (size === 0) return { seen: Buffer.concat(blocks), ended: true };
      for (let left = size; left > 0; ) {
        const block = await peer.some(left);
        if (!block) return { seen: Buffer.concat(blocks), ended: false };
        blocks.push(block);
        left -= block.length;
      }
      await peer.exactly(2);
    }
  } catch {
    return { seen: Buffer.concat(blocks), ended: false };
  }
}

/** Says what it saw of the first chunked body, on whichever connection; serves what comes later. */
function cutReader(saw: (cut: { seen: Buffer; ended: boolean; rest: string }) => void): Script {
  return async (peer, nth, origin) => {
    if (nth > 0) return answering()(peer, nth, origin);
    const head = await readHead(peer);
    if (head?.field('expect')) await peer.write('HTTP/1.1 100 Continue\r\n\r\n');
    const cut = await readCut(peer);
    saw({ ...cut, rest: await peer.ending() });
    peer.end();
  };
}

onEachTransport('a body over the limit of its policy', (kind) => {
  const open = (origin: Origin, more: Partial<PolicyStandOptions> = {}) =>
    PolicyStand.open(kind, { nodes: [origin.port], policies: limited, ...more });

  for (const expect of ['', 'Expect: 100-continue\r\n']) {
    it(`declared${expect && ', with an expectation'}: 413 before a server hears of it, to a client that writes all first`, async () => {
      await using origin = await Origin.open();
      await using stand = await open(origin);
      const client = await stand.client();
      const all = body(32 * MIB);
      await client.write(lengthHead(all.length, expect));
      assert.ok(await client.write(all), 'the client was reset while it wrote');
      const { head, text } = await readWhole(client);
      assert.deepEqual([head.status, head.field('connection')], [413, 'close']);
      assert.equal(JSON.parse(text).error.reason, tooLarge);
      assert.equal(await client.ending(), 'end');
      const { failure, status, request } = await stand.ended();
      assert.deepEqual([failure?.code, status, request.bytes], ['body-too-large', 413, 0]);
      assert.equal(origin.accepted, 0);
    });
  }

  for (const size of [7, 1000, 65_536, 3 * MIB]) {
    for (const preflight of [true, false]) {
      const how = preflight ? 'asked for first' : 'not asked for';
      it(`in chunks of ${size} (${how}): cut at the limit; the client that writes on hears of it`, async () => {
        let cut: { seen: Buffer; ended: boolean; rest: string } | undefined;
        await using origin = await Origin.open(
          cutReader((saw) => {
            cut = saw;
          }),
        );
        await using stand = await open(origin, preflight ? {} : { preflight: noPreflight });
        const all = body(size === 7 ? limit + 5000 : 8 * MIB);
        const client = await stand.client();
        await client.write(chunkedHead);
        assert.ok(await client.write(chunked(all, size)), 'the client was reset while it wrote');
        const { head, text } = await readWhole(client);
        assert.deepEqual([head.status, head.field('connection')], [413, 'close']);
        assert.match(JSON.parse(text).error.type, /body_too_large/);
        assert.equal(await client.ending(), 'end');
        const exchange = await stand.ended();
        assert.deepEqual(
          [exchange.failure?.code, exchange.status, exchange.attempts],
          ['body-too-large', 413, 1],
        );
        assert.ok(exchange.request.bytes <= limit);
        await until('the server to see the end', () => cut !== undefined);
        assert.ok(cut && cut.seen.length <= limit, `the server saw ${cut?.seen.length} bytes`);
        assert.equal(cut.ended, false, 'what was cut was made to look whole');
        assert.equal(digestOf([cut.seen]), digestOf([all.subarray(0, cut.seen.length)]));
        assert.equal(stand.stand.cluster.nodes[0]!.idleConnections, 0);
        const next = await stand.client();
        await next.write(get);
        assert.equal((await readWhole(next)).head.status, 200);
        assert.equal(origin.accepted, 2);
      });
    }
  }

  it('by one byte is refused, of exactly the limit passes, on one connection', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin, { preflight: noPreflight });
    const all = body(limit + 1);
    const exact = all.subarray(0, limit);
    const client = await stand.client();
    for (const size of [limit, 999_999, 1000, 77]) {
      await client.write(chunkedHead);
      await client.write(chunked(exact, size, 'X-Sum: 1\r\n'));
      assert.equal((await readWhole(client)).text, digestOf([exact]));
      await client.write(lengthHead(limit));
      await client.write(exact);
      assert.equal((await readWhole(client)).text, digestOf([exact]));
    }
    assert.equal(origin.accepted, 1);
    for (const size of [limit + 1, limit, 1000, 77]) {
      const over = await stand.client();
      await over.write(chunkedHead);
      await over.write(chunked(all, size));
      assert.equal((await readWhole(over)).head.status, 413, `in chunks of ${size}`);
    }
    await client.write(lengthHead(limit + 1));
    await client.write(all);
    assert.equal((await readWhole(client)).head.status, 413);
    assert.equal(origin.received.length, 8);
  });

  it('where no body at all is allowed, an empty one passes', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin, {
      preflight: noPreflight,
      policies: { none: { action: 'allow', limits: { bodyBytes: 0 } } },
    });
    const client = await stand.client();
    for (const request of [get, lengthHead(0), `${chunkedHead}0\r\n\r\n`]) {
      await client.write(request);
      assert.equal((await readWhole(client)).head.status, 200, request);
    }
    await client.write(`${chunkedHead}1\r\na\r\n0\r\n\r\n`);
    assert.equal((await readWhole(client)).head.status, 413);
  });

  it('that no server wants is refused by the server, before any of it is sent', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write(answerText(429, 'no'));
      assert.equal(await peer.some(), undefined);
    });
    await using stand = await open(origin);
    const client = await stand.client();
    await client.write(chunkedHead);
    await client.writeAll(chunks(body(4 * MIB), 100_000));
    const { head, text } = await readWhole(client);
    assert.deepEqual([head.status, text], [429, 'no']);
    const exchange = await stand.ended();
    assert.deepEqual([exchange.failure, exchange.request.bytes], [undefined, 0]);
    assert.deepEqual(origin.faults, []);
  });

  it('cuts an answer that has begun, visibly', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning');
      await peer.ending();
    });
    await using stand = await open(origin, { preflight: noPreflight });
    const client = await stand.client();
    const all = chunked(body(2 * MIB), 50_000);
    await client.write(chunkedHead);
    await client.write(all.subarray(0, 100_000));
    const head = await readHead(client);
    assert.equal(head?.status, 200);
    assert.equal((await client.exactly(13)).toString(), 'the beginning');
    void client.write(all.subarray(100_000));
    await client.ending();
    const exchange = await stand.ended();
    assert.deepEqual([exchange.failure?.code, exchange.status], ['body-too-large', 200]);
  });

  it('that stops at the limit and goes on later is still refused', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin, { preflight: noPreflight });
    const all = body(limit + 10);
    const client = await stand.client();
    await client.write(`${chunkedHead}${limit.toString(16)}\r\n`);
    await client.write(all.subarray(0, limit));
    await client.write('\r\n');
    await sleep(100);
    await client.write('a\r\n0123456789\r\n0\r\n\r\n');
    assert.equal((await readWhole(client)).head.status, 413);
  });
});

onEachTransport('an answer during a throttled upload', (kind: TransportKind) => {
  const policies = { slow: { action: 'allow', limits: { requestBandwidth: '2MB/s' } } };
  const all = body(8 * MIB);

  for (const status of [413, 503]) {
    it(`${status}: comes at once, ends the upload and frees its share`, async () => {
      await using origin = await Origin.open(async (peer, nth, origin) => {
        if (nth > 0) return answering()(peer, nth, origin);
        await readHead(peer);
        await peer.exactly(100_000);
        await peer.write(answerText(status, 'no'));
        await peer.ending();
        peer.end();
      });
      await using stand = await PolicyStand.open(kind, {
        nodes: [origin.port],
        policies,
        preflight: noPreflight,
      });
      const client = await stand.client();
      const began = performance.now();
      await client.write(lengthHead(all.length));
      assert.ok(await client.write(all), 'the client was reset while it wrote');
      const { head, text } = await readWhole(client);
      assert.deepEqual([head.status, text, head.field('connection')], [status, 'no', 'close']);
      assert.ok(performance.now() - began < 1500, 'the answer waited for the throttled body');
      assert.equal(await client.ending(), 'end');
      assert.equal((await stand.ended()).failure, undefined);
      assert.equal(stand.readings('slow').throttled, 0);
      const next = await stand.client();
      await next.write(`${lengthHead(100_000)}`);
      await next.write(all.subarray(0, 100_000));
      assert.equal((await readWhole(next)).text, digestOf([all.subarray(0, 100_000)]));
    });
  }

  it('200: the upload goes on at its pace, and both end whole', async () => {
    const size = 3 * MIB;
    let uploaded = '';
    await using origin = await Origin.open(async (peer) => {
      const head = await readHead(peer);
      await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      const download = peer.write(body(size, 2));
      if (head) uploaded = (await readBody(peer, head)).digest;
      await download;
    });
    await using stand = await PolicyStand.open(kind, {
      nodes: [origin.port],
      policies,
      preflight: noPreflight,
    });
    const client = await stand.client();
    const began = performance.now();
    await client.write(lengthHead(size));
    void client.write(all.subarray(0, size));
    assert.equal((await readHead(client))?.status, 200);
    assert.equal(await client.digest(size), digestOf([body(size, 2)]));
    const exchange = await stand.ended();
    assert.ok(performance.now() - began > 1000, 'the upload was not throttled');
    assert.deepEqual([exchange.failure, exchange.request.bytes], [undefined, size]);
    await until('the server to have it all', () => uploaded !== '');
    assert.equal(uploaded, digestOf([all.subarray(0, size)]));
  });

  it('by a server that dies in it: the client hears 502, and nothing is sent again', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.exactly(300_000);
      peer.reset();
    });
    await using stand = await PolicyStand.open(kind, {
      nodes: [origin.port],
      policies,
      preflight: noPreflight,
    });
    const client = await stand.client();
    await client.write(lengthHead(all.length));
    void client.write(all);
    const answer = await readAnswer(client);
    assert.equal(answer.kind === 'whole' && answer.head.status, 502);
    const exchange = await stand.ended();
    assert.deepEqual([exchange.failure?.code, exchange.attempts, origin.accepted], ['upstream-closed', 1, 1]);
  });
});
