import type { Config } from '../config/config.ts';

/** What the command line sets going. Only main.ts may wire it, so it is handed in. */
export interface Actions {
  /** Resolves when the proxy has been told to stop and its last stream has ended, or has been cut: 3. */
  run(config: Config): Promise<Extract<ExitCode, 0 | 3>>;
}

/** 0 done; 1 failed, or a file at fault; 2 the command line itself at fault; 3 drained, but streams were cut. */
export type ExitCode = 0 | 1 | 2 | 3;
