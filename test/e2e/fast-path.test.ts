/** Bodies on the engine never enter user space: told by the counters, not by the clock. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bodyBlocks, digestOf } from '../support/body.ts';
import { readHead, readLarge, readWhole } from '../support/http-peer.ts';
import { answering, Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const size = 100 * MIB;

function* chunksOf(length: number): Generator<Buffer> {
  for (const block of bodyBlocks(length)) {
    yield Buffer.from(`${block.length.toString(16)}\r\n`);
    yield block;
    yield Buffer.from('\r\n');
  }
  yield Buffer.from('0\r\n\r\n');
}

const framings = {
  length: { field: `Content-Length: ${size}`, blocks: () => bodyBlocks(size), share: 0.99 },
  chunked: { field: 'Transfer-Encoding: chunked', blocks: () => chunksOf(size), share: 0.95 },
} as const;

describe('the fast path', () => {
  onEachTransport('100 MB', (kind) => {
    for (const [name, { field, blocks, share }] of Object.entries(framings)) {
      const spliced = kind === 'engine' ? `${share * 100} % of it spliced` : 'all of it copied, and said so';

      it(`up, ${name}: arrives whole, ${spliced}`, async () => {
        await using origin = await Origin.open(answering());
        await using stand = await Stand.open(kind, { nodes: [origin.port] });
        const client = await stand.client();
        await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\n${field}\r\n\r\n`);
        await client.writeAll(blocks());
        assert.equal((await readWhole(client)).text, digestOf(bodyBlocks(size)));
        const { request, transport } = await stand.ended();
        assertPath(kind, request, share);
        assert.deepEqual([transport, request.bytes], [kind, size]);
      });

      it(`down, ${name}: arrives whole, ${spliced}`, async () => {
        await using origin = await Origin.open(async (peer) => {
          await readHead(peer);
          await peer.write(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n`);
          await peer.writeAll(blocks());
        });
        await using stand = await Stand.open(kind, { nodes: [origin.port] });
        const client = await stand.client();
        await client.write('GET /_search HTTP/1.1\r\nHost: es\r\n\r\n');
        assert.equal((await readLarge(client)).digest, digestOf(bodyBlocks(size)));
        const { response } = await stand.ended();
        assertPath(kind, response, share);
        assert.equal(response.bytes, size);
      });
    }
  });
});

function assertPath(
  kind: string,
  record: { bytes: number; spliced: number; copied: number },
  share: number,
): void {
  assert.equal(record.spliced + record.copied, record.bytes);
  const told = `${record.spliced} of ${record.bytes} bytes spliced`;
  if (kind === 'engine') assert.ok(record.spliced >= share * record.bytes, told);
  else assert.equal(record.spliced, 0, told);
}
