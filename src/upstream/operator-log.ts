/** A cluster's events as lines of the operator's log: each change once, with its cause. */
import type { ClusterEvent, OnClusterEvent } from './events.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';
export type OperatorLog = Readonly<Record<Level, (fields: object, text: string) => void>>;

export function logEvents(cluster: string, log: OperatorLog): OnClusterEvent {
  return (event) => {
    const { kind: _, ...fields } = event;
    const [level, text] = wording(event);
    log[level]({ cluster, ...fields }, text);
  };
}

function wording(event: ClusterEvent): readonly [Level, string] {
  switch (event.kind) {
    case 'ejected':
      // A node that stays away was told of once.
      return [event.again ? 'debug' : 'warn', `the node is left alone for ${event.lasts} ms`];
    case 'kept':
      return ['warn', 'the node fails, and is used all the same: too many others are left alone'];
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
