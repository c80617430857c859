/** What a descriptor leads to (a file, a pipe, a terminal, a socket), written without ever waiting for a reader. */
import { close, constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';

export interface Channel {
  /** One write at a time. `written` may be less than the batch; EAGAIN says: later. */
  write(batch: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): void;
  /** At once, while no `write` is under way. Returns the bytes taken, fewer than given where there is no room. */
  writeNow(bytes: Buffer): number;
  /** Gives up what is still being written. */
  close(): void;
}

/** A descriptor that is closed with the channel. */
export function ownChannel(descriptor: number): Channel {
  return descriptorChannel(descriptor, true);
}

/**
 * stdout (1) or stderr (2). A plain file never makes a writer wait, and its offset is shared by everybody who writes
 * through this open file description: with one of our own, both would write to the same place. A pipe and a terminal
 * have no offset, but a reader that takes nothing would hold the thread that writes, and with it the end of the
 * process. O_NONBLOCK on the descriptor itself would be seen by whoever shares it, the shell for one, so what it
 * leads to is opened once more. A socket can't be, and belongs to us alone more often than not.
 */
export function standardChannel(descriptor: 1 | 2): Channel {
  const stat = fstatSync(descriptor);
  try {
    if (stat.isSocket()) return socketChannel(descriptor);
    if (!stat.isFile()) {
      const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
      return ownChannel(openSync(`/proc/self/fd/${descriptor}`, flags));
    }
  } catch {
    // Another user's pipe or terminal, or a socket of an unknown kind: the descriptor itself has to do.
  }
  return descriptorChannel(descriptor, false);
}

function descriptorChannel(descriptor: number, owned: boolean): Channel {
  let busy = false;
  let closed = false;
  const release = (): void => {
    if (owned) close(descriptor);
  };
  return {
    write(batch, done) {
      busy = true;
      write(descriptor, batch, (error, written) => {
        busy = false;
        if (closed) release();
        done(error, written);
      });
    },
    writeNow: (bytes) => writtenNow(descriptor, bytes),
    close() {
      closed = true;
      // Under way, it is closed when it comes back: its number could be another file's by then.
      if (!busy) release();
    },
  };
}

function socketChannel(descriptor: number): Channel {
  const socket = new Socket({ fd: descriptor, readable: false, writable: true });
  // What fails is told to the callback of the write.
  socket.on('error', () => {});
  socket.unref();
  return {
    write(batch, done) {
      socket.write(batch, (error) => done(error ?? null, error ? 0 : batch.length));
    },
    writeNow: (bytes) => writtenNow(descriptor, bytes),
    close: () => socket.destroy(),
  };
}

function writtenNow(descriptor: number, bytes: Buffer): number {
  try {
    return writeSync(descriptor, bytes);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
    throw error;
  }
}
