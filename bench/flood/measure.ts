/** One flood against one running Sluice: what becomes of its other clients, of its memory and of its access log. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentKiB } from '../measure/proc.ts';
import { startSluice } from '../policies/sluice.ts';
import type { FloodKind } from './flooder.ts';

export interface Flood {
  readonly connections: number;
  readonly kind: FloodKind;
}

export interface FloodFigures {
  /** Of the other clients: milliseconds from the request to the end of the answer. */
  readonly p50: number;
  readonly p99: number;
  readonly slowest: number;
  readonly answered: number;
  /** Exchanges a second, the flood's included, and how many of them have no line in the access log. */
  readonly exchangesPerSecond: number;
  readonly linesLost: number;
  readonly residentMiB: number;
  readonly grownMiB: number;
}

const policies = `apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: health}
spec:
  match: {endpoints: [cluster.health]}
  action: allow
`;
const asked = 'GET /_cluster/health HTTP/1.1\r\nHost: es\r\n\r\n';
const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n';
const answer = { GET: head + 'x'.repeat(100), HEAD: head };
const victims = 4;
/** Of a victim between two requests, milliseconds. */
const pause = 4;

export interface Measured {
  /** The checkout that is measured. */
  readonly root: string;
  readonly transport: 'engine' | 'streams';
  readonly flood: Flood | undefined;
  readonly seconds: number;
}

export async function measureFlood(folder: string, what: Measured): Promise<FloodFigures> {
  const upstream = await startUpstream();
  const { port: node } = upstream.address() as AddressInfo;
  const sluice = await startSluice(folder, policies, [node, node], {
    root: what.root,
    settings: { transport: what.transport },
  });
  let flooder: ChildProcess | undefined;
  try {
    await ask(sluice.port, 1);
    const before = residentKiB(sluice.pid);
    if (what.flood !== undefined) {
      const args = [sluice.port, what.flood.connections, what.flood.kind].map(String);
      flooder = spawn(process.execPath, [join(import.meta.dirname, 'flooder.ts'), ...args], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      await sleep(1000);
    }
    const from = performance.now() - (flooder === undefined ? 0 : 1000);
    const taken = (
      await Promise.all(Array.from({ length: victims }, () => ask(sluice.port, what.seconds)))
    ).flat();
    const resident = residentKiB(sluice.pid);
    const elapsed = (performance.now() - from) / 1000;
    if (flooder !== undefined) {
      flooder.kill('SIGKILL');
      await once(flooder, 'exit');
    }
    const exchanges = await settledCount(() => sluice.sum('sluice_requests_total'));
    await sluice.stop();
    const lines = await countLines(join(folder, 'access.log'));
    taken.sort((a, b) => a - b);
    const at = (share: number): number => taken[Math.floor((taken.length - 1) * share)] ?? Number.NaN;
    return {
      p50: at(0.5),
      p99: at(0.99),
      slowest: at(1),
      answered: taken.length,
      exchangesPerSecond: exchanges / elapsed,
      linesLost: exchanges - lines,
      residentMiB: resident / 1024,
      grownMiB: (resident - before) / 1024,
    };
  } finally {
    flooder?.kill('SIGKILL');
    await sluice.stop();
    upstream.close();
  }
}

/** One client that asks, waits for the answer, pauses, asks again. A request without an answer counts as 10 s. */
async function ask(port: number, seconds: number): Promise<number[]> {
  const taken: number[] = [];
  let socket = await open(port);
  for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
    const from = performance.now();
    socket.write(asked);
    const whole = await answered(socket, 10_000);
    taken.push(performance.now() - from);
    if (!whole) {
      socket.destroy();
      socket = await open(port);
    }
    await sleep(pause);
  }
  socket.destroy();
  return taken;
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

function answered(socket: Socket, timeout: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let seen = '';
  const ended = (whole: boolean) => (): void => {
    clearTimeout(deadline);
    socket.removeAllListeners();
    // What was forgotten here must not end the bench.
    socket.on('error', () => {});
    resolve(whole);
  };
  const deadline = setTimeout(ended(false), timeout);
  socket.on('data', (bytes) => {
    seen += bytes.toString('latin1');
    if (seen.endsWith('xxxx')) ended(true)();
  });
  socket.on('error', ended(false));
  socket.on('close', ended(false));
  return promise;
}

async function startUpstream(): Promise<Server> {
  const server = createServer({ noDelay: true }, (socket) => {
    let seen = '';
    socket.on('data', (bytes) => {
      const heads = (seen + bytes.toString('latin1')).split('\r\n\r\n');
      seen = heads.pop() ?? '';
      socket.write(heads.map((one) => (one.startsWith('HEAD') ? answer.HEAD : answer.GET)).join(''));
    });
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** What was sent before the flood ended is still being answered. */
async function settledCount(read: () => Promise<number>): Promise<number> {
  let last = await read();
  for (let tries = 0; tries < 100; tries++) {
    await sleep(300);
    const now = await read();
    if (now === last) break;
    last = now;
  }
  return last;
}

async function countLines(file: string): Promise<number> {
  let lines = 0;
  for await (const block of createReadStream(file)) {
    for (let at = block.indexOf(10); at !== -1; at = block.indexOf(10, at + 1)) lines += 1;
  }
  return lines;
}
