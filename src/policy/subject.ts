/** What policies are asked about: one request's head, who sent it, from where, when. */
import { type Failure, failure } from '../errors.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { isCorsPreflight } from './cors.ts';
import { slashFault } from './encoded-slash.ts';
import { corsPreflight, type EndpointMatch, findEndpoint, queryIndices } from './endpoints.ts';
import { type IndexExpression, parseIndexExpression } from './indices.ts';
import { type JudgedPath, readPath } from './path.ts';
import { type PathReadings, readingsFor } from './path-segments.ts';
import type { Principal } from './principal.ts';
import { type QueryParameters, readQuery } from './query.ts';
import { Seen } from './seen.ts';

/** What a method and a path ask for. Requests for the same share one object. */
export interface Target {
  readonly path: JudgedPath;
  readonly match: EndpointMatch;
  /** What the URL names; where it names nothing, all indices. */
  readonly indices: IndexExpression;
  /** The path as policies compare it. */
  readonly readings: PathReadings;
  /** What a set has found for it; see narrow.ts. */
  narrowed: { readonly by: object; readonly candidates: Uint32Array } | undefined;
}

export interface Subject extends Omit<Target, 'narrowed'> {
  readonly target: Target;
  readonly head: RequestHead;
  readonly query: QueryParameters;
  /** The query names an index too, which servers read as though the path did. */
  readonly queryNamesIndices: boolean;
  /** The client's address, IPv4 or IPv6, without port. */
  readonly source: string;
  readonly principals: readonly Principal[];
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** The parts of a request that do not lie in its head. */
export interface Circumstances {
  readonly source: string;
  readonly principals: readonly Principal[];
  readonly time: number;
}

/** Refuses with `path-ambiguous` what policies could read differently from the server. */
export function describe(head: RequestHead, circumstances: Circumstances): Subject | Failure {
  const target = targetOf(isCorsPreflight(head) ? corsAsk : head.method, head.path);
  if ('code' in target) return target;
  const { path, match, indices, readings } = target;
  const { source, principals, time } = circumstances;
  const query = readQuery(head.query);
  if ('code' in query) return query;
  const queryNamesIndices = queryIndices(query);
  return { target, head, path, match, indices, readings, query, queryNamesIndices, source, principals, time };
}

/** Clients ask for the same again and again; but long paths are mostly of single documents. */
const known = new Seen<Target>(4096);
const maxKnownLength = 128;

/** Stands for the method of a CORS preflight: no method holds a blank. */
const corsAsk = 'CORS preflight';
const corsMatch: EndpointMatch = { endpoint: corsPreflight, indices: [], ids: [], wider: [] };

function targetOf(method: string, path: string): Target | Failure {
  if (path.length > maxKnownLength) return readTarget(method, path);
  const line = `${method} ${path}`;
  const before = known.get(line);
  if (before !== undefined) return before;
  const target = readTarget(method, path);
  if (!('code' in target)) known.offer(line, target);
  return target;
}

function readTarget(method: string, raw: string): Target | Failure {
  const path = readPath(raw);
  if ('code' in path) return path;
  const asksFirst = method === corsAsk;
  const match = asksFirst ? corsMatch : findEndpoint(method, path);
  // No route depends on the path of one that only asks.
  const fault = path.slashed.length === 0 || asksFirst ? undefined : slashFault(method, path, match);
  if (fault !== undefined) return failure('path-ambiguous', fault);
  const indices = parseIndexExpression(match.indices);
  return 'code' in indices
    ? indices
    : { path, match, indices, readings: readingsFor(path, match), narrowed: undefined };
}
