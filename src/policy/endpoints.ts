/**
 * Which endpoint of Elasticsearch or OpenSearch a method and a path ask for, and which indices the path names.
 * The table is generated (docs/endpoints.md); a trie over its segments answers as the servers' own does.
 */
import type { EndpointGroup } from './document.ts';
import { endpointTable, queryIndexParameters } from './endpoint-table.ts';
import type { JudgedPath } from './path.ts';
import type { QueryParameters } from './query.ts';

export interface Endpoint {
  /** Dense: its place in `endpoints`. */
  readonly id: number;
  /** As in the specifications: `bulk`, `indices.create`, `ism.put_policy`. */
  readonly name: string;
  readonly group: EndpointGroup;
  readonly server: 'both' | 'elasticsearch' | 'opensearch';
  /** Some URL of it has a parameter that names indices: where none is given, all are meant. */
  readonly takesIndices: boolean;
  /** It can reach indices that its URL doesn't name: by its body, a query's text, an id. */
  readonly bodyIndices: boolean;
  readonly ndjson: boolean;
}

export interface EndpointMatch {
  readonly endpoint: Endpoint;
  /** Decoded values of all parameters of the path that name indices, aliases, data streams. */
  readonly indices: readonly string[];
  /** Places of the other parameters behind the first word of the route: ids, names, metrics. */
  readonly ids: readonly number[];
  /** Other URLs that mean the same, with `*` for what this one leaves out. */
  readonly wider: readonly WiderUrl[];
}

/** Segments: a text, or the place of a segment in the path that was asked for. */
export type WiderUrl = readonly (string | number)[];

const noneWider: readonly WiderUrl[] = [];

/** Every path and method that no table lists. It could touch anything. */
export const unknownEndpoint: Endpoint = {
  id: 0,
  name: 'unknown',
  group: 'unknown',
  server: 'both',
  takesIndices: true,
  bodyIndices: true,
  ndjson: false,
};

/** What cors.ts tells by its fields, on any path: the servers answer it themselves, and no handler of theirs runs. */
export const corsPreflight: Endpoint = {
  id: 1,
  name: 'cors.preflight',
  group: 'monitor',
  server: 'both',
  takesIndices: false,
  bodyIndices: false,
  ndjson: false,
};

/** One URL of an endpoint with one method. */
interface Route {
  readonly endpoint: Endpoint;
  /** The segments that name indices. */
  readonly indices: readonly number[];
  /** The segment that is a type, of Elasticsearch 7's typed URLs. */
  readonly type: number | undefined;
  readonly ids: readonly number[];
  /** As the table has it. */
  readonly url: readonly string[];
  readonly methods: readonly string[];
  /** Found when it is first asked for. */
  wider: readonly WiderUrl[] | undefined;
}

/** By endpoint. Filled as the table is read. */
const routesOf = new Map<Endpoint, Route[]>();

interface Node {
  readonly literals: Map<string, Node>;
  parameter: Node | undefined;
  /** By method, where a URL ends here. */
  readonly routes: Map<string, Route>;
}

const trie = newNode();

/** All of them, `unknownEndpoint` and `corsPreflight` among them; the others by name. */
export const endpoints: readonly Endpoint[] = [
  unknownEndpoint,
  corsPreflight,
  ...endpointTable
    .trim()
    .split('\n')
    .map((line, at) => readLine(line, at + 2)),
];

const unknownMatch: EndpointMatch = { endpoint: unknownEndpoint, indices: [], ids: [], wider: noneWider };

/**
 * Literal segments win over parameters, with backtracking; case counts. What the servers' `PathTrie` takes for another
 * endpoint is unknown: a test holds the whole table against it. A parameter
 * that names indices is no name that begins with `_` but `_all`, so that `/_BULK` and an index called `_bulk` end
 * as unknown. Where a URL answers GET and nothing is listed for HEAD, HEAD is the same endpoint.
 */
export function findEndpoint(method: string, { segments }: Pick<JudgedPath, 'segments'>): EndpointMatch {
  const route =
    find(trie, segments, 0, method) ?? (method === 'HEAD' ? find(trie, segments, 0, 'GET') : undefined);
  if (route === undefined) return unknownMatch;
  return matchOf(route, segments);
}

function find(node: Node, segments: readonly string[], at: number, method: string): Route | undefined {
  const segment = segments[at];
  if (segment === undefined) {
    const route = node.routes.get(method);
    return route !== undefined && names(route, segments) ? route : undefined;
  }
  const literal = node.literals.get(segment);
  const found = literal === undefined ? undefined : find(literal, segments, at + 1, method);
  if (found !== undefined || node.parameter === undefined || isKeyword(segment)) return found;
  return find(node.parameter, segments, at + 1, method);
}

/**
 * Every route that some server may take for this method and path, whatever it tries first: other than `findEndpoint`,
 * which says what is meant, this also takes words of routes for values of parameters.
 */
export function possibleMatches(method: string, segments: readonly string[]): readonly EndpointMatch[] {
  const routes: Route[] = [];
  const collect = (node: Node, at: number): void => {
    const segment = segments[at];
    if (segment === undefined) {
      for (const asked of method === 'HEAD' ? ['HEAD', 'GET'] : [method]) {
        const route = node.routes.get(asked);
        if (route !== undefined && names(route, segments)) routes.push(route);
      }
      return;
    }
    const literal = node.literals.get(segment);
    if (literal !== undefined) collect(literal, at + 1);
    if (node.parameter !== undefined) collect(node.parameter, at + 1);
  };
  collect(trie, 0);
  return routes.map((route) => matchOf(route, segments));
}

