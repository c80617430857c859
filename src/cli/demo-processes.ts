/** The two children of the demo: the origin, and the proxy as anybody would run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminPaths } from '../admin/contract.ts';
import { CanNotGoOn, exitCodes } from './actions.ts';

export interface Origin {
  readonly port: number;
  stop(): void;
}

export interface ProxyProcess {
  readonly pid: number;
  readonly port: number;
  /** The text of /metrics. */
  metrics(): Promise<string>;
  /** SIGINT, which waits for no balancer, and the lines of its access log once it has ended. Rejects when it did not end with 0. */
  stop(): Promise<readonly string[]>;
  /** Ends it at once; harmless when it has ended. */
  kill(): void;
}

/** Milliseconds: they end what hangs, on a machine however busy. */
const startTimeout = 60_000;
const stopTimeout = 60_000;

export async function startOrigin(): Promise<Origin> {
  const child = spawnSelf(['demo-origin'], ['ignore', 'ignore', 'inherit', 'ipc']);
  const signal = AbortSignal.timeout(startTimeout);
  const gone = once(child, 'exit', { signal }).then(() => {
    throw new CanNotGoOn(exitCodes.machine, "the demo's origin ended before it began");
  });
  gone.catch(() => {});
  const [message]: { port?: number }[] = await Promise.race([once(child, 'message', { signal }), gone]);
  return { port: message?.port ?? 0, stop: () => child.kill('SIGKILL') };
}

export async function startProxy(originPort: number): Promise<ProxyProcess> {
  const [port, adminPort] = await freePorts();
  const admin = `127.0.0.1:${adminPort}`;
  const child = spawnSelf(
    [
      'run',
      '--listen',
      `127.0.0.1:${port}`,
      '--upstream',
      `http://127.0.0.1:${originPort}`,
      '--admin',
      admin,
    ],
    ['ignore', 'pipe', 'pipe'],
  );
  const access: string[] = [];
  const told: string[] = [];
  if (child.stdout) createInterface(child.stdout).on('line', (line) => access.push(line));
  if (child.stderr) createInterface(child.stderr).on('line', (line) => told.push(line));
  const ended = once(child, 'close');

  const deadline = performance.now() + startTimeout;
  while (!(await isReady(admin))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new CanNotGoOn(exitCodes.machine, `the proxy did not become ready:\n${told.join('\n')}`);
    }
    await sleep(20);
  }
  return {
    pid: child.pid ?? 0,
    port,
    metrics: async () => (await fetch(`http://${admin}${adminPaths.metrics}`)).text(),
    async stop() {
      child.kill('SIGINT');
      const late = setTimeout(() => child.kill('SIGKILL'), stopTimeout);
      const [code] = await ended;
      clearTimeout(late);
      if (code !== 0) throw new Error(`the proxy ended with ${code}:\n${told.join('\n')}`);
      return access;
    },
    kill: () => child.kill('SIGKILL'),
  };
}

/** The same command line that runs this, on the same Node. */
function spawnSelf(args: readonly string[], stdio: ('ignore' | 'pipe' | 'inherit' | 'ipc')[]): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...args], { stdio });
}

async function isReady(admin: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(1000);
    return (await fetch(`http://${admin}${adminPaths.ready}`, { signal })).status === 200;
  } catch {
    return false;
  }
}

/** Two at once, so that they differ. */
async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()].map((server) => server.listen(0, '127.0.0.1'));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening');
    const address = server.address();
    ports.push(typeof address === 'object' && address !== null ? address.port : 0);
  }
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return [ports[0] ?? 0, ports[1] ?? 0];
}
