/** The whole table against a model of how the servers route: what is judged must be what is done. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerTrie } from '../../test/support/server-trie.ts';
import { endpointTable } from './endpoint-table.ts';
import { type Endpoint, endpoints, findEndpoint } from './endpoints.ts';

const byName = new Map(endpoints.map((endpoint) => [endpoint.name, endpoint]));
const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD'];

interface Route {
  readonly name: string;
  readonly server: string;
  readonly methods: readonly string[];
  readonly segments: readonly string[];
}

const routes: readonly Route[] = endpointTable
  .trim()
  .split('\n')
  .flatMap((line) => {
    const [name = '', , server = '', , ...pairs] = line.split(' ');
    return pairs.flatMap((allowed, at) =>
      at % 2 === 0
        ? [{ name, server, methods: allowed.split('|'), segments: (pairs[at + 1] ?? '').split('/').slice(1) }]
        : [],
    );
  });

/** Of Elasticsearch 7, and of 8 for who asks to be compatible with 7. No table lists them; what they do is told. */
const typed: readonly (readonly [methods: string, url: string, harm: string])[] = [
  ['GET POST', '_search', 'read'],
  ['POST PUT', '_bulk', 'write'],
  ['GET POST', '_mget', 'read'],
  ['GET POST', '_msearch', 'read'],
  ['GET POST', '_count', 'read'],
  ['POST', '_delete_by_query', 'write'],
  ['POST', '_update_by_query', 'write'],
  ['PUT POST GET', '_mapping', 'manage'],
  ['GET POST', '_mtermvectors', 'read'],
  ['GET POST', '_search/template', 'read'],
  ['GET POST', '_msearch/template', 'read'],
  ['GET HEAD PUT POST DELETE', '{id}', 'write'],
  ['POST', '{id}/_update', 'write'],
  ['GET', '{id}/_explain', 'read'],
  ['POST', '{id}/_create', 'write'],
  ['GET', '{id}/_source', 'read'],
  ['POST', '{id}/_termvectors', 'read'],
];

function trieOf(server: 'elasticsearch' | 'opensearch', withTypes: boolean): ServerTrie {
  const trie = new ServerTrie();
  for (const route of routes) {
    if (route.server !== 'both' && route.server !== server) continue;
    for (const method of route.methods) trie.add(method, `/${route.segments.join('/')}`, route.name);
  }
  if (withTypes) {
    for (const [allowed, url] of typed) {
      for (const method of allowed.split(' ')) trie.add(method, `/{index}/{type}/${url}`, `typed ${url}`);
    }
  }
  return trie;
}

const isParameter = (segment: string): boolean => /^[<{]/.test(segment);

/** Each URL once, whatever its parameters are called. */
const shapes = [
  ...new Map(
    routes.map(({ segments }) => [
      segments.map((one) => (isParameter(one) ? '{}' : one)).join('/'),
      segments,
    ]),
  ).values(),
];

const literals = [
  ...new Set(routes.flatMap(({ segments }) => segments.filter((one) => one !== '' && !isParameter(one)))),
];
const plain = ['logs', '*', 'x', '_all'];
/** Of those, the ones that stand for the rest where every choice for every parameter would be too many. */
const telling = ['x', '_all', '_search', '_bulk'];

/** Every word for each parameter in turn, with the telling ones for the others. */
function* fillings(segments: readonly string[]): Generator<readonly string[]> {
  const places = segments.flatMap((segment, at) => (isParameter(segment) ? [at] : []));
  const filled = [...segments];
  function* fill(next: number, thorough: number): Generator<readonly string[]> {
    const place = places[next];
    if (place === undefined) {
      yield filled;
      return;
    }
    for (const word of next === thorough ? [...plain, ...literals] : telling) {
      filled[place] = word;
      yield* fill(next + 1, thorough);
    }
  }
  if (places.length === 0) yield filled;
  for (const thorough of places.keys()) yield* fill(0, thorough);
}

/** The same judgement would be passed on both. */
function alike(ours: Endpoint, theirs: Endpoint | undefined): boolean {
  return theirs !== undefined && theirs.group === ours.group && theirs.bodyIndices === ours.bodyIndices;
}

const servers = [
  ['elasticsearch', false, 'Elasticsearch'],
  ['elasticsearch', true, 'Elasticsearch 7, with types'],
  ['opensearch', false, 'OpenSearch'],
] as const;

for (const [server, withTypes, title] of servers) {
  test(`no path is judged as one endpoint and routed to another: ${title}`, () => {
    const trie = trieOf(server, withTypes);
    const confused = new Set<string>();
    for (const segments of shapes) {
      for (const filled of fillings(segments)) {
        for (const method of methods) {
          const ours = findEndpoint(method, { text: '', segments: filled }).endpoint;
          if (ours.group === 'unknown' || (ours.server !== 'both' && ours.server !== server)) continue;
          const theirs = trie.find(method, filled);
          if (theirs === undefined || theirs === ours.name || alike(ours, byName.get(theirs))) continue;
          confused.add(`${method} /${filled.join('/')}: ${ours.name} (${ours.group}) is ${theirs}`);
        }
      }
    }
    // Its memory plugin's own routes overlap; all of them are reads of a model's memory, or worse judged than done.
    const told = [...confused].filter((one) => !one.includes('/_plugins/_ml/memory'));
    assert.deepEqual(told, []);
  });
}
