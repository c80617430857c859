/** What a command has to say once it has ended: lines for stdout and stderr, and the exit code. */
import type { Problem } from '../config/load.ts';
import { formatProblem } from '../config/load.ts';
import { type ExitCode, exitCodes } from './actions.ts';

export interface Told {
  readonly code: ExitCode;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

export function tell({ code, out, err }: Told): ExitCode {
  for (const line of err) console.error(line);
  for (const line of out) console.log(line);
  return code;
}

/** A file is at fault, unless all of it is on the command line. */
export function failed(problems: readonly Problem[]): Told {
  const atFlags = problems.every(({ where }) => where.startsWith('--') || where === 'command line');
  return {
    code: atFlags ? exitCodes.commandLine : exitCodes.file,
    out: [],
    err: problems.map(formatProblem),
  };
}

/** As compilers mark theirs: `team-a.yaml:3:9: warning: ...`. */
export function formatWarning({ where, path, ...words }: Problem): string {
  return formatProblem({ where, path: path === '' ? 'warning' : `warning: ${path}`, ...words });
}

/** `1 policy`, `2 policies`. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
