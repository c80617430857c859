/** Resident memory, each figure from a process of its own: at rest, per stream held open, per idle connection. */
import { setTimeout as sleep } from 'node:timers/promises';
import { hold, load } from '../measure/generators.ts';
import { openFilesLimit, pipes, residentKiB } from '../measure/proc.ts';
import { startPeer } from '../measure/running.ts';
import { watch } from '../measure/watch.ts';
import type { Peer } from '../peers/peer.ts';
import type { Figures, Scenario, Surroundings } from './scenario.ts';

const streams = 1000;
const settleMs = 1000;

/** Held open by a slow server (`up`) or a slow client (`down`), in mid body. */
const heldStreams = (direction: 'up' | 'down') =>
  held(
    `memory-${direction}`,
    () => streams,
    (count) => `hold-${direction}:conns=${count}`,
  );

/** Each has had one answer and stays. Fewer than 10,000 where the machine allows a process fewer open files. */
const idleConnections = held(
  'memory-idle',
  (peer) => Math.min(10_000, Math.floor((openFilesLimit() - 1000) / (peer.descriptorsPerIdle ?? 1))),
  (count) => `idle:conns=${count}`,
);

function held(name: string, amount: (peer: Peer) => number, group: (count: number) => string): Scenario {
  return {
    name,
    once: true,
    includes: (peer) => name === 'memory-idle' || !peer.spools,
    async measure(peer: Peer, { site, quick }: Surroundings): Promise<Figures> {
      const running = await startPeer(site, peer);
      try {
        await sleep(settleMs);
        const atRest = residentKiB(running.pid);
        // What is set up at the first requests is no cost of the later ones.
        await load(running.port, [
          'get:conns=32,requests=500',
          'up:conns=8,bytes=1000000',
          'down:conns=8,bytes=1000000',
        ]);
        await sleep(quick ? 200 : 500);
        const before = residentKiB(running.pid);
        const pipesBefore = pipes(running.pid);
        const count = amount(peer);
        const { result, counted } = await watch(running, async () => {
          const holding = await hold(running.port, group(count));
          const most = await watchMemory(running.pid, quick ? 4 : 8);
          return { holding, most };
        });
        await result.holding.release();
        return {
          eachKiB: (result.most.residentKiB - before) / count,
          restMiB: atRest / 1024,
          pipes: result.most.pipes - pipesBefore,
          held: count,
          ...(counted &&
            name !== 'memory-idle' && { copiedShare: counted.copied / (counted.spliced + counted.copied) }),
        };
      } finally {
        await running.stop();
      }
    },
  };
}

/** The most that was seen in so many quarters of a second. */
async function watchMemory(pid: number, times: number): Promise<{ residentKiB: number; pipes: number }> {
  const most = { residentKiB: 0, pipes: 0 };
  for (let i = 0; i < times; i++) {
    await sleep(250);
    most.residentKiB = Math.max(most.residentKiB, residentKiB(pid));
    most.pipes = Math.max(most.pipes, pipes(pid));
  }
  return most;
}

export const memoryScenarios: readonly Scenario[] = [heldStreams('up'), heldStreams('down'), idleConnections];
