/** A process that a test starts: its output in files, its end awaited, killed when the test's own process ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Files for standard output and standard error; the same name twice is one file. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface Child {
  readonly process: ChildProcess;
  /** Resolves with the exit code, or with the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** The last lines of what it wrote, for an error message. */
  tail(): string;
  /** Waits for its end, or kills it after `deadline` milliseconds and resolves with SIGKILL. */
  end(deadline: number): Promise<number | NodeJS.Signals>;
}

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

export function startChild(options: ChildOptions): Child {
  const out = openSync(options.stdout, 'a');
  const err = openSync(options.stderr, 'a');
  const child = spawn(options.command, options.args, { stdio: ['pipe', out, err] });
  closeSync(out);
  closeSync(err);
  living.add(child);
  // A test that failed before it stopped its child must not keep its own process from ending.
  child.unref();
  (child.stdin as Socket | null)?.unref();
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      living.delete(child);
      resolve(code ?? signal ?? 'SIGKILL');
    });
  });
  ended.catch(() => living.delete(child));
  return {
    process: child,
    ended,
    tail: () =>
      [...new Set([options.stdout, options.stderr])]
        .flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-20))
        .join('\n'),
    end: async (deadline) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), deadline);
      try {
        return await ended;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Asks `ready` again and again until it says so; throws, with the child's last words, when it ends or is late. */
export async function untilReady(
  child: Child,
  deadline: number,
  ready: () => Promise<boolean>,
): Promise<void> {
  const late = Date.now() + deadline;
  let ended = false;
  child.ended.then(
    () => (ended = true),
    () => (ended = true),
  );
  for (;;) {
    if (await ready().catch(() => false)) return;
    if (ended || Date.now() > late) {
      child.process.kill('SIGKILL');
      throw new Error(`${child.process.spawnfile} ${ended ? 'ended' : 'is late'}:\n${child.tail()}`);
    }
    await sleep(100);
  }
}

/** Ports of the loopback that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const probes = await Promise.all(
    Array.from({ length: count }, async () => {
      const probe = createServer();
      await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
      return probe;
    }),
  );
  return Promise.all(
    probes.map(async (probe) => {
      const address = probe.address();
      await new Promise<void>((resolve) => probe.close(() => resolve()));
      if (address === null || typeof address === 'string') throw new Error('a probe has no port');
      return address.port;
    }),
  );
}
