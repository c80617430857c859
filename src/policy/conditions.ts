/**
 * What a policy's `match` asks of a request, each part as a small object of one shape. All of them must hold; the
 * cheap ones are asked first.
 */
import { dashed } from '../http1/fields.ts';
import { isNominated } from '../http1/forward.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { type AddressBits, addressBits, networkBits } from '../networks.ts';
import type { Action, HeaderMatch, LengthMatch, Match, PolicyDocument, QueryMatch } from './document.ts';
import { endpointsWith } from './effects.ts';
import type { Endpoint } from './endpoints.ts';
import { compileGlobs, compilePath } from './glob.ts';
import { coversRequest, explicitIndex, isSettled, mayTouchIn, queryLeadsElsewhere } from './index-match.ts';
import { compileIndexPatterns, patternPrefixes } from './indices.ts';
import { catchesSegment, coversSegment, type PathSegment } from './path-segments.ts';
import { comparePrincipal } from './principal-match.ts';
import { Seen } from './seen.ts';
import type { Subject } from './subject.ts';
import { compileTimes } from './times.ts';

export interface Condition {
  /** The field of `match` that it stands for, as an operator would name it. */
  readonly part: string;
  holds(subject: Subject): boolean;
  /**
   * Texts with one of which what is asked for has to begin, so that narrow.ts can look policies up; absent where
   * there are none. Of indices that is so where the URL is all that says which.
   */
  readonly begins?: readonly string[];
  /** What the request has instead, for `explain`. Never a secret. */
  found(subject: Subject): string;
}

/**
 * A policy that lets in must cover all that the request can touch; one that denies or audits must catch whatever it
 * may touch: what the head leaves open counts against the request, both times.
 */
export type Sense = 'covers' | 'catches';

export function senseOf(action: Action): Sense {
  return action.kind === 'allow' ? 'covers' : 'catches';
}

export function compileConditions(document: PolicyDocument): readonly Condition[] {
  const { match, action } = document;
  const sense = senseOf(action);
  return [
    ...methods(match),
    ...endpoints(match, sense),
    ...effects(match, sense),
    ...paths(match, sense),
    ...indices(document, sense),
    ...sources(match),
    ...contentTypes(match, sense),
    ...(match.length === undefined ? [] : [length(match.length)]),
    ...principals(match),
    ...match.headers.map((one) => header(one, sense)),
    ...match.query.map((one) => parameter(one, sense)),
    ...times(match),
  ];
}

function methods({ methods }: Match): readonly Condition[] {
  if (methods.length === 0) return [];
  const wanted = new Set(methods);
  return [
    {
      part: 'methods',
      holds: ({ head }) => wanted.has(head.method),
      found: ({ head }) => head.method,
    },
  ];
}

/** Endpoints that no table lists are let in by name only, and caught by whoever denies: they may be any endpoint. */
function endpoints({ endpoints: names, groups, paths }: Match, sense: Sense): readonly Condition[] {
  const named = compileGlobs(names);
  const wanted: ReadonlySet<string> = new Set(groups);
  const unknownToo =
    sense === 'catches' ||
    wanted.has('unknown') ||
    names.includes('unknown') ||
    (names.length === 0 && groups.length === 0 && paths.length > 0);
  return [
    {
      part: names.length > 0 || groups.length === 0 ? 'endpoints' : 'groups',
      holds: ({ match: { endpoint } }) => {
        if (endpoint.group === 'unknown') return unknownToo;
        if (names.length > 0 && !named(endpoint.name)) return false;
        return groups.length === 0 || wanted.has(endpoint.group);
      },
      found: ({ match: { endpoint } }) =>
        endpoint.group === 'unknown'
          ? 'an endpoint that no table lists, which only groups: [unknown], groups: [all] or paths let in'
          : `${endpoint.name} (group ${endpoint.group})`,
    },
  ];
}

