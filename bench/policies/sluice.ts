/** A Sluice of its own in front of two ports, with policies from a folder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SluiceOptions {
  /** The checkout whose Sluice is run. */
  readonly root?: string;
  /** More settings, as in `sluice.yaml`. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface RunningSluice {
  readonly pid: number;
  readonly port: number;
  /** What is in effect and how often it changed: the admin address's `/metrics`, one number by its name. */
  metric(name: string): Promise<number>;
  /** The same, added up over all its labels. */
  sum(name: string): Promise<number>;
  /** Puts other policies in the place of the old ones, whole. */
  change(policies: string): void;
  stop(): Promise<void>;
}

export async function startSluice(
  folder: string,
  policies: string,
  [first, hot]: readonly [number, number],
  { root = join(import.meta.dirname, '../..'), settings: more = {} }: SluiceOptions = {},
): Promise<RunningSluice> {
  const [port, admin] = [await freePort(), await freePort()];
  const inFolder = join(folder, 'policies');
  mkdirSync(inFolder, { recursive: true });
  let versions = 0;
  // As a kubelet changes a ConfigMap: a new directory, and one link that is swapped.
  const change = (text: string): void => {
    versions += 1;
    const own = join(inFolder, `..${versions}`);
    mkdirSync(own);
    writeFileSync(join(own, 'policies.yaml'), text);
    symlinkSync(`..${versions}`, join(inFolder, '..data_tmp'));
    renameSync(join(inFolder, '..data_tmp'), join(inFolder, '..data'));
    if (versions === 1) symlinkSync('..data/policies.yaml', join(inFolder, 'policies.yaml'));
    else rmSync(join(inFolder, `..${versions - 1}`), { recursive: true });
  };
  change(policies);
  const settings = {
    listen: { address: `127.0.0.1:${port}` },
    admin: { address: `127.0.0.1:${admin}` },
    upstream: { nodes: [`http://127.0.0.1:${first}`] },
    clusters: { hot: { nodes: [`http://127.0.0.1:${hot}`] } },
    accessLog: { destination: join(folder, 'access.log') },
    policies: { sources: [{ path: inFolder }] },
    ...more,
  };
  writeFileSync(join(folder, 'sluice.yaml'), JSON.stringify(settings));
  const child = spawn(join(root, 'sluice'), ['run', '--config', join(folder, 'sluice.yaml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  let words = '';
  child.stderr.on('data', (piece) => {
    words = `${words}${piece}`.slice(-4000);
  });
  const ask = (path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${admin}${path}`, { signal: AbortSignal.timeout(5000) });
  const deadline = performance.now() + 20_000;
  while (
    !(await ask('/readyz').then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (performance.now() > deadline || child.exitCode !== null) throw new Error(`not ready: ${words}`);
    await sleep(50);
  }
  return {
    pid: child.pid ?? 0,
    port,
    async metric(name) {
      const text = await (await ask('/metrics')).text();
      const line = text
        .split('\n')
        .find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
      return Number(line?.slice(line.lastIndexOf(' ') + 1) ?? Number.NaN);
    },
    async sum(name) {
      const lines = (await (await ask('/metrics')).text()).split('\n');
      return lines
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
    change,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      // It waits for no balancer, as at SIGTERM.
      child.kill('SIGINT');
      await gone;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  server.close();
  await once(server, 'close');
  return port;
}
