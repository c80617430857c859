/** `./sluice run` as anybody would start it, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { adminPaths } from '../../src/admin/contract.ts';
import { patience, sleep, within } from './deadline.ts';
import { RawPeer } from './raw-peer.ts';

const command = fileURLToPath(new URL('../../sluice', import.meta.url));

interface LaunchOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** `ulimit -n`, soft and hard; undefined leaves that of the test. */
  readonly descriptors: number | undefined;
}

export class SluiceProcess {
  readonly port: number;
  readonly pid: number;
  /** Lines of the access log, parsed. */
  readonly access: Record<string, unknown>[] = [];
  /** What it said to the operator. */
  readonly told: string[] = [];
  readonly #child: ChildProcess;
  /** `host:port` of the admin address. */
  readonly admin: string;
  readonly #ended: Promise<unknown[]>;
  readonly #folder: string;

  private constructor(
    [port = 0, adminPort = 0]: readonly number[],
    upstreams: readonly string[],
    config: string,
    { environment, descriptors }: LaunchOptions,
  ) {
    this.port = port;
    this.admin = `127.0.0.1:${adminPort}`;
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-e2e-'));
    const file = join(this.#folder, 'sluice.yaml');
    writeFileSync(file, config);
    const flags = ['--listen', `127.0.0.1:${port}`, '--admin', this.admin, '-c', file];
    const args = ['run', ...flags, ...upstreams.flatMap((url) => ['--upstream', url])];
    const env = { ...process.env, ...environment };
    const limited = ['-c', `ulimit -n ${descriptors}; exec "$0" "$@"`, command, ...args];
    const [program, given] = descriptors === undefined ? [command, args] : ['sh', limited];
    this.#child = spawn(program, given, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.pid = this.#child.pid ?? 0;
    createInterface(this.#child.stdout!).on('line', (line) => this.access.push(JSON.parse(line)));
    createInterface(this.#child.stderr!).on('line', (line) => this.told.push(line));
    this.#ended = once(this.#child, 'close');
  }

  /** Ready to serve. `config` is the text of a sluice.yaml. */
  static async start(upstreams: readonly (number | string)[], config = '{}'): Promise<SluiceProcess> {
    const sluice = await SluiceProcess.launch(upstreams, config);
    await sluice.ready();
    return sluice;
  }

  /** Not ready yet. */
  static async launch(
    upstreams: readonly (number | string)[],
    config: string,
    environment: Readonly<Record<string, string>> = {},
    descriptors?: number,
  ): Promise<SluiceProcess> {
    const urls = upstreams.map((to) => (typeof to === 'number' ? `http://127.0.0.1:${to}` : to));
    return new SluiceProcess(await freePorts(), urls, config, { environment, descriptors });
  }

  /** Waits until it is; one that never will be is ended. */
  async ready(): Promise<void> {
    const deadline = performance.now() + patience;
    while ((await this.readiness()) !== 200) {
      if (this.#child.exitCode !== null || performance.now() > deadline) {
        await this[Symbol.asyncDispose]();
        throw new Error(`sluice did not become ready:\n${this.told.join('\n')}`);
      }
      await sleep(20);
    }
  }

  client(): Promise<RawPeer> {
    return RawPeer.connect(this.port);
  }

  /** The status of /readyz; undefined when nobody answers. */
  async readiness(): Promise<number | undefined> {
    try {
      const signal = AbortSignal.timeout(1000);
      return (await fetch(`http://${this.admin}${adminPaths.ready}`, { signal })).status;
    } catch {
      return undefined;
    }
  }

  metrics(): Promise<string> {
    return this.ask('metrics');
  }

  /** The text of one of its pages. */
  async ask(page: keyof typeof adminPaths): Promise<string> {
    const signal = AbortSignal.timeout(patience);
    return (await fetch(`http://${this.admin}${adminPaths[page]}`, { signal })).text();
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Its exit code, or the signal that ended it. */
  async exit(milliseconds = patience): Promise<number | string> {
    const [code, signal] = await within('the end of sluice', this.#ended, milliseconds);
    return (code ?? signal) as number | string;
  }

  /** The most memory it ever held, bytes. */
  peakMemory(): number {
    return this.#memory('VmHWM');
  }

  /** What it holds now, bytes. */
  residentMemory(): number {
    return this.#memory('VmRSS');
  }

  #memory(row: string): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(new RegExp(`${row}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
  }

  descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#ended;
    rmSync(this.#folder, { recursive: true });
  }
}

/** Two at once, so that they differ. */
async function freePorts(): Promise<number[]> {
  const servers = [createServer(), createServer()].map((server) => server.listen(0, '127.0.0.1'));
  const ports = await Promise.all(
    servers.map(async (server) => {
      if (!server.listening) await once(server, 'listening');
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : 0;
    }),
  );
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