/** What a request may do says nothing of what else it does, so that nothing is let in by it. */
function effects({ effects }: Match, sense: Sense): readonly Condition[] {
  if (effects.length === 0) return [];
  const having = endpointsWith(effects);
  return [
    {
      part: 'effects',
      holds: ({ match: { endpoint } }) => sense === 'catches' && having.has(endpoint.id),
      found: ({ match: { endpoint } }) => `${endpoint.name}, which has no such effect`,
    },
  ];
}

/**
 * Whoever lets in has to fit every reading of the path, whatever a list or a wildcard in it stands for; whoever denies
 * catches what any of them may be.
 */
function paths({ paths }: Match, sense: Sense): readonly Condition[] {
  if (paths.length === 0) return [];
  const test = sense === 'covers' ? coversSegment : catchesSegment;
  const globs = paths.map((pattern) => compilePath(pattern, test));
  return [
    {
      part: 'paths',
      holds: ({ readings, indices: work }) => {
        const fits = (segments: readonly PathSegment[]): boolean =>
          globs.some((glob) => glob(segments, work));
        return sense === 'covers' ? readings.covered.every(fits) : readings.caught.some(fits);
      },
      found: ({ path }) => path.text,
    },
  ];
}

function indices(document: PolicyDocument, sense: Sense): readonly Condition[] {
  const { match } = document;
  if (match.indices.length === 0) return [];
  const compiled = compileIndexPatterns(match.indices);
  // The reader has checked each pattern.
  if (compiled.kind === 'wrong') throw new Error(`${compiled.pattern}: ${compiled.wrong}`);
  const { patterns } = compiled;
  const asks = sense === 'covers' ? coversRequest : mayTouchIn;
  return [
    {
      part: 'indices',
      holds: (subject) => asks(patterns, subject, document),
      // What denies is caught by overlap.
      begins: sense === 'covers' ? patternPrefixes(patterns) : [],
      found: (subject) => foundIndices(subject, document),
    },
  ];
}

function foundIndices(subject: Subject, document: PolicyDocument): string {
  const { endpoint, indices: named } = subject.match;
  if (subject.queryNamesIndices) return 'indices named in the query, where servers take them too';
  if (!endpoint.takesIndices && !endpoint.bodyIndices) return `${endpoint.name}, which is not about indices`;
  if (queryLeadsElsewhere(subject, document)) {
    return 'a pipeline in the query, which can write to any index: name those that may in match.query';
  }
  const inUrl = named.length === 0 ? 'no index in the URL, which means all' : named.join(',');
  if (isSettled(document, endpoint)) return inUrl;
  return `${inUrl}, and the body of ${endpoint.name} can name others: ${bodyIndicesHint(endpoint)}`;
}

/** The way out for an operator whose bulk is refused. */
export function bodyIndicesHint({ name }: Endpoint): string {
  return explicitIndex.has(name)
    ? 'set bodyIndices: trust where the server has rest.action.multi.allow_explicit_index: false'
    : `name ${name} in match.endpoints, with bodyIndices: trust, where whoever sends it may reach any`;
}

/** Connections come by the thousand from a few addresses. */
const knownAddresses = new Seen<AddressBits>(4096);

export function bitsOf(address: string): AddressBits | undefined {
  const known = knownAddresses.get(address);
  if (known !== undefined) return known;
  const bits = addressBits(address);
  if (bits !== undefined) knownAddresses.offer(address, bits);
  return bits;
}

function sources({ sources }: Match): readonly Condition[] {
  if (sources.length === 0) return [];
  const networks = sources.flatMap((block) => networkBits(block) ?? []);
  return [
    {
      part: 'sources',
      holds: ({ source }) => {
        const bits = bitsOf(source);
        return bits !== undefined && networks.some((network) => bits.startsWith(network));
      },
      begins: networks,
      found: ({ source }) => source,
    },
  ];
}

