/** Where bytes of a log go: a file, or the process's stdout or stderr, whatever those are. */
import { type BigIntStats, closeSync, fstatSync, openSync } from 'node:fs';
import { type Channel, ownChannel, standardChannel } from './channel.ts';
import { Outlet } from './outlet.ts';

export interface Sink {
  /**
   * One batch at a time: whole lines, or the rest of the last batch. `written` may be less than the batch; EAGAIN
   * says: later.
   */
  write(batch: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): void;
  /** Gives up what is still being written. */
  close(): void;
}

/** Appends. Throws when it can't be opened. */
export function openFile(file: string): Sink {
  // `/dev/stdout` leads nowhere where stdout is a socket; it means the same as the name.
  if (file === '/dev/stdout') return openStandard(1);
  if (file === '/dev/stderr') return openStandard(2);
  const descriptor = openSync(file, 'a', 0o640);
  if (!leadsToStderr(descriptor)) return ownChannel(descriptor);
  closeSync(descriptor);
  return sharedSink();
}

/** stdout (1) or stderr (2), never waiting for a reader. */
export function openStandard(descriptor: 1 | 2): Sink {
  return leadsToStderr(descriptor) ? sharedSink() : standardChannel(descriptor);
}

let outlet: Outlet | undefined;

/** What the operator's log writes to, and the access log as well where it goes to the same place. */
export function standardError(): Outlet {
  if (outlet === undefined) {
    const opened = new Outlet(stderrChannel());
    process.once('exit', () => opened.flush());
    outlet = opened;
  }
  return outlet;
}

/** Without stderr there is nobody to tell. */
function stderrChannel(): Channel {
  try {
    return standardChannel(2);
  } catch {
    return {
      write: (batch, done) => setImmediate(done, null, batch.length),
      writeNow: (bytes) => bytes.length,
      close() {},
    };
  }
}

/** It stays open: the operator is told to the last. */
function sharedSink(): Sink {
  const shared = standardError();
  return {
    write: (batch, done) => shared.write(batch, done),
    close: () => shared.endBatches(),
  };
}

/** Two writers to one place must be one, or their lines end up inside or on top of each other. */
function leadsToStderr(descriptor: number): boolean {
  const [one, other] = [statOf(descriptor), statOf(2)];
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino;
}

function statOf(descriptor: number): BigIntStats | undefined {
  try {
    return fstatSync(descriptor, { bigint: true });
  } catch {
    return undefined;
  }
}
