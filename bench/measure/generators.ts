/** The native programs: the origin behind every peer, and the load in front. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const program = (name: string): string => join(import.meta.dirname, '../build', name);

/** What `load` says of one of its groups. Bytes are of bodies; latencies are there for small requests. */
export interface GroupReport {
  readonly group: string;
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly held: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export interface OriginStats {
  readonly requests: number;
  readonly bytes: number;
  readonly firstByte: { readonly count: number; readonly p50Us: number; readonly p99Us: number };
}

export interface Origin {
  readonly port: number;
  /** What came in since the last call. */
  stats(): Promise<OriginStats>;
  stop(): Promise<void>;
}

export async function startOrigin(): Promise<Origin> {
  const child = spawn(program('origin'), [], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  const port = Number((await firstLine(child, 'ready')).split(' ')[1]);
  return {
    port,
    stats: async () => {
      const response = await fetch(`http://127.0.0.1:${port}/stats`, { signal: AbortSignal.timeout(10_000) });
      return (await response.json()) as OriginStats;
    },
    stop: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** Runs groups of `load` against a port to their end. Rejects with what went wrong. */
export async function load(
  port: number,
  groups: readonly string[],
  deadlineSeconds = 60,
): Promise<GroupReport[]> {
  return report(spawnLoad(port, groups, deadlineSeconds));
}

export interface Holding {
  /** Lets go of the connections. Rejects where one was lost on the way. */
  release(): Promise<void>;
}

/** Opens the connections of one group that stays, and comes back once all are there. */
export async function hold(port: number, group: string, deadlineSeconds = 60): Promise<Holding> {
  const child = spawnLoad(port, [group], deadlineSeconds);
  const ended = report(child);
  ended.catch(() => {});
  await Promise.race([firstLine(child, 'holding'), ended]);
  return {
    release: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function spawnLoad(port: number, groups: readonly string[], deadlineSeconds: number): ChildProcess {
  const args = ['--to', `${port}`, '--deadline', `${deadlineSeconds}`, ...groups];
  const child = spawn(program('load'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

async function report(child: ChildProcess): Promise<GroupReport[]> {
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    err += chunk;
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(err.trim() || `load ended with ${code ?? signal}`);
  return JSON.parse(out.slice(out.indexOf('{'))).groups;
}

/** The first line of its output that starts with `word`. */
function firstLine(child: ChildProcess, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = '';
    child.stdout?.on('data', (chunk) => {
      out += chunk;
      const line = out
        .split('\n')
        .slice(0, -1)
        .find((each) => each.startsWith(word));
      if (line !== undefined) resolve(line);
    });
    child.once('close', () => reject(new Error(`${child.spawnfile} ended before it was ${word}`)));
    child.once('error', reject);
  });
}
