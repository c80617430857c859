/**
 * Whether a policy matches every request that another one matches. It errs on one side only: where it says so, there
 * is no request that the other matches and it does not; where it can't tell, it says no.
 */
import { parseRequestHead } from '../../http1/request-head.ts';
import { networkBits } from '../../networks.ts';
import { compileConditions, type Sense, senseOf } from '../conditions.ts';
import type {
  HeaderMatch,
  LengthMatch,
  Match,
  PolicyDocument,
  PrincipalMatch,
  QueryMatch,
  TimeWindow,
} from '../document.ts';
import { endpointTable } from '../endpoint-table.ts';
import { corsPreflight, type Endpoint, endpoints } from '../endpoints.ts';
import { compileGlob, compileGlobs, compilePath, type Glob } from '../glob.ts';
import { isSettled, mayBeAbout } from '../index-match.ts';
import { compileIndexPatterns, containsPattern, type IndexPatterns } from '../indices.ts';
import { isExpression } from '../path-segments.ts';
import { describe, type Subject } from '../subject.ts';

/** What a policy matches, as far as it can be compared. */
export interface Scope {
  readonly document: PolicyDocument;
  readonly sense: Sense;
  /** Which endpoints its `endpoints`, `groups`, `effects` and `paths` let through. */
  readonly reached: ReadonlySet<Endpoint>;
  /** Of those, which its `methods` and `indices` can hold for. */
  readonly usable: ReadonlySet<Endpoint>;
  /** Which parts of `match` ask for something; endpoints, groups and effects are in `reached`. */
  readonly parts: number;
  /** How many items there are to compare; long ones count as several. */
  readonly size: number;
  readonly indices: IndexPatterns | undefined;
  readonly networks: readonly string[];
}

/** Characters. */
const longText = 32;

type Part = Exclude<keyof Match, 'endpoints' | 'groups' | 'effects'>;

const listParts = [
  'methods',
  'indices',
  'paths',
  'sources',
  'headers',
  'query',
  'principals',
  'contentTypes',
  'times',
] as const satisfies readonly Part[];

export function scopeOf(document: PolicyDocument): Scope {
  const { match, action } = document;
  const sense = senseOf(action);
  const compiled = match.indices.length > 0 ? compileIndexPatterns(match.indices) : undefined;
  let parts = match.length === undefined ? 0 : 1 << listParts.length;
  let size = 1;
  for (const [bit, part] of listParts.entries()) {
    if (match[part].length > 0) parts |= 1 << bit;
    size += match[part].length;
  }
  const texts = [
    match.indices,
    match.paths,
    ...match.principals.flatMap((one) =>
      one.kind === 'token' ? [one.subjects, ...Object.values(one.claims)] : [one.names],
    ),
    ...[...match.headers, ...match.query].map(({ values }) => values),
  ];
  for (const text of texts.flat()) size += Math.ceil(text.length / longText);
  return {
    document,
    sense,
    ...endpointsOf(document, sense),
    parts,
    size,
    indices: compiled?.kind === 'compiled' ? compiled.patterns : undefined,
    networks: match.sources.flatMap((block) => networkBits(block) ?? []),
  };
}

/** Whether `wide`, which may have no `when`, matches all that `narrow` does. */
export function includes(wide: Scope, narrow: Scope): boolean {
  // What asks for nothing holds for all, and is within nothing that asks for something.
  if ((wide.parts & ~narrow.parts) !== 0) return false;
  const [all, some] = [wide.document.match, narrow.document.match];
  // Of what can be read in two ways, one that fits is enough to be caught, and not to be let in.
  const strict = wide.sense === 'covers' && narrow.sense === 'catches';
  return (
    (all.methods.length === 0 || some.methods.every((method) => all.methods.includes(method))) &&
    (all.sources.length === 0 || networksWithin(wide.networks, narrow.networks)) &&
    (all.principals.length === 0 || principalsWithin(all.principals, some.principals)) &&
    (wide.indices === undefined || indicesWithin(wide, narrow)) &&
    (all.paths.length === 0 ||
      (!strict && some.paths.every((path) => all.paths.some((one) => pathWithin(one, path))))) &&
    all.headers.every((header) => some.headers.some((other) => headerWithin(header, other, strict))) &&
    all.query.every((one) => some.query.some((other) => headerWithin(one, other, strict))) &&
    (all.contentTypes.length === 0 ||
      (!strict && some.contentTypes.every((type) => all.contentTypes.includes(type)))) &&
    (all.length === undefined || some.length === undefined || lengthWithin(all.length, some.length)) &&
    (all.times.length === 0 || some.times.every((time) => all.times.some((one) => timeWithin(one, time)))) &&
    isWithin(wide.usable, narrow.usable)
  );
}

