/** The flags of `bench/run.ts`. */
import { parseArgs } from 'node:util';
import { allPeers } from './peers/all.ts';
import type { Peer } from './peers/peer.ts';
import { bodyScenarios } from './scenarios/bodies.ts';
import { memoryScenarios } from './scenarios/memory.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { smallScenarios } from './scenarios/small.ts';

export const allScenarios: readonly Scenario[] = [...bodyScenarios, ...smallScenarios, ...memoryScenarios];

/** Of the run under the machine's own congestion control: it changes what bodies cost, and little else. */
const underDefault = ['up-4', 'down-4', 'up-32', 'down-32'];

export interface Options {
  readonly peers: readonly Peer[];
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly quick: boolean;
  readonly congestionControl: string;
  /** True where everything is measured that the committed results hold. */
  readonly full: boolean;
  readonly command: string;
}

export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      peers: { type: 'string' },
      scenarios: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      cc: { type: 'string', default: 'reno' },
    },
  });
  const quick = values.quick;
  const isDefault = values.cc === 'default';
  const scenarios = isDefault ? allScenarios.filter(({ name }) => underDefault.includes(name)) : allScenarios;
  const peers = quick || isDefault ? allPeers.filter((peer) => !peer.brief) : allPeers;
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1 on');
  return {
    peers: values.peers ? pick(allPeers, values.peers, 'peer') : peers,
    scenarios: values.scenarios
      ? pick(allScenarios, values.scenarios, 'scenario')
      : scenarios.filter(({ name }) => !quick || !name.endsWith('-128')),
    rounds,
    quick,
    congestionControl: values.cc,
    full: !quick && !values.peers && !values.scenarios && rounds >= 3,
    command: process.env.SLUICE_BENCH_COMMAND ?? '',
  };
}

/** Those named in a comma-separated list; a name may stand for all that it begins. */
function pick<T extends { readonly name: string }>(from: readonly T[], list: string, kind: string): T[] {
  return list.split(',').flatMap((wanted) => {
    const exact = from.filter(({ name }) => name === wanted);
    const found = exact.length > 0 ? exact : from.filter(({ name }) => name.startsWith(wanted));
    if (found.length === 0)
      throw new Error(`no such ${kind}: ${wanted}; there are ${from.map((x) => x.name).join(', ')}`);
    return found;
  });
}
