/** What a stretch of work cost a peer's process. */
import type { Counters } from '../peers/peer.ts';
import { cpuNanoseconds } from './proc.ts';
import type { RunningPeer } from './running.ts';

export interface Watched<T> {
  readonly result: T;
  /** CPU of the process, in nanoseconds. */
  readonly cpu: number;
  /** What the peer itself counted, where it can be asked. */
  readonly counted: Counters | undefined;
}

/** Does the work, with a reading before and after. The peer is asked for its counters outside of the time measured. */
export async function watch<T>(
  { peer, pid, admin }: RunningPeer,
  work: () => Promise<T>,
): Promise<Watched<T>> {
  const countedBefore = await peer.counters?.(admin);
  const cpuBefore = cpuNanoseconds(pid);
  const result = await work();
  const cpu = cpuNanoseconds(pid) - cpuBefore;
  const countedAfter = await peer.counters?.(admin);
  return { result, cpu, counted: difference(countedBefore, countedAfter) };
}

function difference(before: Counters | undefined, after: Counters | undefined): Counters | undefined {
  if (!before || !after) return undefined;
  return {
    spliced: after.spliced - before.spliced,
    copied: after.copied - before.copied,
    systemCalls: after.systemCalls - before.systemCalls,
  };
}
