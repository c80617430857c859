/** One endpoint as the generator knows it, whichever server it is from. */
import { dangers, fits, type GroupRules, type KnownGroup } from './endpoint-groups.ts';

export interface Route {
  readonly method: string;
  /** `/<index>/_doc/{id}`: parameters that name indices stand in angle brackets. */
  readonly path: string;
}

export interface EndpointRow {
  readonly name: string;
  readonly group: KnownGroup;
  readonly server: 'both' | 'elasticsearch' | 'opensearch';
  readonly bodyIndices: boolean;
  readonly ndjson: boolean;
  /** Parameters of its query that name indices. */
  readonly queryIndices: readonly string[];
  readonly routes: readonly Route[];
}

export function groupByRule(
  rules: GroupRules,
  name: string,
  routes: readonly Route[],
): KnownGroup | undefined {
  const find = (table: Readonly<Record<string, KnownGroup>>): KnownGroup | undefined =>
    Object.entries(table).find(([pattern]) => fits([pattern], name))?.[1];
  const exact = find(rules.exact);
  if (exact !== undefined) return exact;
  const otherwise = find(rules.otherwise);
  return otherwise === undefined ? undefined : showsOnly(otherwise, routes);
}

/** What can only be asked with GET or HEAD changes nothing; but what shows users and keys stays `security`. */
export function showsOnly(group: KnownGroup, routes: readonly Route[]): KnownGroup {
  const shows = routes.every(({ method }) => method === 'GET' || method === 'HEAD');
  return shows && (group === 'manage' || group === 'cluster-admin') ? 'monitor' : group;
}

export function worse(a: KnownGroup, b: KnownGroup): KnownGroup {
  return dangers.indexOf(a) > dangers.indexOf(b) ? a : b;
}

/** What two servers tell routes apart by: the names of parameters don't matter. */
export function shape({ method, path }: Route): string {
  return `${method} ${path.replace(/\{\w+\}|<\w+>/g, '{}')}`;
}

export const namesIndices = (route: Route): boolean => route.path.includes('<');
