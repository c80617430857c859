/** From what the schema has read to what the rest of Sluice works with: every default filled in. */
import type { Action, Match, Origin, PolicyDocument, PrincipalMatch } from '../document.ts';
import { allGroups, weekdays } from './match-schema.ts';
import type { PolicyTestDocument } from './policy-test.ts';
import type { PolicySettings } from './schema.ts';
import type { PolicyTestSettings } from './test-schema.ts';

type Spec = PolicySettings['spec'];
type MatchSettings = Spec['match'];
type PrincipalSettings = NonNullable<MatchSettings['principals']>[number];

const unlimited = Number.POSITIVE_INFINITY;

export function toPolicy({ metadata: { name }, spec }: PolicySettings, origin: Origin): PolicyDocument {
  const { limits, headers } = spec;
  return {
    name,
    order: spec.order,
    origin,
    match: toMatch(spec.match),
    when: spec.when,
    action: toAction(name, spec),
    bodyIndices: spec.bodyIndices ?? 'refuse',
    cluster: spec.route?.cluster,
    limits: {
      bodyBytes: limits?.bodyBytes ?? unlimited,
      requestBandwidth: limits?.requestBandwidth,
      responseBandwidth: limits?.responseBandwidth,
      streams: limits?.streams ?? unlimited,
      requestRate: limits?.requestRate,
      queue: limits?.queue,
    },
    headers: { set: headers?.set ?? [], remove: headers?.remove ?? [] },
  };
}

function toAction(name: string, { action, deny }: Spec): Action {
  if (action === 'allow') return { kind: 'allow' };
  return { kind: action, status: deny?.status ?? 403, reason: deny?.reason ?? `Denied by policy ${name}.` };
}

function toMatch(match: MatchSettings): Match {
  const { length } = match;
  return {
    methods: match.methods ?? [],
    endpoints: match.endpoints ?? [],
    groups: match.groups?.includes('all')
      ? allGroups
      : (match.groups ?? []).filter((group) => group !== 'all'),
    effects: match.effects ?? [],
    indices: match.indices ?? [],
    paths: match.paths ?? [],
    sources: match.sources ?? [],
    headers: (match.headers ?? []).map(({ name, values }) => ({ name, values: values ?? [] })),
    query: (match.query ?? []).map(({ name, values }) => ({ name, values: values ?? [] })),
    principals: (match.principals ?? []).map(toPrincipalMatch),
    contentTypes: match.contentTypes ?? [],
    length: length && { ...length, atMost: length.atMost ?? unlimited },
    times: (match.times ?? []).map(({ days, ...rest }) => ({
      days: (days ?? []).map((day) => weekdays.indexOf(day)),
      ...rest,
    })),
  };
}

/** The schema has seen to it that one is given. */
function toPrincipalMatch(settings: PrincipalSettings): PrincipalMatch {
  const { users, claimedUsers, apiKeys, claimedApiKeys, token } = settings;
  if (token !== undefined) {
    const { issuer, subjects = [], claims = {} } = token;
    return { kind: 'token', verified: true, issuer, subjects, claims };
  }
  const kind = (users ?? claimedUsers) === undefined ? 'api-key' : 'user';
  const verified = (users ?? apiKeys) !== undefined;
  return { kind, verified, names: users ?? claimedUsers ?? apiKeys ?? claimedApiKeys ?? [] };
}

/** `originOf` is told the index of each test. */
export function toPolicyTests(
  { metadata: { name }, spec }: PolicyTestSettings,
  origin: Origin,
  originOf: (test: number) => Origin,
): PolicyTestDocument {
  return {
    name,
    origin,
    tests: spec.tests.map(({ name: given, request, expect }, index) => {
      const { method, path, headers, source, length, principals, time } = request;
      const { verdict, policy, status, cluster, audited } = expect;
      return {
        name: given ?? `${method} ${path}`,
        origin: originOf(index),
        request: {
          method,
          target: path,
          headers: Object.entries(headers).map(([key, value]) => ({ name: key, value })),
          source,
          length,
          principals,
          time,
        },
        expect: { verdict, policy, status, cluster, audited },
      };
    }),
  };
}
