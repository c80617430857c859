/** Bodies of 100 MB: the proxy's CPU for each gigabyte of them. */
import { load } from '../measure/generators.ts';
import { cpuNanoseconds } from '../measure/proc.ts';
import type { Scenario } from './scenario.ts';

const directions = ['up', 'down', 'up-chunked', 'down-chunked'] as const;

/** How many bodies are in flight, and how many are moved in all. */
const amounts = [
  { at: 4, requests: 24 },
  { at: 32, requests: 64 },
  { at: 128, requests: 128 },
];

export const bodyScenarios: readonly Scenario[] = amounts.flatMap(({ at, requests }) =>
  directions.map(
    (direction): Scenario => ({
      name: `${direction}-${at}`,
      once: at > 32,
      includes: (peer) => at <= 32 || !peer.brief,
      async measure(peer, { running, quick }) {
        const { pid, port } = await running(peer);
        const count = quick ? Math.max(at, requests / 2) : requests;
        const before = cpuNanoseconds(pid);
        const [group] = await load(port, [`${direction}:conns=${at},requests=${count}`]);
        const cpu = cpuNanoseconds(pid) - before;
        if (!group) throw new Error('no report');
        return { cpuMsPerGB: cpu / 1e6 / (group.bytes / 1e9), GBPerS: group.bytes / 1e9 / group.seconds };
      },
    }),
  ),
);
