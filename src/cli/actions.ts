import type { Config } from '../config/config.ts';

/** What the command line sets going. Only main.ts may wire it, so it is handed in. */
export interface Actions {
  /** Resolves when the proxy has been told to stop and its last stream has ended. Rejects when it can't start. */
  run(config: Config, file: string | undefined): Promise<ExitCode>;
  /** Aborted by a signal that asks for the end, also before `run` is called. */
  readonly stop: AbortSignal;
}

/** Has the configuration printed for `run`, as `Start`. Not for people. */
export const handOverFlag = '--hand-over';

/** What the child has read: the configuration, and the file it stands in. */
export interface Start {
  readonly file?: string | undefined;
  readonly config: Config;
}

/** docs/cli.md tells operators the same. */
export const exitCodes = {
  done: 0,
  /** A bug of ours: a stack is told. */
  unexpected: 1,
  commandLine: 2,
  /** Drained, but streams were cut. */
  cut: 3,
  /** A file is at fault: a configuration, policies, their tests. */
  file: 4,
  /** The machine is: an address is taken, a log can't be written, the engine is missing. */
  machine: 5,
  /** The running proxy's policies are stale. */
  stale: 6,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Why a command can't go on, in words for the operator: no bug, so no stack. */
export class CanNotGoOn extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, why: string) {
    super(why);
    this.exitCode = exitCode;
  }
}
