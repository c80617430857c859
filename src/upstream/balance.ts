/**
 * Which node serves a request: of two picked at random the one with fewer bytes outstanding, since the weight of
 * a 100 MB upload is 100 MB (power of two choices: Mitzenmacher, IEEE TPDS 12(10), 2001). Pure: `random` gives [0, 1).
 */
export interface Candidate {
  readonly bytesInFlight: number;
  isEjected(now: number): boolean;
}

/**
 * One of `nodes` that is not in `tried`, preferably one that is not ejected: when all are, a distrusted node is
 * better than none. Undefined when all have been tried.
 */
export function pickNode<N extends Candidate>(
  nodes: readonly N[],
  tried: ReadonlySet<N>,
  now: number,
  random: () => number,
): N | undefined {
  // Nearly every request: nothing tried, nothing ejected, so no list to make.
  const untried = tried.size === 0 ? nodes : nodes.filter((node) => !tried.has(node));
  const trusted = untried.some((node) => node.isEjected(now))
    ? untried.filter((node) => !node.isEjected(now))
    : untried;
  const candidates = trusted.length > 0 ? trusted : untried;
  const first = Math.floor(random() * candidates.length);
  const one = candidates[first];
  if (candidates.length < 2) return one;
  const other = candidates[(first + 1 + Math.floor(random() * (candidates.length - 1))) % candidates.length];
  if (one === undefined || other === undefined) return one ?? other;
  return other.bytesInFlight < one.bytesInFlight ? other : one;
}