function matchOf(route: Route, segments: readonly string[]): EndpointMatch {
  const { endpoint, indices, ids } = route;
  route.wider ??= widerThan(route);
  return { endpoint, indices: indices.map((at) => segments[at] ?? ''), ids, wider: route.wider };
}

/**
 * Where a URL leaves a name out, all are meant: `GET /_snapshot` is `/_snapshot/*`, `/_search` is `/*` + `/_search`. Of
 * what writes documents that is so of indices alone: `POST /logs/_doc` makes an id.
 */
function widerThan({ endpoint, url, methods }: Route): readonly WiderUrl[] {
  const places = new Map(
    url.flatMap((segment, at) => (isParameter(segment) ? [[segment, at] as const] : [])),
  );
  const found: WiderUrl[] = [];
  for (const other of routesOf.get(endpoint) ?? []) {
    if (!other.methods.some((method) => methods.includes(method))) continue;
    const asked = other.url.filter(isParameter);
    const missing = asked.filter((parameter) => !places.has(parameter));
    if (missing.length === 0 || asked.length - missing.length < places.size) continue;
    if (endpoint.group === 'write' && missing.some((parameter) => !parameter.startsWith('<'))) continue;
    found.push(other.url.map((segment) => (isParameter(segment) ? (places.get(segment) ?? '*') : segment)));
  }
  return found.length === 0 ? noneWider : found;
}

function isParameter(segment: string): boolean {
  return segment.startsWith('<') || segment.startsWith('{');
}

/**
 * What may be a literal segment of some URL is never taken for a parameter's value. The servers' tries do not always
 * try literals first: `/_nodes/_msearch` is `/{index}/_msearch` for them and no `/_nodes/{node_id}`; and servers have
 * routes that no table lists, such as the typed ones of Elasticsearch 7.
 */
function isKeyword(segment: string): boolean {
  return segment.charCodeAt(0) === underscore && keyword.test(segment) && !plainWords.has(segment);
}

const underscore = 0x5f;
const keyword = /^_[a-z_]+$/;
/** Values of parameters that look so, and are no segment of any URL. */
const plainWords: ReadonlySet<string> = new Set(['_all', '_local', '_master', '_cluster_manager']);

/** Whether the segments can be the indices and the type that the route has there. */
function names({ indices, type }: Route, segments: readonly string[]): boolean {
  // Elasticsearch 7 takes no other type that begins so than `_doc`, which is a literal of the table.
  if (type !== undefined && segments[type]?.charCodeAt(0) === underscore) return false;
  return indices.every((place) => mayNameIndices(segments[place] ?? ''));
}

function mayNameIndices(segment: string): boolean {
  return segment.charCodeAt(0) !== underscore || segment === '_all' || segment.startsWith('_all,');
}

function newNode(): Node {
  return { literals: new Map(), parameter: undefined, routes: new Map() };
}

/** `bulk write both indices,body,ndjson POST|PUT /_bulk POST|PUT /<index>/_bulk` */
function readLine(line: string, id: number): Endpoint {
  const [name = '', group = '', server = '', flags = '', ...routes] = line.split(' ');
  const endpoint: Endpoint = {
    id,
    name,
    group: group as EndpointGroup,
    server: server as Endpoint['server'],
    takesIndices: flags.includes('indices'),
    bodyIndices: flags.includes('body'),
    ndjson: flags.includes('ndjson'),
  };
  for (let at = 0; at < routes.length; at += 2) {
    addRoute(endpoint, (routes[at] ?? '').split('|'), (routes[at + 1] ?? '').split('/').slice(1));
  }
  return endpoint;
}

function addRoute(endpoint: Endpoint, methods: readonly string[], url: readonly string[]): void {
  const segments = url[0] === '' ? [] : url;
  const indices = segments.flatMap((segment, at) => (segment.startsWith('<') ? [at] : []));
  const type = segments.includes('{type}') ? segments.indexOf('{type}') : undefined;
  const word = segments.findIndex((segment) => !/^[<{]/.test(segment));
  const ids = segments.flatMap((segment, at) =>
    segment.startsWith('{') && word >= 0 && at > word ? [at] : [],
  );
  let node = trie;
  for (const segment of segments) node = child(node, segment);
  const route: Route = { endpoint, indices, type, ids, url: segments, methods, wider: undefined };
  for (const method of methods) node.routes.set(method, route);
  const known = routesOf.get(endpoint);
  if (known === undefined) routesOf.set(endpoint, [route]);
  else known.push(route);
}

function child(node: Node, segment: string): Node {
  if (isParameter(segment)) {
    node.parameter ??= newNode();
    return node.parameter;
  }
  const known = node.literals.get(segment);
  if (known !== undefined) return known;
  const added = newNode();
  node.literals.set(segment, added);
  return added;
}

const named: ReadonlySet<string> = new Set(queryIndexParameters);

/**
 * Whether a query names indices: the servers keep parameters of path and query in one map, so that
 * `/_search?index=secret` is `/secret/_search`.
 */
export function queryIndices(query: QueryParameters): boolean {
  for (const name of query.keys()) if (named.has(name)) return true;
  return false;
}
