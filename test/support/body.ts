/** Bodies that are the same in each run and repeat nowhere, so that a lost, doubled or swapped block shows in the digest. */
import { createCipheriv, createHash, type Hash } from 'node:crypto';

const BLOCK = 64 * 1024;
const zeroes = Buffer.alloc(BLOCK);

/** `length` bytes in blocks of at most 64 KiB; another `seed` gives another body. */
export function* bodyBlocks(length: number, seed = 1): Generator<Buffer> {
  const key = createHash('md5').update(`body ${seed}`).digest();
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  for (let left = length; left > 0; left -= BLOCK) {
    yield cipher.update(left < BLOCK ? zeroes.subarray(0, left) : zeroes);
  }
}

export function body(length: number, seed = 1): Buffer {
  return Buffer.concat([...bodyBlocks(length, seed)], length);
}

export class Digest {
  length = 0;
  readonly #hash: Hash = createHash('sha256');

  update(bytes: Uint8Array): void {
    this.length += bytes.length;
    this.#hash.update(bytes);
  }

  /** Length and hash in one, so that one comparison tells both. */
  end(): string {
    return `${this.length} bytes, sha256 ${this.#hash.digest('hex')}`;
  }
}

export function digestOf(blocks: Iterable<Uint8Array>): string {
  const digest = new Digest();
  for (const block of blocks) digest.update(block);
  return digest.end();
}
