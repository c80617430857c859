/** What policies are asked about: one request's head, who sent it, from where, when. */
import type { Failure } from '../errors.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { type EndpointMatch, findEndpoint, queryIndices } from './endpoints.ts';
import { type IndexExpression, parseIndexExpression } from './indices.ts';
import { type JudgedPath, readPath } from './path.ts';
import type { Principal } from './principal.ts';

export interface Subject {
  readonly head: RequestHead;
  readonly path: JudgedPath;
  readonly match: EndpointMatch;
  /** What the URL names; where it names nothing, all indices. */
  readonly indices: IndexExpression;
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
  const path = readPath(head.path);
  if ('code' in path) return path;
  const match = findEndpoint(head.method, path);
  const indices = parseIndexExpression(match.indices);
  if ('code' in indices) return indices;
  const { source, principals, time } = circumstances;
  const queryNamesIndices = head.query !== '' && queryIndices(head.query);
  return { head, path, match, indices, queryNamesIndices, source, principals, time };
}
