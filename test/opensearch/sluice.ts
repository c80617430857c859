/** Starts and stops the proxy as its users do, by `./sluice run`, and reads what it says about itself. */
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PolicyReport } from '../../src/admin/contract.ts';
import { freePorts, startChild, untilReady } from '../support/child.ts';
import { cached, checkout } from './cache.ts';

/** The keys of the access log that the tests look at; sizes are bytes. */
export interface LoggedBody {
  readonly framing: 'none' | 'length' | 'chunked' | 'until-close';
  readonly bytes: number;
  readonly spliced?: number;
  readonly copied?: number;
}

export interface LoggedExchange {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly request: LoggedBody;
  readonly response: LoggedBody;
  readonly transport?: 'engine' | 'streams';
  readonly reused?: boolean;
  readonly end: string;
}

export interface Sluice {
  readonly url: string;
  /** The access log's lines for requests to `path`, as soon as there are at least `count` of them. */
  exchanges(path: string, count: number): Promise<LoggedExchange[]>;
  /** All of the access log, when nothing has been asked for a second. */
  log(): Promise<LoggedExchange[]>;
  /** A metric's value by its name and labels as `/metrics` prints them; 0 where it isn't there. */
  metric(series: string): Promise<number>;
  /** The policies in effect and what they have decided. */
  policies(): Promise<PolicyReport>;
  /** Once: SIGINT, which drains without waiting for a balancer, or SIGTERM. Throws unless it ends with status 0. */
  stop(signal?: 'SIGINT' | 'SIGTERM'): Promise<void>;
}

/** The log is written in batches, a second apart at most. */
const logDelay = 1500;

/** Standard output has other lines, too: what the proxy has to say about itself. */
function readLog(file: string): LoggedExchange[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"time"') && line.endsWith('}'))
    .map((line) => JSON.parse(line));
}

export function startSluice(...upstreams: readonly string[]): Promise<Sluice> {
  return startConfigured(upstreams.flatMap((upstream) => ['--upstream', upstream]));
}

/** With more flags than its own addresses: `-c FILE`, `--upstream URL`. */
export async function startConfigured(flags: readonly string[]): Promise<Sluice> {
  const folder = cached('run', `proxy-${randomUUID()}`);
  const log = path.join(folder, 'access.log');
  const [port, admin] = (await freePorts(2)) as [number, number];
  const child = startChild({
    command: path.join(checkout, 'sluice'),
    args: ['run', '--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${admin}`, ...flags],
    stdout: log,
    stderr: path.join(folder, 'error.log'),
  });
  await untilReady(child, 20_000, async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok);
  const stop = async (signal: 'SIGINT' | 'SIGTERM'): Promise<void> => {
    child.process.kill(signal);
    const code = await child.end(60_000);
    if (code !== 0) throw new Error(`sluice ended with ${code}:\n${child.tail()}`);
    rmSync(folder, { recursive: true, force: true });
  };
  let stopped: Promise<void> | undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    exchanges: async (wanted, count) => {
      const late = Date.now() + 2 * logDelay;
      for (;;) {
        const found = readLog(log).filter((exchange) => exchange.path === wanted);
        if (found.length >= count) return found;
        if (Date.now() > late) throw new Error(`${found.length} of ${count} exchanges logged for ${wanted}`);
        await sleep(50);
      }
    },
    log: async () => {
      await sleep(logDelay);
      return readLog(log);
    },
    metric: async (series) => {
      const text = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
      const line = text.split('\n').find((one) => one.startsWith(`${series} `));
      return line === undefined ? 0 : Number(line.slice(series.length));
    },
    policies: async () => {
      const report = await fetch(`http://127.0.0.1:${admin}/policies`, { signal: AbortSignal.timeout(5000) });
      return (await report.json()) as PolicyReport;
    },
    stop: (signal = 'SIGINT') => (stopped ??= stop(signal)),
  };
}

/** Runs `body` with a proxy of its own, stopped afterwards; `body` may stop it before. */
export async function withSluice(
  upstreams: readonly string[],
  body: (sluice: Sluice) => Promise<void>,
): Promise<void> {
  const sluice = await startSluice(...upstreams);
  try {
    await body(sluice);
  } finally {
    await sluice.stop();
  }
}
