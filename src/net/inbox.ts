/** Bytes that have come and that nobody has read yet: always one contiguous piece, so that heads are shown in place. */
import { beginsNoHead } from '../http1/beginning.ts';
import { maxEmptyLines } from './contract.ts';

const LF = 0x0a;
const CR = 0x0d;
const EMPTY = Buffer.alloc(0);

export interface FoundHead {
  readonly kind: 'head' | 'too-large' | 'foreign';
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

export class Inbox {
  #buffer: Buffer = EMPTY;
  #start = 0;
  #end = 0;
  /** Everything before it is known to hold no end of a head. */
  #scanned = 0;
  /** Skipped since the last head. */
  #emptyLines = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Takes the buffer over when empty, and copies behind what is there otherwise. What was shown is never overwritten. */
  push(bytes: Buffer): void {
    if (this.length === 0) {
      this.#replace(bytes, bytes.length);
      return;
    }
    if (this.#end + bytes.length > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.length, this.length + bytes.length, 1024));
      const length = this.#buffer.copy(grown, 0, this.#start, this.#end);
      this.#scanned -= this.#start;
      this.#buffer = grown;
      this.#start = 0;
      this.#end = length;
    }
    bytes.copy(this.#buffer, this.#end);
    this.#end += bytes.length;
  }

  /** Puts bytes back in front of the others. */
  unread(bytes: Uint8Array): void {
    const joined = Buffer.concat([bytes, this.#buffer.subarray(this.#start, this.#end)]);
    this.#replace(joined, joined.length);
  }

  take(maxBytes: number): Buffer {
    const end = Math.min(this.#end, this.#start + maxBytes);
    const taken = this.#buffer.subarray(this.#start, end);
    this.#consume(end);
    return taken;
  }

  /**
   * Takes a whole head, or shows one that has outgrown `maxBytes` or is none; undefined while it is incomplete. Empty lines
   * before the start line are skipped, `maxEmptyLines` of them; one more is taken for a head. A bare LF ends a line
   * too: so such a head reaches the parser, which refuses it, and not the deadline.
   */
  takeHead(maxBytes: number): FoundHead | undefined {
    while (this.#buffer[this.#start] === CR && this.#buffer[this.#start + 1] === LF && this.length >= 2) {
      const [buffer, start, end] = [this.#buffer, this.#start, this.#start + 2];
      this.#consume(end);
      if (this.#emptyLines === maxEmptyLines) {
        this.#emptyLines = 0;
        return { kind: 'head', buffer, start, end };
      }
      this.#emptyLines += 1;
    }
    const start = this.#start;
    const end = this.#headEnd();
    const buffer = this.#buffer;
    if (end === undefined && beginsNoHead(buffer, start, this.#end)) {
      return { kind: 'foreign', buffer, start, end: this.#end };
    }
    if (end === undefined ? this.length > maxBytes : end - start > maxBytes) {
      return { kind: 'too-large', buffer, start, end: this.#end };
    }
    if (end === undefined) return undefined;
    this.#emptyLines = 0;
    this.#consume(end);
    return { kind: 'head', buffer, start, end };
  }

  #headEnd(): number | undefined {
    let at = Math.max(this.#start, this.#scanned);
    const bytes = this.#buffer.subarray(0, this.#end);
    for (;;) {
      const lf = bytes.indexOf(LF, at);
      if (lf < 0) break;
      if (bytes[lf + 1] === LF) return lf + 2;
      if (bytes[lf + 1] === CR && bytes[lf + 2] === LF) return lf + 3;
      at = lf + 1;
    }
    // An end may begin in the last two bytes: LF, or LF CR.
    this.#scanned = this.#end - 2;
    return undefined;
  }

  #consume(end: number): void {
    this.#start = end;
    if (this.length === 0) this.#replace(EMPTY, 0);
  }

  #replace(buffer: Buffer, length: number): void {
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = length;
    this.#scanned = 0;
  }
}
