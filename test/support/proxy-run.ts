/** `./sluice run` in a folder of its own, for what comes before and after serving: its start, signals, its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { patience, until, within } from './deadline.ts';

const command = fileURLToPath(new URL('../../sluice', import.meta.url));

export interface ProxyRunOptions {
  /** Of sluice.yaml. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly flags?: readonly string[];
  /** Other files of its folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

export class ProxyRun {
  readonly pid: number;
  readonly folder: string;
  /** What it said on stderr, line by line, each parsed where it is JSON. */
  readonly told: (Readonly<Record<string, unknown>> | string)[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;

  constructor({ config, flags = [], files = {}, uid }: ProxyRunOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'sluice-run-'));
    for (const [name, text] of Object.entries({ ...files, 'sluice.yaml': JSON.stringify(config) }))
      writeFileSync(join(this.folder, name), text);
    this.#child = spawn(command, ['run', '-c', 'sluice.yaml', ...flags], {
      cwd: this.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(uid !== undefined && { uid }),
    });
    this.pid = this.#child.pid ?? 0;
    createInterface(this.#child.stderr!).on('line', (line) => this.told.push(parsed(line)));
    this.#ended = once(this.#child, 'close');
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Its exit code, or the signal that ended it. */
  async exit(): Promise<number | string> {
    const [code, signal] = await within('the end of sluice', this.#ended, patience);
    return (code ?? signal) as number | string;
  }

  /** A line of the operator's log with this message. */
  line(message: string): Readonly<Record<string, unknown>> | undefined {
    return this.#lines().find(({ msg }) => typeof msg === 'string' && msg.includes(message));
  }

  async says(message: string): Promise<Readonly<Record<string, unknown>>> {
    const over = () => this.#child.exitCode !== null || this.#child.signalCode !== null;
    await until(`"${message}"`, () => this.line(message) !== undefined || over(), patience);
    const found = this.line(message);
    if (found === undefined) throw new Error(`sluice ended without saying "${message}"`);
    return found;
  }

  /** It has its own handler for the signal of this number. */
  catches(signal: number): boolean {
    const mask = /^SigCgt:\s+([0-9a-f]+)$/m.exec(this.#status())?.[1] ?? '0';
    return (BigInt(`0x${mask}`) & (1n << BigInt(signal - 1))) !== 0n;
  }

  /** Every process that was started in its folder and still runs. */
  processes(): readonly number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => linkOf(pid, 'cwd') === this.folder);
  }

  /** It has started another Node: the one that reads its configuration, or its policies. */
  hasReader(): boolean {
    return this.processes().some((pid) => pid !== this.pid && linkOf(pid, 'exe').endsWith('/node'));
  }

  #lines(): readonly Readonly<Record<string, unknown>>[] {
    return this.told.filter((line) => typeof line !== 'string');
  }

  #status(): string {
    try {
      return readFileSync(`/proc/${this.pid}/status`, 'utf8');
    } catch {
      return '';
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#ended;
    for (const pid of this.processes()) process.kill(pid, 'SIGKILL');
    rmSync(this.folder, { recursive: true });
  }
}

function parsed(line: string): Readonly<Record<string, unknown>> | string {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

function linkOf(pid: number, name: 'cwd' | 'exe'): string {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return '';
  }
}
