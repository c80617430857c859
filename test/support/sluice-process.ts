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
import { sleep, within } from './deadline.ts';
import { RawPeer } from './raw-peer.ts';

const command = fileURLToPath(new URL('../../sluice', import.meta.url));

export class SluiceProcess {
  readonly port: number;
  readonly pid: number;
  /** Lines of the access log, parsed. */
  readonly access: Record<string, unknown>[] = [];
  /** What it said to the operator. */
  readonly told: string[] = [];
  readonly #child: ChildProcess;
  readonly #admin: string;
  readonly #ended: Promise<unknown[]>;
  readonly #folder: string;

  private constructor(port: number, adminPort: number, upstreams: readonly string[], config: string) {
    this.port = port;
    this.#admin = `127.0.0.1:${adminPort}`;
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-e2e-'));
    const file = join(this.#folder, 'sluice.yaml');
    writeFileSync(file, config);
    const flags = ['--listen', `127.0.0.1:${port}`, '--admin', this.#admin, '-c', file];
    const args = ['run', ...flags, ...upstreams.flatMap((url) => ['--upstream', url])];
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.pid = this.#child.pid ?? 0;
    createInterface(this.#child.stdout!).on('line', (line) => this.access.push(JSON.parse(line)));
    createInterface(this.#child.stderr!).on('line', (line) => this.told.push(line));
    this.#ended = once(this.#child, 'close');
  }

  /** Ready to serve. `config` is the text of a sluice.yaml. */
  static async start(upstreams: readonly (number | string)[], config = '{}'): Promise<SluiceProcess> {
    const urls = upstreams.map((to) => (typeof to === 'number' ? `http://127.0.0.1:${to}` : to));
    const [port = 0, adminPort = 0] = await freePorts();
    const sluice = new SluiceProcess(port, adminPort, urls, config);
    const deadline = performance.now() + 15_000;
    while ((await sluice.readiness()) !== 200) {
      if (sluice.#child.exitCode !== null || performance.now() > deadline) {
        await sluice[Symbol.asyncDispose]();
        throw new Error(`sluice did not become ready:\n${sluice.told.join('\n')}`);
      }
      await sleep(20);
    }
    return sluice;
  }

  client(): Promise<RawPeer> {
    return RawPeer.connect(this.port);
  }

  /** The status of /readyz; undefined when nobody answers. */
  async readiness(): Promise<number | undefined> {
    try {
      const signal = AbortSignal.timeout(1000);
      return (await fetch(`http://${this.#admin}${adminPaths.ready}`, { signal })).status;
    } catch {
      return undefined;
    }
  }

  async metrics(): Promise<string> {
    return (await fetch(`http://${this.#admin}${adminPaths.metrics}`)).text();
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Its exit code, or the signal that ended it. */
  async exit(milliseconds = 10_000): Promise<number | string> {
    const [code, signal] = await within('the end of sluice', this.#ended, milliseconds);
    return (code ?? signal) as number | string;
  }

  /** The most memory it ever held, bytes. */
  peakMemory(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
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