/**
 * Of several lines of one name any could be the one that the server reads. What `Connection` nominates does not reach
 * the server, so that it lets nobody in. Neither does a name that only reads alike, `X_Debug` for `x-debug`, which
 * some servers take for the same: it is caught.
 */
function someOrEvery(
  sense: Sense,
  head: RequestHead,
  key: string,
  test: (value: string) => boolean,
): boolean {
  if (sense === 'covers' && isNominated(key, head.connection)) return false;
  const alike = dashed(key);
  const isMeant = (name: string): boolean =>
    name === key || (sense === 'catches' && name.length === key.length && dashed(name) === alike);
  const values = head.fields.list.filter((field) => isMeant(field.key)).map(({ value }) => value);
  return values.length > 0 && (sense === 'covers' ? values.every(test) : values.some(test));
}

function contentTypes({ contentTypes }: Match, sense: Sense): readonly Condition[] {
  if (contentTypes.length === 0) return [];
  const wanted = new Set(contentTypes);
  const isWanted = (value: string) => wanted.has(mediaType(value));
  return [
    {
      part: 'contentTypes',
      holds: ({ head }) => someOrEvery(sense, head, 'content-type', isWanted),
      found: ({ head }) => head.fields.get('content-type') ?? 'no Content-Type',
    },
  ];
}

/** Without parameters, in lower case. */
export function mediaType(value: string): string {
  return value.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function length({ atLeast, atMost, declared }: LengthMatch): Condition {
  return {
    part: 'length',
    holds: ({ head }) => {
      if (head.framing.kind === 'chunked') return !declared;
      const bytes = head.contentLength ?? 0;
      return bytes >= atLeast && bytes <= atMost;
    },
    found: ({ head }) =>
      head.framing.kind === 'chunked' ? 'no declared length' : `${head.contentLength ?? 0} bytes`,
  };
}

function principals({ principals }: Match): readonly Condition[] {
  if (principals.length === 0) return [];
  const tests = principals.map(comparePrincipal);
  const names = principals.flatMap((one) => (one.kind === 'token' ? one.subjects : one.names));
  const anyName = principals.some((one) => one.kind === 'token' && one.subjects.length === 0);
  return [
    {
      part: 'principals',
      holds: (subject) => subject.principals.some((principal) => tests.some((test) => test(principal))),
      begins: anyName ? [''] : names.map((name) => name.split('*', 1)[0] ?? ''),
      found: (subject) =>
        subject.principals.length === 0
          ? 'no principal'
          : subject.principals
              .map(({ kind, name, verified }) => `${verified ? 'verified' : 'claimed'} ${kind} ${name}`)
              .join(', '),
    },
  ];
}

function header({ name, values }: HeaderMatch, sense: Sense): Condition {
  const wanted = values.length === 0 ? () => true : compileGlobs(values);
  return {
    part: `headers.${name}`,
    holds: ({ head }) => someOrEvery(sense, head, name, wanted),
    found: ({ head }) => (head.fields.has(name) ? 'another value' : 'no such header'),
  };
}

/** Of several values of one name servers take the last, and others on the way may take the first. */
function parameter({ name, values }: QueryMatch, sense: Sense): Condition {
  const wanted = values.length === 0 ? () => true : compileGlobs(values);
  const covered = (value: string | undefined) => value !== undefined && wanted(value);
  const caught = (value: string | undefined) => value === undefined || wanted(value);
  return {
    part: `query.${name}`,
    holds: ({ query }) => {
      const given = query.get(name);
      if (given === undefined) return false;
      return sense === 'covers' ? given.every(covered) : given.some(caught);
    },
    found: ({ query }) => (query.has(name) ? 'another value' : 'no such parameter'),
  };
}

function times({ times }: Match): readonly Condition[] {
  if (times.length === 0) return [];
  const within = compileTimes(times);
  return [
    {
      part: 'times',
      holds: ({ time }) => within(time),
      found: ({ time }) => new Date(time).toISOString(),
    },
  ];
}
