/**
 * Signals, caught from the first line on: their default is the end of the process, and for SIGUSR1 an inspector.
 * docs/cli.md tells operators what each does.
 */
import { exitCodes } from './cli/actions.ts';

const stopping = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
const reopening = ['SIGHUP', 'SIGUSR1'] as const;
const ignored = ['SIGUSR2'] as const;

export interface Signals {
  /** Aborted by the first signal that asks for the end; its name is the reason. A third one ends the process. */
  readonly stop: AbortSignal;
  /** Calls `hurry` at the second one: whoever asks twice does not wait for streams. */
  onHurry(hurry: () => void): void;
  /** Calls `reopen` at each signal that asks for it; what is opened later is new anyway. */
  onReopen(reopen: (signal: NodeJS.Signals) => void): void;
  /** Calls `tell` at each signal that has no meaning. */
  onIgnored(tell: (signal: NodeJS.Signals) => void): void;
}

let caught: Signals | undefined;

/** There is one process, so there is one of these. */
export function catchSignals(): Signals {
  caught ??= install();
  return caught;
}

function install(): Signals {
  const stop = new AbortController();
  let asked = 0;
  // What has not begun to serve has nothing to cut.
  let hurry = (): void => process.exit(exitCodes.done);
  let reopen = (_signal: NodeJS.Signals): void => {};
  let tell = (_signal: NodeJS.Signals): void => {};
  const onStop = (signal: NodeJS.Signals): void => {
    asked += 1;
    if (asked === 1) stop.abort(signal);
    else if (asked === 2) hurry();
    else process.exit(exitCodes.cut);
  };
  for (const name of stopping) process.on(name, onStop);
  for (const name of reopening) process.on(name, (signal) => reopen(signal));
  for (const name of ignored) process.on(name, (signal) => tell(signal));
  return {
    stop: stop.signal,
    onHurry(next) {
      hurry = next;
    },
    onReopen(next) {
      reopen = next;
    },
    onIgnored(next) {
      tell = next;
    },
  };
}
