/** System calls of a process under test that fail when the test says so: failing-calls.c, compiled and preloaded. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('failing-calls.c', import.meta.url));

/** In the order of failing-calls.c. */
const calls = ['socket', 'connect', 'accept', 'watch', 'pipe', 'linger', 'recv', 'send', 'splice'] as const;
export type FailingCall = (typeof calls)[number];
/** Whose: the native engine's, or any other, such as libuv's. */
export type Caller = 'engine' | 'others';

/** Errno numbers that node:os does not know. */
const numbers: Readonly<Record<string, number>> = constants.errno;

export class FailingCalls {
  readonly environment: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #file: number;

  private constructor(folder: string, library: string) {
    this.#folder = folder;
    const table = join(folder, 'table');
    this.#file = openSync(table, 'w+');
    writeSync(this.#file, new Int32Array(4 * calls.length), 0, undefined, 0);
    this.environment = { LD_PRELOAD: library, SLUICE_FAILING_CALLS: table };
  }

  /** Undefined where there is no C compiler, or no preloading. */
  static make(): FailingCalls | undefined {
    if (process.platform !== 'linux') return undefined;
    const folder = mkdtempSync(join(tmpdir(), 'sluice-calls-'));
    const library = join(folder, 'failing-calls.so');
    const args = ['-x', 'c', '-shared', '-fPIC', '-O1', '-Wall', '-o', library, source, '-ldl'];
    // g++ is what the engine is built with, so it is there where the engine is.
    if (['cc', 'gcc'].some((compiler) => spawnSync(compiler, args).status === 0)) {
      return new FailingCalls(folder, library);
    }
    rmSync(folder, { recursive: true });
    return undefined;
  }

  /** From now on `call` fails with `errno`. */
  fail(call: FailingCall, caller: Caller, errno: string): void {
    this.#set(call, caller, numbers[errno] ?? 0);
  }

  /** All calls work again. */
  mend(): void {
    for (const call of calls) for (const caller of ['engine', 'others'] as const) this.#set(call, caller, 0);
  }

  /** How often it has been made to fail. */
  failed(call: FailingCall, caller: Caller): number {
    const word = new Int32Array(1);
    readSync(this.#file, word, 0, 4, place(call, caller) + 8);
    return word[0] ?? 0;
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
    rmSync(this.#folder, { recursive: true });
  }

  #set(call: FailingCall, caller: Caller, error: number): void {
    writeSync(this.#file, new Int32Array([error]), 0, 4, place(call, caller));
  }
}

function place(call: FailingCall, caller: Caller): number {
  return 16 * calls.indexOf(call) + (caller === 'engine' ? 0 : 4);
}
