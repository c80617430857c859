/** Two gigabytes through one process, both ways, past a reader that is slow at first: its memory does not know. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { body, Digest } from '../support/body.ts';
import { sleep, within } from '../support/deadline.ts';
import { readHead, readWhole } from '../support/http-peer.ts';
import { answerText, Origin } from '../support/origin.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { SluiceProcess } from '../support/sluice-process.ts';

const MIB = 1024 * 1024;
const size = 2048 * MIB;
const bound = 96 * MIB;
/** Its length divides no power of two, so that a lost or doubled block of any buffer's size shifts what follows. */
const block = body(MIB + 7);

function* blocks(): Generator<Buffer> {
  for (let left = size; left > 0; left -= block.length)
    yield left < block.length ? block.subarray(0, left) : block;
}

function expectedDigest(): string {
  const hash = createHash('sha256');
  for (const part of blocks()) hash.update(part);
  return `${size} bytes, sha256 ${hash.digest('hex')}`;
}

/** For the first two seconds a few blocks, then all that comes. */
async function slowThenFast(peer: RawPeer): Promise<string> {
  const digest = new Digest();
  const began = performance.now();
  while (digest.length < size) {
    const part = await within('a block', peer.some(size - digest.length));
    if (!part) break;
    digest.update(part);
    if (performance.now() - began < 2000) await sleep(50);
  }
  return digest.end();
}

describe('2 GB through ./sluice run', () => {
  it(`up and down keep their digests, and the process stays under ${bound / MIB} MiB`, async () => {
    await using origin = await Origin.open(async (peer) => {
      for (;;) {
        const head = await readHead(peer);
        if (head === undefined) return;
        if (head.method === 'POST') await peer.write(answerText(200, await slowThenFast(peer)));
        else {
          await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
          await peer.writeAll(blocks());
        }
      }
    });
    await using sluice = await SluiceProcess.start([origin.port]);
    const atRest = sluice.peakMemory();
    const digest = expectedDigest();
    const client = await sluice.client();
    await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${size}\r\n\r\n`);
    assert.ok(await client.writeAll(blocks()));
    assert.equal((await readWhole(client)).text, digest);
    await client.write('GET /_search HTTP/1.1\r\nHost: es\r\n\r\n');
    assert.equal((await readHead(client))?.status, 200);
    assert.equal(await slowThenFast(client), digest);
    const peak = sluice.peakMemory();
    client.destroy();
    sluice.signal('SIGINT');
    assert.equal(await sluice.exit(), 0);
    const told = `${Math.round(peak / MIB)} MiB at its peak, ${Math.round(atRest / MIB)} at rest`;
    assert.ok(peak - atRest < 16 * MIB, told);
    // Run from its TypeScript, the process holds 30 MiB more than when it is compiled.
    assert.ok(peak < bound, `${told}: is dist/ older than src/ (make build)?`);
  });
});
