/**
 * Where main.ts enters. `sluice run` has its configuration read by a child that ends at once: the schema, the
 * YAML parser and the command line's library would else stay in the proxy's memory, 25 MB for a page of text.
 */
import { spawnSync } from 'node:child_process';
import type { Config } from '../config/config.ts';
import type { Actions, ExitCode } from './actions.ts';

/** Starts the process that reads policies for a proxy: serve.ts. Not for people. */
export const readerCommand = 'read-policies';

/** These are answered by the whole command line, in this process. */
const answeredHere = new Set(['--print-config', '--help', '-h']);

/** Runs one command line (without node and script) to its end. Never rejects: errors are told on stderr. */
export async function execute(argv: readonly string[], actions: Actions): Promise<ExitCode> {
  try {
    if (argv[0] === readerCommand) {
      const { serveReading } = await import('../policy/read/serve.ts');
      await serveReading(process.stdin, process.stdout);
      return 0;
    }
    if (argv[0] !== 'run' || argv.some((one) => answeredHere.has(one))) {
      const { executeHere } = await import('./program.ts');
      return await executeHere(argv, actions);
    }
    const read = readApart(argv);
    if (typeof read === 'number') return read;
    return await actions.run(read);
  } catch (error) {
    console.error(`sluice: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

/** The same command line with `--print-config`; what is wrong with it the child tells on our stderr. */
function readApart(argv: readonly string[]): Config | ExitCode {
  const child = spawnSync(
    process.execPath,
    [...process.execArgv, process.argv[1] ?? '', 'run', '--print-config', ...argv.slice(1)],
    { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 16 * 2 ** 20 },
  );
  if (child.error) throw child.error;
  if (child.status !== 0) return child.status === 2 ? 2 : 1;
  return reviveConfig(child.stdout);
}

/** JSON has no Infinity: it is written as null, and nothing else in a configuration is. */
export function reviveConfig(json: string): Config {
  return JSON.parse(json, (_key, value: unknown) =>
    value === null ? Number.POSITIVE_INFINITY : value,
  ) as Config;
}
