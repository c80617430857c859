/**
 * The chunked coding (RFC 9112, section 7.1), decoded as it arrives. The engine follows the same rules:
 *
 * 1. A size line is 1 to 13 hexadecimal digits, then CRLF, or a `;` and an extension before the CRLF. No
 *    sign, no `0x`, no whitespace around the digits. Leading zeros count as digits.
 * 2. An extension is dropped. Between its `;` and its CRLF are at most 256 bytes, none of them a control
 *    character other than HTAB.
 * 3. After the data of a chunk comes CRLF exactly. Lines end in CRLF: no bare CR, no bare LF.
 * 4. A chunk of size 0 is the last. Trailer lines follow, then an empty line: with their CRLFs at most as many bytes
 *    as the decoder is made for, each a valid field line as in a request's head (token, colon, no control
 *    characters, no folding).
 * 5. Trailers that could change what the head said are dropped (`isBarredTrailer`), the others kept in order.
 *
 * All else is malformed: the connection can't be used any further.
 */
import { isBarredTrailer } from './field-names.ts';
import { headBytes, parseFields } from './fields.ts';
import { CR, is, LF, SEMICOLON, VALUE } from './octets.ts';

export const maxSizeDigits = 13;
export const maxExtension = 256;
/** Bytes of trailers, unless a decoder is made for more or less. */
export const standardTrailers = 8192;

export type ChunkStep =
  /** `buffer[start..end)` is body; go on at `end`. */
  | { readonly kind: 'data'; readonly start: number; readonly end: number }
  /** All bytes are read and the body goes on. */
  | { readonly kind: 'more' }
  /** The body has ended; from `at` on the bytes belong to the next message. */
  | { readonly kind: 'end'; readonly at: number }
  | { readonly kind: 'malformed'; readonly detail: string }
  /** More bytes of trailers than the decoder is made for. */
  | { readonly kind: 'too-long'; readonly detail: string };

/** What the next byte is part of. */
type State =
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer-start'
  | 'trailer'
  | 'trailer-lf'
  | 'last-lf'
  | 'ended';

const tooLong = { kind: 'too-long', detail: 'trailers that are too long' } as const;
/** What is wrong with a byte: how it is malformed, or that it is one too many. */
type Fault = string | typeof tooLong;

const more: ChunkStep = { kind: 'more' };

/** Decodes one body. Nothing is copied: data comes out as spans of the buffers that go in. */
export class ChunkedDecoder {
  readonly #maxTrailers: number;
  #state: State = 'size';
  /** Of the chunk whose size line is being read, or was read last. */
  #size = 0;
  /** Of that chunk's data, still to come. */
  #left = 0;
  #digits = 0;
  #extension = 0;
  #trailers = '';
  #fault: ChunkStep | undefined;

  /** Longer trailers, in bytes, are refused: as they come, and as they go on. */
  constructor(maxTrailers = standardTrailers) {
    this.#maxTrailers = maxTrailers;
  }

  /** After `end`: the trailers kept, as canonical lines each with its CRLF. */
  get trailers(): string {
    return this.#state === 'ended' ? this.#trailers : '';
  }

  /** True where the next byte is data: more of the body is certain to come. */
  get inData(): boolean {
    return this.#state === 'data';
  }

  /** Bytes of data in the current chunk, or in the last one. */
  get size(): number {
    return this.#size;
  }

