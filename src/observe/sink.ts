/** Where bytes of a log go: a file, or the process's stdout or stderr, whatever those are. */
import { close, constants, fstatSync, openSync, write } from 'node:fs';
import { Socket } from 'node:net';

export interface Sink {
  /** One batch at a time. `written` may be less than the batch; EAGAIN says: later. */
  write(batch: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): void;
  /** Gives up what is still being written. */
  close(): void;
}

/** Appends. Throws when it can't be opened. */
export function openFile(file: string): Sink {
  return descriptorSink(openSync(file, 'a', 0o640));
}

/**
 * stdout (1) or stderr (2), never blocking: a reader that takes nothing would else hold the thread that writes,
 * and with it the end of the process. O_NONBLOCK on the descriptor itself would be seen by whoever shares it, so
 * what it leads to is opened once more. A socket can't be, and belongs to us alone more often than not.
 */
export function openStandard(descriptor: 1 | 2): Sink {
  if (fstatSync(descriptor).isSocket()) return socketSink(descriptor);
  try {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;
    return descriptorSink(openSync(`/proc/self/fd/${descriptor}`, flags));
  } catch {
    return { ...descriptorSink(descriptor), close: () => {} };
  }
}

function descriptorSink(descriptor: number): Sink {
  let busy = false;
  let closed = false;
  return {
    write(batch, done) {
      busy = true;
      write(descriptor, batch, (error, written) => {
        busy = false;
        if (closed) close(descriptor);
        done(error, written);
      });
    },
    close() {
      closed = true;
      // Under way, it is closed when it comes back: its number could be another file's by then.
      if (!busy) close(descriptor);
    },
  };
}

function socketSink(descriptor: number): Sink {
  const socket = new Socket({ fd: descriptor, readable: false, writable: true });
  // What fails is told to the callback of the write.
  socket.on('error', () => {});
  socket.unref();
  return {
    write(batch, done) {
      socket.write(batch, (error) => done(error ?? null, error ? 0 : batch.length));
    },
    close: () => socket.destroy(),
  };
}
