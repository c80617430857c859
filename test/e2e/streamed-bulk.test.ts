/** OpenSearch's streaming bulk: each chunk is a bulk of its own for the server, and each of its chunks an answer. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, digestOf } from '../support/body.ts';
import { chunksOf, readChunks } from '../support/chunked-body.ts';
import { readHead } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const sizes = Array.from({ length: 4 }, () => [1000, 5000, 30_000, 200_000, 700_000]).flat();
const answered = sizes.map((size) => 7 + (size % 90_001));
const bytesOf = (all: readonly number[], seed: number) =>
  body(
    all.reduce((sum, size) => sum + size, 0),
    seed,
  );
const request = (path: string, version = '1.1') =>
  `POST ${path} HTTP/${version}\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n`;

interface Seen {
  sizes: readonly number[];
  digest: string;
}

/** A server that keeps what chunks it is sent, and answers in chunks of its own. */
async function origin(seen: Seen[]): Promise<Origin> {
  return Origin.open(async (peer: RawPeer) => {
    while ((await readHead(peer)) !== undefined) {
      seen.push(await readChunks(peer));
      await peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      await peer.writeAll(chunksOf(bytesOf(answered, 2), answered));
    }
    peer.end();
  });
}

onEachTransport('the streaming bulk', (kind) => {
  for (const path of ['/_bulk/stream', '/logs/_bulk/stream?refresh=true', '/logs/_bulk/stream/']) {
    it(`${path}: no bound of a chunk moves, up or down`, async () => {
      const seen: Seen[] = [];
      await using server = await origin(seen);
      await using stand = await Stand.open(kind, {
        nodes: [server.port],
        preflight: { threshold: Infinity },
      });
      const client = await stand.client();
      for (let turn = 0; turn < 2; turn++) {
        await client.write(request(path));
        void client.writeAll(chunksOf(bytesOf(sizes, 1), sizes));
        const head = await readHead(client);
        assert.equal(head?.status, 200);
        const answer = await readChunks(client);
        assert.deepEqual(seen[turn]?.sizes, sizes);
        assert.equal(seen[turn]?.digest, digestOf([bytesOf(sizes, 1)]));
        assert.deepEqual(answer.sizes, answered);
        assert.equal(answer.digest, digestOf([bytesOf(answered, 2)]));
        const record = await stand.ended();
        assert.equal(record.failure, undefined);
        // The larger ones are spliced all the same.
        if (kind === 'engine') assert.ok(record.request.spliced > 0.8 * record.request.bytes);
      }
    });
  }

  it('each chunk reaches the server, and its answer the client, before the next one is sent', async () => {
    await using server = await Origin.open(async (peer: RawPeer) => {
      await readHead(peer);
      await peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (;;) {
        const size = Number.parseInt(await peer.through('\r\n'), 16);
        if (size > 0) await peer.digest(size);
        await peer.exactly(2);
        await peer.write(size === 0 ? '0\r\n\r\n' : `6\r\n${String(size).padStart(6)}\r\n`);
        if (size === 0) break;
      }
    });
    await using stand = await Stand.open(kind, { nodes: [server.port], preflight: { threshold: Infinity } });
    const client = await stand.client();
    await client.write(request('/_bulk/stream'));
    assert.equal((await readHead(client))?.status, 200);
    for (const size of sizes.slice(0, 5)) {
      const [line, data, end] = chunksOf(body(size), [size]);
      await client.writeAll([line!, data!, end!]);
      assert.equal(await client.through('\r\n'), '6\r\n');
      assert.equal(await client.through('\r\n'), `${String(size).padStart(6)}\r\n`);
    }
    await client.write('0\r\n\r\n');
    assert.equal(await client.through('\r\n\r\n'), '0\r\n\r\n');
    assert.equal((await stand.ended()).failure, undefined);
  });

  it('a client of HTTP/1.0 gets the answer without chunks', async () => {
    await using server = await Origin.open(async (peer: RawPeer) => {
      await readHead(peer);
      await peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      await peer.writeAll(chunksOf(body(1007), [7, 1000]));
      peer.end();
    });
    await using stand = await Stand.open(kind, { nodes: [server.port] });
    const client = await stand.client();
    await client.write('GET /_bulk/stream HTTP/1.0\r\nHost: es\r\n\r\n');
    assert.equal((await readHead(client))?.field('transfer-encoding'), undefined);
    assert.equal(await client.digest(), digestOf([body(1007)]));
  });
});