function isWithin(wide: ReadonlySet<Endpoint>, narrow: ReadonlySet<Endpoint>): boolean {
  if (wide === narrow) return true;
  for (const endpoint of narrow) if (!wide.has(endpoint)) return false;
  return true;
}

const endpointParts: ReadonlySet<string> = new Set(['endpoints', 'groups', 'effects']);

/** By all that the sets depend on: policies of one kind share theirs. */
const known = new Map<string, Pick<Scope, 'reached' | 'usable'>>();
const maxKnown = 4096;

function endpointsOf(document: PolicyDocument, sense: Sense): Pick<Scope, 'reached' | 'usable'> {
  const { match, bodyIndices } = document;
  const { endpoints: names, groups, effects, paths, methods, indices } = match;
  const restricted = indices.length > 0 && bodyIndices;
  const key = JSON.stringify([names, groups, effects, paths.length > 0, methods, restricted, sense]);
  let found = known.get(key);
  if (found === undefined) {
    const asked = compileConditions(document).filter(({ part }) => endpointParts.has(part));
    const reached = endpoints.filter((endpoint) => {
      const subject: Subject = { ...anySubject, match: { endpoint, indices: [], ids: [], wider: [] } };
      return asked.every((condition) => condition.holds(subject));
    });
    const usable = reached.filter((endpoint) => hasIndices(document, endpoint) && hasMethod(match, endpoint));
    found = { reached: new Set(reached), usable: new Set(usable) };
    if (known.size >= maxKnown) known.clear();
    known.set(key, found);
  }
  return found;
}

/** For conditions that look at the endpoint alone. */
const anySubject: Subject = (() => {
  const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: any\r\n\r\n');
  const head = parseRequestHead(bytes, 0, bytes.length, { maxTarget: bytes.length, maxFields: bytes.length });
  const subject = 'code' in head ? head : describe(head, { source: '127.0.0.1', principals: [], time: 0 });
  if ('code' in subject) throw new Error(subject.detail);
  return subject;
})();

/** Whether `match.indices` can hold for some request to an endpoint; conditions.ts says when it does. */
export function hasIndices(document: PolicyDocument, endpoint: Endpoint): boolean {
  if (document.match.indices.length === 0) return true;
  if (!mayBeAbout(endpoint, document.match)) return false;
  if (senseOf(document.action) === 'catches') return true;
  return endpoint.group !== 'unknown' && isSettled(document, endpoint);
}

/** By endpoint: the methods that its URLs are asked with; of `unknown` none, for it is any. */
const methodsByName: ReadonlyMap<string, readonly string[]> = new Map(
  endpointTable
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', , , , ...routes] = line.split(' ');
      const methods = new Set(routes.filter((_, at) => at % 2 === 0).flatMap((listed) => listed.split('|')));
      if (methods.has('GET')) methods.add('HEAD');
      return [name, [...methods]];
    }),
);

export function methodsOf({ name }: Endpoint): readonly string[] {
  if (name === corsPreflight.name) return ['OPTIONS'];
  return methodsByName.get(name) ?? [];
}

export function hasMethod({ methods }: Pick<Match, 'methods'>, endpoint: Endpoint): boolean {
  if (methods.length === 0 || endpoint.group === 'unknown') return true;
  return methodsOf(endpoint).some((method) => methods.includes(method));
}

/** Of globs, too: a star of the one is a character that only a star of the other can take. */
function textsWithin(wide: readonly string[], narrow: readonly string[]): boolean {
  let within = compiled.get(wide);
  if (within === undefined) {
    within = compileGlobs(wide);
    compiled.set(wide, within);
  }
  return narrow.every(within);
}

const compiled = new WeakMap<readonly string[], Glob>();

function networksWithin(wide: readonly string[], narrow: readonly string[]): boolean {
  return narrow.every((network) => wide.some((one) => network.startsWith(one)));
}

/**
 * Patterns may differ in nothing but names: what a selector adds is another question for a policy that lets in than
 * for one that denies. What the head leaves open counts against the request, so that who trusts bodies lets more in
 * and catches less.
 */
function namesPipelines({ document: { match } }: Scope): boolean {
  return match.query.some(({ name }) => name === 'pipeline');
}

