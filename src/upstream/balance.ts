/**
 * Which node serves a request: of two picked at random the one with fewer bytes outstanding, since the weight of
 * a 100 MB upload is 100 MB (power of two choices: Mitzenmacher, IEEE TPDS 12(10), 2001). Pure: `random` gives [0, 1).
 */
export interface Candidate {
  readonly bytesInFlight: number;
  isEjected(now: number): boolean;
  /** It has not answered well since it was last ejected. */
  readonly onTrial: boolean;
}

/**
 * One of `nodes` that is not in `tried`, preferably one that is not ejected: when all are, a distrusted node is
 * better than none. A request that has failed once is not spent on trials of other nodes, where there is a sound one.
 * Undefined when all have been tried.
 */
export function pickNode<N extends Candidate>(
  nodes: readonly N[],
  tried: ReadonlySet<N>,
  now: number,
  random: () => number,
): N | undefined {
  // Nearly every request: nothing tried, nothing ejected, so no list to make.
  const candidates =
    tried.size === 0 && !nodes.some((node) => node.isEjected(now))
      ? nodes
      : preferred(
          nodes.filter((node) => !tried.has(node)),
          tried.size > 0,
          now,
        );
  const first = Math.floor(random() * candidates.length);
  const one = candidates[first];
  if (candidates.length < 2) return one;
  const other = candidates[(first + 1 + Math.floor(random() * (candidates.length - 1))) % candidates.length];
  if (one === undefined || other === undefined) return one ?? other;
  return other.bytesInFlight < one.bytesInFlight ? other : one;
}

function preferred<N extends Candidate>(untried: readonly N[], isRetry: boolean, now: number): readonly N[] {
  const trusted = untried.filter((node) => !node.isEjected(now));
  const sound = isRetry ? trusted.filter((node) => !node.onTrial) : trusted;
  if (sound.length > 0) return sound;
  return trusted.length > 0 ? trusted : untried;
}
