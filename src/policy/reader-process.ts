/**
 * Has policies read in a process of its own, which ends when nothing has been read for a while: the YAML parser and
 * the schema would else stay in the proxy's memory, 20 MB for a page of text. It also bounds what hostile texts can
 * do to the proxy.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { SourceText } from './sources/source.ts';
import type { Reading } from './store.ts';
import type { Surroundings } from './surroundings.ts';

/** One line of JSON each way. */
export interface ReadRequest {
  readonly texts: readonly SourceText[];
  readonly surroundings: Surroundings;
}

export interface ReaderProcess {
  /** One at a time. Rejects when the process can't be had, dies, or does not answer in time. */
  read(texts: readonly SourceText[]): Promise<Reading>;
  close(): void;
}

export interface ReaderOptions {
  /** Arguments for this executable that start the reader: serve.ts. */
  readonly command: readonly string[];
  readonly surroundings: Surroundings;
  /** Milliseconds. */
  readonly idleTimeout?: number;
  readonly timeout?: number;
  /** MiB of its heap; a set within the bounds of bounds.ts takes a third of it. */
  readonly memory?: number;
}

interface Child {
  readonly process: ChildProcess;
  /** Settled by the next line, or by the end of the process. */
  answer: PromiseWithResolvers<string>;
}

export function createReaderProcess(options: ReaderOptions): ReaderProcess {
  const { surroundings, idleTimeout = 5000, timeout = 30_000 } = options;
  let child: Child | undefined;
  let idle: NodeJS.Timeout | undefined;

  const stop = (): void => {
    clearTimeout(idle);
    child?.process.kill();
    child = undefined;
  };
  /** One that was stopped ends later, when another may have taken its place. */
  const onEnd = (ended: Child): void => {
    if (child === ended) stop();
  };

  return {
    async read(texts) {
      clearTimeout(idle);
      const reader = child ?? start(options, onEnd);
      child = reader;
      reader.answer = Promise.withResolvers();
      const request: ReadRequest = { texts, surroundings };
      reader.process.stdin?.write(`${JSON.stringify(request)}\n`);
      const late = setTimeout(() => {
        reader.answer.reject(new Error(`the reader of policies has not answered in ${timeout} ms`));
        stop();
      }, timeout);
      try {
        return reviveReading(await reader.answer.promise);
      } finally {
        clearTimeout(late);
        idle = setTimeout(stop, idleTimeout).unref();
      }
    },
    close: stop,
  };
}

function start({ command, memory = 512 }: ReaderOptions, onEnd: (ended: Child) => void): Child {
  // Policies name secrets of the environment, but only the proxy itself may see them.
  const process = spawn(globalThis.process.execPath, [`--max-old-space-size=${memory}`, ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {},
  });
  const child: Child = { process, answer: Promise.withResolvers() };
  child.answer.promise.catch(() => {});
  const fail = (why: string): void => {
    child.answer.reject(new Error(`the reader of policies ${why}`));
    onEnd(child);
  };
  process.on('error', (error) => fail(`can't be started: ${error.message}`));
  process.on('exit', (code, signal) => fail(howItEnded(signal ?? code, memory)));
  process.stdin?.on('error', () => {});
  if (process.stdout)
    createInterface({ input: process.stdout }).on('line', (line) => child.answer.resolve(line));
  // It must not keep the proxy from ending.
  process.unref();
  return child;
}

/** V8 aborts where its heap is full, the kernel kills where the container's memory is. */
function howItEnded(by: NodeJS.Signals | number | null, memory: number): string {
  if (by === 'SIGABRT')
    return `ran out of its ${memory} MiB of memory (SIGABRT); use fewer or shorter policies`;
  if (by === 'SIGKILL') {
    return `was killed (SIGKILL), as the kernel does where memory runs out; give the container ${memory} MiB more, or use fewer or shorter policies`;
  }
  return `ended (${by})`;
}

/** JSON has no Infinity: it is written as null, and nothing else in a document is. */
export function reviveReading(json: string): Reading {
  return JSON.parse(json, (_key, value: unknown) =>
    value === null ? Number.POSITIVE_INFINITY : value,
  ) as Reading;
}
