/**
 * The indices that a request can touch, held against a policy's patterns: for `match.indices`, and for `covers()` and
 * `touches()` of expressions. What the head leaves open counts against the request in both.
 */
import type { Match, PolicyDocument } from './document.ts';
import type { Endpoint } from './endpoints.ts';
import { covers, type IndexPatterns, mayTouch } from './indices.ts';
import type { Subject } from './subject.ts';

/**
 * Whose bodies a server can be told not to name indices in (rest.action.multi.allow_explicit_index). `mtermvectors`
 * does not heed it: seen on Elasticsearch 9.5 and OpenSearch 3.8. Nor does a point in time in the body of
 * `msearch_template`, which is a search as a whole.
 */
export const explicitIndex: ReadonlySet<string> = new Set([
  'bulk',
  'bulk_stream',
  'fleet.msearch',
  'mget',
  'msearch',
]);

type Trust = Pick<PolicyDocument, 'match' | 'bodyIndices'>;

/** Whether nothing but the URL says which indices a request is about, as far as the policy is concerned. */
export function isSettled({ match, bodyIndices }: Trust, { name, bodyIndices: inBody }: Endpoint): boolean {
  return !inBody || (bodyIndices === 'trust' && (explicitIndex.has(name) || match.endpoints.includes(name)));
}

/** What has an effect on indices and names none in its URL has it on any: a lifecycle policy, a cluster's setting. */
export function mayBeAbout(endpoint: Endpoint, { effects }: Pick<Match, 'effects'>): boolean {
  return endpoint.takesIndices || endpoint.bodyIndices || effects.length > 0;
}

/**
 * Whether the query can lead to other indices than the path names: it names some, or a pipeline, which can write where
 * it likes. A policy that says by `match.query` which pipelines it is about has judged them.
 */
export function queryLeadsElsewhere({ queryNamesIndices, query }: Subject, { match }: Trust): boolean {
  if (queryNamesIndices) return true;
  return query.has('pipeline') && !match.query.some(({ name }) => name === 'pipeline');
}

/** Whether one of the patterns matches each index that the request can touch. */
export function coversRequest(patterns: IndexPatterns, subject: Subject, trust: Trust): boolean {
  const { endpoint, indices: named } = subject.match;
  if (!endpoint.takesIndices && !endpoint.bodyIndices) return false;
  if (endpoint.group === 'unknown' || queryLeadsElsewhere(subject, trust)) return false;
  if (!isSettled(trust, endpoint)) return false;
  // A read that names no index reads all of them, whatever the server allows bodies to name.
  if (named.length === 0 && endpoint.bodyIndices && (!endpoint.takesIndices || endpoint.group !== 'read')) {
    return true;
  }
  return endpoint.takesIndices && covers(patterns, subject.indices);
}

/** Whether the request may touch an index that one of the patterns matches. */
export function mayTouchIn(patterns: IndexPatterns, subject: Subject, trust: Trust): boolean {
  const { endpoint } = subject.match;
  if (!mayBeAbout(endpoint, trust.match)) return false;
  if (!endpoint.takesIndices && !endpoint.bodyIndices) return true;
  if (queryLeadsElsewhere(subject, trust) || !isSettled(trust, endpoint)) return true;
  return endpoint.takesIndices && mayTouch(patterns, subject.indices);
}
