/**
 * Writes batches of lines to a descriptor, one after the other, off the loop thread. What can't be written must
 * neither fill the memory, nor keep the process from ending, nor take it down.
 */
import { close, constants, openSync, write } from 'node:fs';

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
  const open = (): number => openSync(destination, 'a', 0o640);
  let descriptor = standard === undefined ? open() : withoutBlocking(standard);
  const queue: Buffer[] = [];
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
    const batch = queue[0];
    if (batch === undefined) onIdle?.();
    if (batch === undefined || writing) return;
    writing = true;
    write(descriptor, batch, (error, written) => {
      writing = false;
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
    if (error.code === 'EPIPE') {
      // Whoever read is gone for good: from here on there is nothing to write to.
      gone = true;
      queue.length = 0;
      waiting = 0;
    }
    if (error.code !== 'EAGAIN') trouble(error.message);
    if (onIdle !== undefined && error.code !== 'EAGAIN') return onIdle();
    setTimeout(pump, retry).unref();
    retry = Math.min(2 * retry, retryAfter.last);
  };

  return {
    write(batch) {
      if (gone) return;
      if (waiting + batch.length > maxWaiting)
        return trouble('lines come faster than they are taken; some are lost');
      queue.push(batch);
      waiting += batch.length;
      pump();
    },

    reopen() {
      if (standard !== undefined) return;
      try {
        const old = descriptor;
        descriptor = open();
        // A write under way holds the old one; it is over long before.
        setTimeout(() => close(old), retryAfter.last).unref();
      } catch (error) {
        trouble(error instanceof Error ? error.message : String(error));
      }
    },

    async close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      onIdle = resolve;
      const deadline = setTimeout(resolve, closeTimeout);
      pump();
      await promise;
      clearTimeout(deadline);
      gone = true;
      queue.length = 0;
      if (standard === undefined && !writing) close(descriptor);
    },
  };
}

/**
 * A full pipe would hold the thread that writes to it, and with it the end of the process. O_NONBLOCK on stdout
 * itself would be seen by whoever shares it, so the pipe is opened once more; a socket can't be, and stays.
 */
function withoutBlocking(standard: number): number {
  try {
    return openSync(
      `/proc/self/fd/${standard}`,
      constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK,
    );
  } catch {
    return standard;
  }
}
