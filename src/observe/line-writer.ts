/**
 * Writes batches of lines, one after the other, without waiting for any. What can't be written must neither fill
 * the memory, nor keep the process from ending, nor take it down.
 */
import { openFile, openStandard } from './sink.ts';

export interface LineWriter {
  /** Queues one batch; the writer keeps it, so it must not be changed afterwards. */
  write(batch: Buffer): void;
  /** Opens the file anew under its name. No meaning for stdout and stderr. */
  reopen(): void;
  /** Resolves when all is written or can't be, or after a second. */
  close(): Promise<void>;
}

/** Above so many bytes waiting, batches are dropped. */
const maxWaiting = 16 * 2 ** 20;
/** A pipe that is full, or a disk, is tried again after so long, doubled each time. */
const retryAfter = { first: 1, last: 100 };
const closeTimeout = 1000;

/**
 * `destination` is `stdout`, `stderr` or a file. Throws when that can't be opened; what fails later is told to
 * `onTrouble`, once until writing works again.
 */
export function createLineWriter(destination: string, onTrouble: (why: string) => void): LineWriter {
  const standard = destination === 'stdout' ? 1 : destination === 'stderr' ? 2 : undefined;
  const queue: Buffer[] = [];
  let sink = standard === undefined ? openFile(destination) : openStandard(standard);
  let waiting = 0;
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
    sink.write(batch, (error, written) => {
      writing = false;
      if (gone) return;
      if (error !== null) return failed(error);
      troubled = false;
      retry = retryAfter.first;
      waiting -= written;
      if (written === batch.length) queue.shift();
      else queue[0] = batch.subarray(written);
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

  const forget = (): void => {
    gone = true;
    queue.length = 0;
    waiting = 0;
  };

  return {
    write(batch) {
      if (gone) return;
      if (waiting + batch.length > maxWaiting) {
        trouble('lines come faster than they are taken: some are lost');
        return;
      }
      queue.push(batch);
      waiting += batch.length;
      pump();
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
      const deadline = setTimeout(resolve, closeTimeout);
      if (gone) resolve();
      else pump();
      await promise;
      clearTimeout(deadline);
      forget();
      sink.close();
    },
  };
}
