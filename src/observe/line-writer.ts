/**
 * Writes batches of lines, one after the other, without waiting for any. What can't be written must neither fill
 * the memory, nor keep the process from ending, nor take it down.
 */
import { openFile, openStandard } from './sink.ts';

export interface LineWriter {
  /** Queues one batch of so many lines; the writer keeps it, so it must not be changed afterwards. */
  write(batch: Buffer, lines: number): void;
  /** Bytes queued so far that are written, or given up. */
  readonly settled: number;
  /** Lines given up so far. */
  readonly lost: number;
  /** Bytes are waiting, and none has been taken for so long that there is no point in waiting with them. */
  readonly stuck: boolean;
  /** Resolves when more is settled, or after `timeout` milliseconds. */
  progress(timeout: number): Promise<void>;
  /** Opens the file anew under its name. No meaning for stdout and stderr. */
  reopen(): void;
  /** Resolves when all is written, nothing has been taken for a second, or after ten. */
  close(): Promise<void>;
}

/** Above so many bytes waiting, batches are dropped. */
export const maxWaiting = 16 * 2 ** 20;
/** A destination that takes nothing for so long, in milliseconds, is stuck. */
const stuckAfter = 5000;
/** A pipe that is full, or a disk, is tried again after so long, doubled each time. */
const retryAfter = { first: 1, last: 100 };
/** At the end a reader that still takes is waited for, but not for ever. Milliseconds. */
const closeTimeout = { idle: 1000, whole: 10_000 };

/**
 * `destination` is `stdout`, `stderr` or a file. Throws when that can't be opened; what fails later is told to
 * `onTrouble`, once until writing works again.
 */
export function createLineWriter(destination: string, onTrouble: (why: string) => void): LineWriter {
  const standard = destination === 'stdout' ? 1 : destination === 'stderr' ? 2 : undefined;
  const queue: { bytes: Buffer; readonly lines: number }[] = [];
  const watchers = new Set<() => void>();
  let sink = standard === undefined ? openFile(destination) : openStandard(standard);
  let taken = 0;
  let waiting = 0;
  let lost = 0;
  /** Since when nothing has been taken, by `performance.now()`; meaningful while something waits. */
  let idleSince = 0;
  let writing = false;
  let gone = false;
  let troubled = false;
  let retry = retryAfter.first;
  let onIdle: (() => void) | undefined;

  const trouble = (why: string): void => {
    if (!troubled) onTrouble(why);
    troubled = true;
  };

  const pump = (): void => {
    if (writing) return;
    const batch = queue[0];
    if (batch === undefined) {
      onIdle?.();
      return;
    }
    writing = true;
    sink.write(batch.bytes, (error, written) => {
      writing = false;
      if (gone) return;
      if (error !== null) return failed(error);
      retry = retryAfter.first;
      waiting -= written;
      // A destination that is slow, but not stuck, is told of once as well.
      if (waiting < maxWaiting / 2) troubled = false;
      idleSince = performance.now();
      if (written === batch.bytes.length) queue.shift();
      else batch.bytes = batch.bytes.subarray(written);
      progressed();
      pump();
    });
  };

  const failed = (error: NodeJS.ErrnoException): void => {
    const full = error.code === 'EAGAIN';
    if (!full) trouble(error.message);
    // Whoever read is gone for good: from here on there is nothing to write to.
    if (error.code === 'EPIPE') forget();
    if (gone || (onIdle !== undefined && !full)) {
      onIdle?.();
      return;
    }
    setTimeout(pump, retry).unref();
    retry = Math.min(2 * retry, retryAfter.last);
  };

  const progressed = (): void => {
    for (const watcher of watchers) watcher();
  };

  const forget = (): void => {
    gone = true;
    for (const { lines } of queue) lost += lines;
    queue.length = 0;
    waiting = 0;
    progressed();
  };

  return {
    write(batch, lines) {
      taken += batch.length;
      if (gone || waiting + batch.length > maxWaiting) {
        lost += lines;
        progressed();
        if (gone) return;
        trouble('lines come faster than they are taken: some are lost');
        return;
      }
      if (waiting === 0) idleSince = performance.now();
      queue.push({ bytes: batch, lines });
      waiting += batch.length;
      pump();
    },

    get settled() {
      return taken - waiting;
    },
    get lost() {
      return lost;
    },
    get stuck() {
      return waiting > 0 && performance.now() - idleSince > stuckAfter;
    },
    progress(timeout) {
      return new Promise((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          watchers.delete(end);
          resolve();
        };
        const timer = setTimeout(end, timeout);
        watchers.add(end);
      });
    },

    reopen() {
      if (standard !== undefined) return;
      try {
        const next = openFile(destination);
        sink.close();
        sink = next;
      } catch (error) {
        trouble(error instanceof Error ? error.message : String(error));
      }
    },

    async close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      onIdle = resolve;
      const idle = setTimeout(resolve, closeTimeout.idle);
      const late = setTimeout(resolve, closeTimeout.whole);
      const stillTaken = (): void => void idle.refresh();
      watchers.add(stillTaken);
      if (gone) resolve();
      else pump();
      await promise;
      clearTimeout(idle);
      clearTimeout(late);
      watchers.delete(stillTaken);
      forget();
      sink.close();
    },
  };
}
