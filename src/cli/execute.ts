/**
 * What main.ts calls. `sluice run` has its configuration read by a child that ends at once: the schema, the
 * YAML parser and the command line's library would else stay in the proxy's memory, 25 MB for a page of text.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Config } from '../config/config.ts';
import { type Actions, CanNotGoOn, type ExitCode, exitCodes, handOverFlag, type Start } from './actions.ts';

/** Starts the process that reads policies for a proxy: serve.ts. Not for people. */
export const readerCommand = 'read-policies';

/** These are answered by the whole command line, in this process. */
const answeredHere = new Set(['--print-config', handOverFlag, '--help', '-h']);

/** Runs one command line (without node and script) to its end. Never rejects: errors are told on stderr. */
export async function execute(argv: readonly string[], actions: Actions): Promise<ExitCode> {
  try {
    if (argv[0] === readerCommand) return await readPolicies();
    if (argv[0] !== 'run' || argv.some((one) => answeredHere.has(one))) {
      const { executeHere } = await import('./program.ts');
      return await executeHere(argv, actions);
    }
    const read = await readApart(argv, actions.stop);
    return typeof read === 'number' ? read : await actions.run(read.config, read.file);
  } catch (error) {
    if (error instanceof CanNotGoOn) {
      console.error(`sluice: ${error.message}`);
      return error.exitCode;
    }
    console.error(`sluice: a bug: ${error instanceof Error ? error.stack : String(error)}`);
    return exitCodes.unexpected;
  }
}

async function readPolicies(): Promise<ExitCode> {
  // A terminal tells all who run in it. The proxy decides when its reader ends: by closing stdin.
  for (const name of ['SIGHUP', 'SIGINT', 'SIGQUIT'] as const) process.on(name, () => {});
  const { serveReading } = await import('../policy/read/serve.ts');
  await serveReading(process.stdin, process.stdout);
  return exitCodes.done;
}

/**
 * The same command line, of which the child tells the configuration, or on our stderr what is wrong with it. A number
 * is the exit code. It runs in a session of its own, so that a terminal's signals come to us alone.
 */
async function readApart(argv: readonly string[], stop: AbortSignal): Promise<Start | ExitCode> {
  if (stop.aborted) return exitCodes.done;
  const args = [...process.execArgv, process.argv[1] ?? '', 'run', handOverFlag, ...argv.slice(1)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const kill = (): void => void child.kill('SIGKILL');
  stop.addEventListener('abort', kill);
  try {
    const [out, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'close')]);
    if (stop.aborted) return exitCodes.done;
    if (code === 0) return revive(out);
    if (code === exitCodes.commandLine || code === exitCodes.file) return code;
    throw new CanNotGoOn(
      exitCodes.machine,
      `the configuration can't be read: the reader ended (${signal ?? code})`,
    );
  } catch (error) {
    if (error instanceof CanNotGoOn) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new CanNotGoOn(exitCodes.machine, `the configuration can't be read: ${why}`);
  } finally {
    stop.removeEventListener('abort', kill);
  }
}

/** JSON has no Infinity: it is written as null, and nothing else in a configuration is. */
export function reviveConfig(json: string): Config {
  return revive(json) as Config;
}

function revive(json: string) {
  return JSON.parse(json, (_key, value: unknown) => (value === null ? Number.POSITIVE_INFINITY : value));
}
