/** What a run leaves behind, one JSON file each. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import type { Figures } from './scenarios/scenario.ts';

export interface Sample {
  readonly scenario: string;
  readonly peer: string;
  readonly round: number;
  readonly figures: Figures;
}

export interface Failed {
  readonly scenario: string;
  readonly peer: string;
  readonly round: number;
  readonly why: string;
}

export interface MeasuredPeer {
  readonly name: string;
  readonly title: string;
  readonly setup: string;
  readonly version: string;
  /** Over the whole run. */
  readonly peakResidentMiB: number;
}

export interface Results {
  readonly name: string;
  readonly date: string;
  readonly command: string;
  readonly machine: {
    readonly kernel: string;
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGiB: number;
  };
  readonly congestionControl: string;
  /** Whether the run had a network namespace of its own, and each peer a user of its own. */
  readonly ownNamespace: boolean;
  readonly ownUsers: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly peers: readonly MeasuredPeer[];
  readonly missing: readonly { readonly name: string; readonly title: string; readonly why: string }[];
  /** scenario, peer, figure: the median of the rounds. */
  readonly medians: Readonly<Record<string, Readonly<Record<string, Figures>>>>;
  readonly samples: readonly Sample[];
  readonly failures: readonly Failed[];
}

export function describeMachine(): Results['machine'] {
  return {
    kernel: os.release(),
    cpu: os.cpus()[0]?.model.trim() ?? '',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  };
}

export const resultsDir = join(import.meta.dirname, 'results');

/** One figure of a scenario, as a table or a chart shows it. */
export interface Column {
  readonly head: string;
  readonly scenario: string;
  readonly figure: string;
  /** Turns the figure's unit into the column's. */
  readonly times?: number;
  /** A count, written without decimals. */
  readonly whole?: boolean;
}

export function cell(
  results: Results,
  peer: string,
  { scenario, figure, times = 1 }: Column,
): number | undefined {
  const value = results.medians[scenario]?.[peer]?.[figure];
  return value === undefined ? undefined : value * times;
}

/** The results of that name, or nothing where none were taken yet. */
export function readResults(name: string, dir = resultsDir): Results | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, `${name}.json`), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** scenario, peer, figure: the median of its samples, to four digits. */
export function medians(samples: readonly Sample[]): Results['medians'] {
  const values = new Map<string, Map<string, Map<string, number[]>>>();
  for (const { scenario, peer, figures } of samples) {
    for (const [figure, value] of Object.entries(figures)) {
      const ofPeers = entry(values, scenario, () => new Map<string, Map<string, number[]>>());
      const ofFigures = entry(ofPeers, peer, () => new Map<string, number[]>());
      entry(ofFigures, figure, (): number[] => []).push(value);
    }
  }
  const toMedian = (each: readonly number[]): number => Number(median(each).toPrecision(4));
  return record(values, (peers) => record(peers, (figures) => record(figures, toMedian)));
}

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}

const record = <A, B>(map: ReadonlyMap<string, A>, change: (value: A) => B): Record<string, B> =>
  Object.fromEntries([...map].map(([key, value]) => [key, change(value)]));
