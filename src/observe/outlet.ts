/**
 * One channel that the access log and the operator's log write to, a line of the one never inside a line of the
 * other. Batches of the access log are written as room comes; the operator's lines at once, or else between two batches.
 */
import type { Channel } from './channel.ts';

/** Bytes of the operator's lines that wait for room, at most. */
const maxWaiting = 2 ** 20;
/** Where there is no room it is looked for again after so long, doubled each time. Milliseconds. */
const retryAfter = { first: 1, last: 100 };
/** What waits at the end of the process is tried for so long, in such steps. Milliseconds. */
const lastWords = { timeout: 1000, step: 10 };
const newline = 10;

interface Batch {
  readonly bytes: Buffer;
  readonly done: (error: NodeJS.ErrnoException | null, written: number) => void;
}

export class Outlet {
  readonly #channel: Channel;
  /** The operator's, each whole, but for the first while `#broken` says so. */
  #lines: Buffer[] = [];
  #waiting = 0;
  #batch: Batch | undefined;
  #busy = false;
  /** Whose line has been written in part: nothing else may follow than its rest. */
  #broken: 'none' | 'line' | 'batch' = 'none';
  /** No batch is to come: one that comes back in part stays so. */
  #ended = false;
  #lost = 0;
  #retry = retryAfter.first;
  #timer: NodeJS.Timeout | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Whole lines, or the rest of a batch that was written in part. As `Channel.write`. */
  write(bytes: Buffer, done: Batch['done']): void {
    this.#batch = { bytes, done };
    this.#ended = false;
    this.#pump();
  }

  /** The access log writes no more, whatever it has written of its last line. */
  endBatches(): void {
    this.#ended = true;
    if (this.#broken !== 'batch') return;
    this.#broken = 'none';
    if (this.#lines.length > 0) this.#queue(Buffer.of(newline), 'first');
    this.#pump();
  }

  /** One line of the operator's, its newline included. Never waits, never throws. */
  line(text: string): void {
    const bytes = Buffer.from(text);
    if (this.#lost > 0 && this.#waiting < maxWaiting / 2) this.#tellLost();
    if (this.#waiting + bytes.length > maxWaiting) {
      this.#lost += 1;
      return;
    }
    this.#queue(bytes, 'last');
    if (!this.#busy && this.#broken !== 'batch' && this.#timer === undefined) this.#writeNow();
  }

  /** What waits, as far as it is taken within a second. For the end of the process: it holds the thread. */
  flush(): void {
    // What is under way may have been taken in part: a broken line is then one by itself.
    if ((this.#busy || this.#broken === 'batch') && this.#lines.length > 0)
      this.#queue(Buffer.of(newline), 'first');
    this.#busy = false;
    this.#broken = 'none';
    const clock = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; waited < lastWords.timeout; waited += lastWords.step) {
      this.#writeNow();
      if (this.#lines.length === 0) return;
      Atomics.wait(clock, 0, 0, lastWords.step);
    }
  }

  #queue(bytes: Buffer, at: 'first' | 'last'): void {
    if (at === 'first') this.#lines.unshift(bytes);
    else this.#lines.push(bytes);
    this.#waiting += bytes.length;
  }

  #tellLost(): void {
    const msg = 'lines were lost: stderr did not take them';
    const line = { level: 'warn', time: new Date().toISOString(), lines: this.#lost, msg };
    this.#lost = 0;
    this.#queue(Buffer.from(`${JSON.stringify(line)}\n`), 'last');
  }

  #writeNow(): void {
    while (this.#lines.length > 0) {
      const bytes = Buffer.concat(this.#lines);
      let written = 0;
      try {
        written = this.#channel.writeNow(bytes);
      } catch {
        // The reader is gone, or the disk is full: there is nobody to tell.
        this.#forget();
        return;
      }
      this.#tookOfLines(bytes, written);
      if (written === 0) {
        this.#tryLater();
        return;
      }
    }
  }

  #pump(): void {
    if (this.#busy) return;
    const front = this.#broken === 'batch' ? none : Buffer.concat(this.#lines);
    const batch = this.#batch;
    if (batch === undefined && front.length === 0) return;
    this.#batch = undefined;
    this.#busy = true;
    const bytes =
      batch === undefined ? front : front.length === 0 ? batch.bytes : Buffer.concat([front, batch.bytes]);
    this.#channel.write(bytes, (error, written) => {
      if (!this.#busy) return;
      this.#busy = false;
      if (error === null) this.#took(front, batch, written);
      else this.#failed(error, batch);
    });
  }

  #took(front: Buffer, batch: Batch | undefined, written: number): void {
    this.#retry = retryAfter.first;
    if (front.length > 0) this.#tookOfLines(front, Math.min(written, front.length));
    const ofBatch = Math.max(0, written - front.length);
    if (batch !== undefined && ofBatch > 0)
      this.#broken = batch.bytes[ofBatch - 1] === newline ? 'none' : 'batch';
    batch?.done(null, ofBatch);
    // The writer of a batch that is broken off goes on with it; the lines follow.
    if (this.#broken !== 'batch') this.#pump();
    else if (this.#ended) this.endBatches();
  }

  #failed(error: NodeJS.ErrnoException, batch: Batch | undefined): void {
    if (error.code !== 'EAGAIN') this.#forget();
    if (this.#lines.length > 0) this.#tryLater();
    batch?.done(error, 0);
  }

  /** `bytes` were the first lines; so many of them are written. */
  #tookOfLines(bytes: Buffer, written: number): void {
    if (written === 0) return;
    let left = bytes.length;
    while (left > 0) left -= this.#lines.shift()?.length ?? left;
    this.#waiting -= bytes.length;
    this.#broken = 'none';
    if (written === bytes.length) return;
    if (bytes[written - 1] !== newline) this.#broken = 'line';
    this.#queue(bytes.subarray(written), 'first');
  }

  #tryLater(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#broken !== 'batch') this.#pump();
    }, this.#retry).unref();
    this.#retry = Math.min(2 * this.#retry, retryAfter.last);
  }

  #forget(): void {
    this.#lost += this.#lines.length;
    this.#lines = [];
    this.#waiting = 0;
    if (this.#broken === 'line') this.#broken = 'none';
  }
}

const none = Buffer.alloc(0);
