/** How a body is framed where it is read, and how it is written on: the part of a copying relay without sockets. */
import { ChunkedDecoder, chunkHeader, lastChunk, maxSizeDigits } from '../http1/chunked.ts';
import type { Framing } from '../http1/framing.ts';
import { BLOCK } from './bytes.ts';
import type { BodyOutput } from './contract.ts';

/** What became of bytes that were read. */
export interface Piece {
  /** What to write on: a view, valid until the next `take`. */
  readonly out: Uint8Array;
  /** How many bytes of `out` are body. */
  readonly body: number;
  /** How many of the bytes read belonged to this body; the others are the next message's. */
  readonly used: number;
}

export interface BodyCoding {
  readonly done: boolean;
  /** True where the next byte is body for certain, so that nothing can be read without a budget. */
  readonly atData: boolean;
  /** Bytes that may be read for this body at most. */
  readonly most: number;
  /** True where the end of the source is the end of the body. */
  readonly untilClose: boolean;
  /** Takes at most BLOCK bytes; or says why it can't. */
  take(bytes: Buffer): Piece | 'malformed' | 'too-long';
}

/** `maxTrailers` is in bytes. */
export function bodyCoding(framing: Framing, output: BodyOutput, maxTrailers: number): BodyCoding {
  switch (framing.kind) {
    case 'none':
      return new PlainCoding(0);
    case 'length':
      return new PlainCoding(framing.length);
    case 'until-close':
      return new PlainCoding(undefined);
    case 'chunked':
      return output === 'kept' ? new KeptChunks(maxTrailers) : new ChunkedCoding(output, maxTrailers);
  }
}

/** A length, or everything until the source ends. */
class PlainCoding implements BodyCoding {
  readonly untilClose: boolean;
  readonly atData = true;
  #left: number;

  constructor(length: number | undefined) {
    this.untilClose = length === undefined;
    this.#left = length ?? Number.POSITIVE_INFINITY;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  get most(): number {
    return this.#left;
  }

  take(bytes: Buffer): Piece {
    this.#left -= bytes.length;
    return { out: bytes, body: bytes.length, used: bytes.length };
  }
}

type Rechunked = Exclude<BodyOutput, 'kept'>;

/** Room before the data for the longest size line of a block: five digits and CRLF. */
const HEADER = chunkHeader(BLOCK).length;

/** Each block's data leaves as one chunk, however many small ones it came in. */
class ChunkedCoding implements BodyCoding {
  readonly untilClose = false;
  readonly most = Number.POSITIVE_INFINITY;
  readonly #decoder: ChunkedDecoder;
  readonly #output: Rechunked;
  readonly #out = Buffer.allocUnsafeSlow(HEADER + BLOCK + 2);
  done = false;

  constructor(output: Rechunked, maxTrailers: number) {
    this.#decoder = new ChunkedDecoder(maxTrailers);
    this.#output = output;
  }

  get atData(): boolean {
    return this.#decoder.inData;
  }

  take(bytes: Buffer): Piece | 'malformed' | 'too-long' {
    let end = HEADER;
    let used = 0;
    for (;;) {
      const step = this.#decoder.next(bytes, used, bytes.length);
      if (step.kind === 'malformed' || step.kind === 'too-long') return step.kind;
      if (step.kind === 'data') {
        end += bytes.copy(this.#out, end, step.start, step.end);
        used = step.end;
        continue;
      }
      this.done = step.kind === 'end';
      return this.#piece(end, step.kind === 'end' ? step.at : bytes.length);
    }
  }

  /** The data stands in `#out` between HEADER and `dataEnd`. */
  #piece(dataEnd: number, used: number): Piece {
    const body = dataEnd - HEADER;
    if (this.#output === 'decoded') return { out: this.#out.subarray(HEADER, dataEnd), body, used };
    let start = HEADER;
    let end = dataEnd;
    if (body > 0) {
      const header = chunkHeader(body);
      start -= header.length;
      this.#out.write(header, start, 'latin1');
      end += this.#out.write('\r\n', end, 'latin1');
    }
    const out = this.#out.subarray(start, end);
    return { out: this.done ? withEnd(out, this.#decoder.trailers) : out, body, used };
  }
}

/** The longest size line, of as many digits as a size may have. */
const LONGEST_HEADER = maxSizeDigits + 2;

/** Each chunk leaves as it came, as far as it has come. */
class KeptChunks implements BodyCoding {
  readonly untilClose = false;
  readonly most = Number.POSITIVE_INFINITY;
  readonly #decoder: ChunkedDecoder;
  /** Never longer than the block it came in, but for a size line and a CRLF, each of which may come in two blocks. */
  readonly #out = Buffer.allocUnsafeSlow(LONGEST_HEADER + BLOCK + 2);
  /** The size line of the chunk being read has been written. */
  #open = false;
  done = false;

  constructor(maxTrailers: number) {
    this.#decoder = new ChunkedDecoder(maxTrailers);
  }

  get atData(): boolean {
    return this.#decoder.inData;
  }

  take(bytes: Buffer): Piece | 'malformed' | 'too-long' {
    const decoder = this.#decoder;
    let end = 0;
    let used = 0;
    let body = 0;
    for (;;) {
      const step = decoder.next(bytes, used, bytes.length);
      if (step.kind === 'malformed' || step.kind === 'too-long') return step.kind;
      if (!this.#open && (step.kind === 'data' || decoder.inData)) {
        end += this.#out.write(chunkHeader(decoder.size), end, 'latin1');
        this.#open = true;
      }
      if (step.kind !== 'data') {
        this.done = step.kind === 'end';
        const out = this.#out.subarray(0, end);
        return {
          out: this.done ? withEnd(out, decoder.trailers) : out,
          body,
          used: step.kind === 'end' ? step.at : bytes.length,
        };
      }
      end += bytes.copy(this.#out, end, step.start, step.end);
      body += step.end - step.start;
      used = step.end;
      if (!decoder.inData) {
        end += this.#out.write('\r\n', end, 'latin1');
        this.#open = false;
      }
    }
  }
}

/** A copy, once for a body, so that no relay keeps room for the longest trailers. */
function withEnd(out: Uint8Array, trailers: string): Uint8Array {
  return Buffer.concat([out, Buffer.from(lastChunk(trailers), 'latin1')]);
}