  /** Reads `buffer[start..end)` up to the next thing to say. Once malformed, always malformed. */
  next(buffer: Buffer, start: number, end: number): ChunkStep {
    if (this.#fault !== undefined) return this.#fault;
    let at = start;
    while (at < end) {
      if (this.#state === 'ended') return { kind: 'end', at };
      if (this.#state === 'data') {
        const dataEnd = Math.min(end, at + this.#left);
        this.#left -= dataEnd - at;
        if (this.#left === 0) this.#state = 'data-cr';
        return { kind: 'data', start: at, end: dataEnd };
      }
      const fault = this.#frame(buffer, at);
      if (fault !== undefined) {
        this.#fault = typeof fault === 'string' ? { kind: 'malformed', detail: fault } : fault;
        return this.#fault;
      }
      at++;
    }
    return this.#state === 'ended' ? { kind: 'end', at } : more;
  }

  /** Takes one byte that is not data. Returns what is wrong with it. */
  #frame(buffer: Buffer, at: number): Fault | undefined {
    const octet = buffer[at] ?? 0;
    switch (this.#state) {
      case 'size':
        return this.#sizeLine(octet);
      case 'extension':
        if (octet === CR) return this.#turn('size-lf');
        if (!is(buffer, at, VALUE)) return 'a control character in a chunk extension';
        return ++this.#extension > maxExtension ? 'a chunk extension that is too long' : undefined;
      case 'size-lf':
        if (octet !== LF) return 'a bare CR in a chunk size line';
        this.#digits = 0;
        this.#left = this.#size;
        return this.#turn(this.#left === 0 ? 'trailer-start' : 'data');
      case 'data-cr':
        return octet === CR ? this.#turn('data-lf') : 'more data in a chunk than its size';
      case 'data-lf':
        return octet === LF ? this.#turn('size') : 'a bare CR after the data of a chunk';
      case 'trailer-start':
        return octet === CR ? this.#turn('last-lf') : this.#trailer(octet);
      case 'trailer':
        return this.#trailer(octet);
      case 'trailer-lf':
        if (octet !== LF) return 'a bare CR in a trailer';
        this.#trailers += '\r\n';
        return this.#turn('trailer-start');
      default:
        return octet === LF ? this.#end() : 'a bare CR after the trailers';
    }
  }

  #turn(state: State): undefined {
    this.#state = state;
  }

  #sizeLine(octet: number): string | undefined {
    const digit = hexDigit(octet);
    if (digit !== -1) {
      if (++this.#digits > maxSizeDigits) return 'a chunk size of too many digits';
      this.#size = this.#digits === 1 ? digit : this.#size * 16 + digit;
      return undefined;
    }
    if (this.#digits === 0) return 'a chunk size line without a size';
    if (octet === CR) return this.#turn('size-lf');
    if (octet !== SEMICOLON) return 'a character that no chunk size may hold';
    this.#extension = 0;
    return this.#turn('extension');
  }

  #trailer(octet: number): Fault | undefined {
    if (octet === CR) return this.#turn('trailer-lf');
    if (octet === LF) return 'a bare LF in a trailer';
    this.#trailers += String.fromCharCode(octet);
    return this.#trailers.length + 2 > this.#maxTrailers ? tooLong : this.#turn('trailer');
  }

  #end(): Fault | undefined {
    const section = Buffer.from(`\r\n${this.#trailers}\r\n`, 'latin1');
    const head = headBytes(section, 0, section.length);
    const fields = head === undefined ? undefined : parseFields(head, 2, section.length, 'client');
    if (fields === undefined || 'code' in fields) return `a malformed trailer, ${fields?.detail}`;
    this.#trailers = fields.list
      .filter(({ key }) => !isBarredTrailer(key))
      .map(({ name, value }) => `${name}: ${value}\r\n`)
      .join('');
    // A space put behind each colon can push them over the limit, which others have made room for.
    return this.#trailers.length > this.#maxTrailers ? tooLong : this.#turn('ended');
  }
}

/** The value of a hexadecimal digit, or -1. */
function hexDigit(octet: number): number {
  if (octet >= 48 && octet <= 57) return octet - 48;
  const letter = octet | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** The line before `size` bytes of data; CRLF follows them. The size is above 0: see `lastChunk`. */
export function chunkHeader(size: number): string {
  return `${size.toString(16)}\r\n`;
}

/** What ends a chunked body; `trailers` are complete lines. */
export function lastChunk(trailers = ''): string {
  return `0\r\n${trailers}\r\n`;
}
