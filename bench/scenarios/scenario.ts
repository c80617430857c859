/** What is done to a peer, and what is read off. */
import type { Origin } from '../measure/generators.ts';
import type { RunningPeer, Site } from '../measure/running.ts';
import type { Peer } from '../peers/peer.ts';

/** Names of figures, with their unit in the name, to values. */
export type Figures = Record<string, number>;

export interface Surroundings {
  readonly site: Site;
  readonly origin: Origin;
  /** Less of everything, for a look rather than a measurement. */
  readonly quick: boolean;
  /** The peer's process that serves all scenarios of the run, started when it isn't alive. */
  running(peer: Peer): Promise<RunningPeer>;
}

export interface Scenario {
  readonly name: string;
  /** Measured once per run instead of once per round. */
  readonly once?: boolean;
  /** False where a peer is left out of this one. */
  includes?(peer: Peer): boolean;
  /** One measurement. Rejects where the peer fails it. */
  measure(peer: Peer, surroundings: Surroundings): Promise<Figures>;
}
