/**
 * What all expressions of a set may cost in one decision. Each for itself is bounded by what `when.ts` accepts; but
 * one request can make all of them be computed, one after the other, and nothing else is served meanwhile.
 */
import type { Problem } from '../../config/load.ts';
import { type PolicyDocument, placeOf } from '../document.ts';
import type { Endpoint } from '../endpoints.ts';
import type { When } from '../when.ts';
import { scopeOf } from './inclusion.ts';

/** Microseconds, as reckoned for the worst request. */
export const mostTogether = 5000;

interface Asking {
  readonly policy: PolicyDocument;
  /** Microseconds. */
  readonly cost: number;
}

/**
 * A set is refused whose expressions together could cost more for one request. A request has one endpoint and one
 * principal, so that policies for different ones do not add up.
 */
export function unsafeTogether(policies: readonly PolicyDocument[], when: When): readonly Problem[] {
  const asking = policies.flatMap((policy): readonly Asking[] =>
    policy.when === undefined ? [] : [{ policy, cost: when.cost(policy.when) }],
  );
  if (sumOf(asking) <= mostTogether) return [];
  let worst:
    | { readonly endpoint: Endpoint; readonly met: readonly Asking[]; readonly total: number }
    | undefined;
  for (const [endpoint, met] of byEndpoint(asking)) {
    const total = costFor(met);
    if (total > Math.max(mostTogether, worst?.total ?? 0)) worst = { endpoint, met, total };
  }
  if (worst === undefined) return [];
  const { endpoint, met, total } = worst;
  const costliest = met.reduce((most, one) => (one.cost > most.cost ? one : most));
  const { name, origin } = costliest.policy;
  return [
    {
      where: placeOf(origin),
      path: 'spec.when',
      wrong: `the expressions of all policies could take ${Math.ceil(total)} µs of one request to ${endpoint.name}, and ${mostTogether} µs are the limit; policy ${name} takes the most, ${Math.ceil(costliest.cost)} µs`,
      fix: 'ask by match for what it can say, name the endpoints or principals of each policy, or make one of several',
    },
  ];
}

function sumOf(asking: readonly Asking[]): number {
  return asking.reduce((sum, { cost }) => sum + cost, 0);
}

/** What requests can meet, with one of the endpoints where they meet it. */
function byEndpoint(asking: readonly Asking[]): ReadonlyMap<Endpoint, readonly Asking[]> {
  const all = new Map<Endpoint, number[]>();
  for (const [at, { policy }] of asking.entries()) {
    for (const endpoint of scopeOf(policy).usable) {
      const met = all.get(endpoint);
      if (met === undefined) all.set(endpoint, [at]);
      else met.push(at);
    }
  }
  const different = new Map([...all].map(([endpoint, met]) => [met.join(), { endpoint, met }]));
  return new Map(
    [...different.values()].map(({ endpoint, met }) => [endpoint, met.flatMap((at) => asking[at] ?? [])]),
  );
}

/** Of the principal who has to wait for most, besides what anybody has to. */
function costFor(met: readonly Asking[]): number {
  let anybody = 0;
  const named = new Map<string, number>();
  for (const { policy, cost } of met) {
    const names = namesOf(policy);
    if (names === undefined) anybody += cost;
    else for (const name of names) named.set(name, (named.get(name) ?? 0) + cost);
  }
  return anybody + [...named.values()].reduce((most, cost) => Math.max(most, cost), 0);
}

/** Undefined where it may match anybody. */
function namesOf({ match: { principals } }: PolicyDocument): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  for (const principal of principals) {
    const own = principal.kind === 'token' ? principal.subjects : principal.names;
    if (own.length === 0 || own.some((name) => name.includes('*'))) return undefined;
    for (const name of own) names.add(name);
  }
  return names.size === 0 ? undefined : names;
}
