/** The chunked coding as tests write and read it; strict, and not the code under test. */
import assert from 'node:assert/strict';
import { Digest } from './body.ts';
import type { RawPeer } from './raw-peer.ts';

/** Cuts `bytes` into chunks of `size` and ends them; `trailers` are complete lines. */
export function* chunks(bytes: Buffer, size: number, trailers = ''): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) {
    const data = bytes.subarray(at, at + size);
    yield Buffer.from(`${data.length.toString(16)}\r\n`);
    yield data;
    yield Buffer.from('\r\n');
  }
  yield Buffer.from(`0\r\n${trailers}\r\n`);
}

export function chunked(bytes: Buffer, size: number, trailers = ''): Buffer {
  return Buffer.concat([...chunks(bytes, size, trailers)]);
}

/** Chunks of these sizes, one after the other, and the last one. */
export function* chunksOf(bytes: Buffer, sizes: readonly number[], trailers = ''): Generator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    yield Buffer.from(`${size.toString(16)}\r\n`);
    yield bytes.subarray(at, at + size);
    yield Buffer.from('\r\n');
    at += size;
  }
  assert.equal(at, bytes.length, 'the sizes are those of the bytes');
  yield Buffer.from(`0\r\n${trailers}\r\n`);
}

/** As `readChunked`, with the sizes of the chunks. */
export async function readChunks(
  peer: RawPeer,
): Promise<{ sizes: readonly number[]; digest: string; trailers: string }> {
  const sizes: number[] = [];
  return { ...(await readChunked(peer, (size) => sizes.push(size))), sizes };
}

/** Reads one chunked body to its end, asserting that every line is in its one canonical form. */
export async function readChunked(
  peer: RawPeer,
  onChunk: (size: number) => void = () => {},
): Promise<{ digest: string; trailers: string }> {
  const digest = new Digest();
  for (;;) {
    const line = await peer.through('\r\n');
    assert.match(
      line,
      /^(0|[1-9a-f][0-9a-f]*)\r\n$/,
      'a size line is lower-case digits without leading zeros',
    );
    const size = Number.parseInt(line, 16);
    if (size === 0) break;
    onChunk(size);
    for (let left = size; left > 0; ) {
      const data = await peer.some(left);
      assert.ok(data, 'the data of a chunk was cut');
      digest.update(data);
      left -= data.length;
    }
    assert.equal((await peer.exactly(2)).toString('latin1'), '\r\n');
  }
  let trailers = '';
  for (;;) {
    const line = await peer.through('\r\n');
    if (line === '\r\n') return { digest: digest.end(), trailers };
    trailers += line;
  }
}
