import type { Config } from '../config/config.ts';

/** What the command line sets going. Only main.ts may wire it, so it is handed in. */
export interface Actions {
  /** Resolves when the proxy has been told to stop and its last stream has ended. */
  run(config: Config): Promise<void>;
}

/** 0 done; 1 failed, or a file at fault; 2 the command line itself at fault. */
export type ExitCode = 0 | 1 | 2;
