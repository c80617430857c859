/** Bodies of 100 MB: the proxy's CPU for each gigabyte of them. */
import { load } from '../measure/generators.ts';
import { watch } from '../measure/watch.ts';
import type { Scenario } from './scenario.ts';

const directions = ['up', 'down', 'up-chunked', 'down-chunked'] as const;

/** How many bodies are in flight, and how many are moved in all. */
const amounts = [
  { at: 4, requests: 24 },
  { at: 32, requests: 48 },
  { at: 128, requests: 128 },
];

export const bodyScenarios: readonly Scenario[] = amounts.flatMap(({ at, requests }) =>
  directions.map(
    (direction): Scenario => ({
      name: `${direction}-${at}`,
      once: at > 32,
      includes: (peer) => at <= 32 || !peer.brief,
      async measure(peer, { running, quick }) {
        const process = await running(peer);
        const count = quick ? Math.max(at, requests / 2) : requests;
        const { result, cpu, counted } = await watch(process, () =>
          load(process.port, [`${direction}:conns=${at},requests=${count}`]),
        );
        const [group] = result;
        if (!group) throw new Error('no report');
        const gigabytes = group.bytes / 1e9;
        return {
          cpuMsPerGB: cpu / 1e6 / gigabytes,
          GBPerS: gigabytes / group.seconds,
          ...(counted && {
            systemCallsPerGB: counted.systemCalls / gigabytes,
            copiedShare: counted.copied / (counted.spliced + counted.copied),
          }),
        };
      },
    }),
  ),
);
