/** `./sluice run` with a directory of policies that a test writes to, and all that it says to anybody kept. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PolicyReport, Readiness } from '../../src/admin/contract.ts';
import type { TransportKind } from '../../src/net/contract.ts';
import { until } from './deadline.ts';
import { policyText, type Specs } from './policy-text.ts';
import { SluiceProcess } from './sluice-process.ts';

export interface PolicyProcessOptions {
  /** Written before the start; undefined leaves the directory away. */
  readonly policies: Specs | undefined;
  readonly transport?: TransportKind;
  /** Of `policies` in sluice.yaml. */
  readonly onStart?: 'wait' | 'deny' | 'allow';
  readonly default?: 'deny' | 'allow';
  /** More of sluice.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Files of the directory of secrets. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
}

export class PolicyProcess {
  readonly sluice: SluiceProcess;
  readonly #folder: string;

  private constructor(sluice: SluiceProcess, folder: string) {
    this.sluice = sluice;
    this.#folder = folder;
  }

  /** Ready to serve. */
  static async start(
    upstreams: readonly (number | string)[],
    options: PolicyProcessOptions,
  ): Promise<PolicyProcess> {
    const running = await PolicyProcess.launch(upstreams, options);
    await running.sluice.ready().catch(async (error: unknown) => {
      await running[Symbol.asyncDispose]();
      throw error;
    });
    return running;
  }

  /** Not ready yet. */
  static async launch(
    upstreams: readonly (number | string)[],
    options: PolicyProcessOptions,
  ): Promise<PolicyProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-policies-'));
    mkdirSync(join(folder, 'secrets'));
    for (const [name, value] of Object.entries(options.secrets ?? {}))
      writeFileSync(join(folder, 'secrets', name), value);
    if (options.policies !== undefined) writePolicies(folder, policyText(options.policies));
    const config = {
      transport: options.transport ?? 'auto',
      policies: {
        sources: [{ path: join(folder, 'policies') }],
        onStart: options.onStart ?? 'wait',
        default: options.default ?? 'deny',
        secrets: { directory: join(folder, 'secrets') },
      },
      ...options.config,
    };
    const { environment } = options;
    return new PolicyProcess(
      await SluiceProcess.launch(upstreams, JSON.stringify(config), environment),
      folder,
    );
  }

  /** Puts another text in place of the policies, whole. */
  write(policies: Specs | string): void {
    writePolicies(this.#folder, typeof policies === 'string' ? policies : policyText(policies));
  }

  writeSecret(name: string, value: string): void {
    replace(join(this.#folder, 'secrets', name), value);
  }

  /** The directory of policies is gone, as a volume that was not mounted. */
  removePolicies(): void {
    rmSync(join(this.#folder, 'policies'), { recursive: true });
  }

  async readiness(): Promise<Readiness> {
    return JSON.parse(await this.sluice.ask('ready'));
  }

  async report(): Promise<PolicyReport> {
    return JSON.parse(await this.sluice.ask('policies'));
  }

  /** Waits for a line of the operator's log that holds `text`, after the first `from` of them. */
  async told(text: string, from = 0): Promise<string> {
    const find = () => this.sluice.told.slice(from).find((line) => line.includes(text));
    await until(`the log to say ${JSON.stringify(text)}`, () => find() !== undefined);
    return find() ?? '';
  }

  /** Processes that it has started and that still run. */
  children(): readonly number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && parentOf(name) === this.sluice.pid)
      .map(Number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sluice[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}

/** 0 where it has ended meanwhile. */
function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return 0;
  }
}

function writePolicies(folder: string, text: string): void {
  mkdirSync(join(folder, 'policies'), { recursive: true });
  replace(join(folder, 'policies', 'all.yaml'), text);
}

/** Written aside and renamed into place, so that nobody sees half of it. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