function indicesWithin(wide: Scope, narrow: Scope): boolean {
  const [all, some] = [wide.indices, narrow.indices];
  if (all === undefined || some === undefined) return all === undefined;
  // Who names the pipelines is about requests that have one, and who does not lets none in.
  if (wide.sense === 'covers' && namesPipelines(narrow) && !namesPipelines(wide)) return false;
  const trustsAll = wide.document.bodyIndices === 'trust';
  const trustsSome = narrow.document.bodyIndices === 'trust';
  if (wide.sense === 'covers') {
    if (narrow.sense === 'catches' || (trustsSome && !trustsAll)) return false;
  } else if (trustsAll && trustsSome !== (narrow.sense === 'catches')) return false;
  else if (trustsAll && trustsSome) {
    // Where only the narrow one takes a body to name any index, it catches more.
    for (const endpoint of narrow.usable) {
      if (isSettled(wide.document, endpoint) && !isSettled(narrow.document, endpoint)) return false;
    }
  }
  return some.items.every((item) => containsPattern(all, item));
}

/** Where the narrow one holds a `**`, only a `**` at the end of the wide one is known to take it. */
function pathWithin(wide: string, narrow: string): boolean {
  if (wide === narrow) return true;
  const [parts, segments] = [segmentsOf(wide), segmentsOf(narrow)];
  if (!segments.includes('**')) return compilePath(wide, segmentWithin)(segments, undefined);
  const fixed = parts.slice(0, -1);
  if (parts.at(-1) !== '**' || fixed.includes('**')) return false;
  const before = segments.slice(0, fixed.length);
  if (before.length < fixed.length || before.includes('**')) return false;
  return fixed.every((part, at) => segmentWithin(part)(before[at] ?? ''));
}

/** What a server may expand is within itself alone, and within everything. */
function segmentWithin(wide: string): Glob {
  const glob = compileGlob(wide);
  return (narrow) =>
    wide === narrow || wide === '*' || (!wide.includes(',') && !isList(narrow) && glob(narrow));
}

/** Other than a wildcard, which index-glob.ts compares. */
function isList(part: string): boolean {
  return isExpression(part.replaceAll('*', ''));
}

function segmentsOf(path: string): readonly string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function principalsWithin(wide: readonly PrincipalMatch[], narrow: readonly PrincipalMatch[]): boolean {
  return narrow.every((one) => wide.some((other) => principalWithin(other, one)));
}

function principalWithin(wide: PrincipalMatch, narrow: PrincipalMatch): boolean {
  if (wide.kind !== 'token' || narrow.kind !== 'token') {
    if (wide.kind === 'token' || narrow.kind === 'token' || wide.kind !== narrow.kind) return false;
    return (narrow.verified || !wide.verified) && textsWithin(wide.names, narrow.names);
  }
  const someone = narrow.subjects.length > 0;
  return (
    (wide.issuer === undefined || wide.issuer === narrow.issuer) &&
    (wide.subjects.length === 0 || (someone && textsWithin(wide.subjects, narrow.subjects))) &&
    Object.entries(wide.claims).every(([claim, values]) => {
      const given = Object.hasOwn(narrow.claims, claim) ? narrow.claims[claim] : undefined;
      return given !== undefined && textsWithin(values, given);
    })
  );
}

/** Of several lines, and names that read alike, one is enough to be caught, and not to be let in: `strict`. */
function headerWithin(
  wide: HeaderMatch | QueryMatch,
  narrow: HeaderMatch | QueryMatch,
  strict: boolean,
): boolean {
  if (strict || wide.name !== narrow.name) return false;
  if (wide.values.length === 0) return true;
  return narrow.values.length > 0 && textsWithin(wide.values, narrow.values);
}

function lengthWithin(wide: LengthMatch, narrow: LengthMatch): boolean {
  return (
    wide.atLeast <= narrow.atLeast && wide.atMost >= narrow.atMost && (narrow.declared || !wide.declared)
  );
}

/** Zones change their clocks, so that only the same window is surely within one. */
function timeWithin(wide: TimeWindow, narrow: TimeWindow): boolean {
  if (wide.days.length === 0 && wide.from === 0 && wide.to === 24 * 60) return true;
  const always = wide.days.length === 0;
  return (
    wide.from === narrow.from &&
    wide.to === narrow.to &&
    wide.zone === narrow.zone &&
    (always || (narrow.days.length > 0 && narrow.days.every((day) => wide.days.includes(day))))
  );
}
