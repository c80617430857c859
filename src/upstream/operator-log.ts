/** A cluster's events as lines of the operator's log: each change with its cause. */
import type { ClusterEvent, OnClusterEvent } from './events.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';
export type OperatorLog = Readonly<Record<Level, (fields: object, text: string) => void>>;

/** The same change of the same node or name is told again after this at the earliest, milliseconds. */
const quietFor = 10_000;
/** Changes that are remembered; nodes come and go. */
const maxRemembered = 1000;

/**
 * A node that comes and goes many times a second must not fill the log: within `quietFor` what repeats itself is told at
 * debug, and the next line gives its number as `repeated`.
 */
export function logEvents(cluster: string, log: OperatorLog, now = () => performance.now()): OnClusterEvent {
  const told = new Map<string, { readonly at: number; repeated: number }>();
  return (event) => {
    const { kind, ...fields } = event;
    const [level, text] = wording(event);
    const key = `${kind} ${'node' in event ? event.node : ''}${'name' in event ? event.name : ''}`;
    const before = told.get(key);
    if (level === 'debug' || (before !== undefined && now() - before.at < quietFor)) {
      if (before !== undefined && level !== 'debug') before.repeated += 1;
      log.debug({ cluster, ...fields }, text);
      return;
    }
    if (told.size >= maxRemembered) told.clear();
    told.set(key, { at: now(), repeated: 0 });
    const repeated = before?.repeated ?? 0;
    log[level]({ cluster, ...fields, ...(repeated > 0 && { repeated }) }, text);
  };
}

function wording(event: ClusterEvent): readonly [Level, string] {
  switch (event.kind) {
    case 'ejected':
      // A node that stays away was told of once.
      return [event.again ? 'debug' : 'warn', `the node is left alone for ${event.lasts} ms`];
    case 'kept':
      return ['warn', 'the node fails, and stays in use: ejection.maxPercent allows no more ejections'];
    case 'back':
      return ['info', 'the node is back'];
    case 'all-ejected':
      return ['error', 'no node can be trusted: all of them are used'];
    case 'resolved':
      return ['info', 'the name resolves'];
    case 'unresolved':
      return event.addresses.length === 0
        ? ['warn', 'the name does not resolve']
        : ['warn', 'the name does not resolve any more: its last addresses stay in use'];
  }
}
