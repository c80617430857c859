/** The whole table against the servers' own routes and a model of how they route: what is judged must be what is done. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { readRoutes, type ServerRoute } from '../../test/support/server-routes.ts';
import { ServerTrie } from '../../test/support/server-trie.ts';
import { endpointTable } from './endpoint-table.ts';
import { type Endpoint, endpoints, findEndpoint } from './endpoints.ts';

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

const isParameter = (segment: string): boolean => /^[<{*]/.test(segment);
const shapeOf = (segments: readonly string[]): string =>
  segments.map((one) => (isParameter(one) ? '{}' : one)).join('/');

const folder = new URL('../../test/fixtures/server-routes/', import.meta.url);
const servers = readdirSync(folder).map((file) => {
  const title = file.replace('.txt', '');
  const registered = readRoutes(new URL(file, folder));
  return { title, kind: title.startsWith('opensearch') ? 'opensearch' : 'elasticsearch', registered };
});
const keyOf = (method: string, segments: readonly string[]): string => `${method} ${shapeOf(segments)}`;
const registeredSomewhere = new Set(
  servers.flatMap(({ registered }) => registered.map(({ method, segments }) => keyOf(method, segments))),
);

/** As the client of a route that is registered so would ask, with an `x` for each parameter. */
function endpointOf({ method, segments }: Pick<ServerRoute, 'method' | 'segments'>): Endpoint {
  const filled = segments.map((segment) => (isParameter(segment) ? 'x' : segment));
  return findEndpoint(method, { segments: filled }).endpoint;
}

for (const { title, registered } of servers) {
  test(`every route that ${title} registers is an endpoint of the table`, () => {
    assert.ok(registered.length > 300);
    const unknown = registered.filter((route) => endpointOf(route).name === 'unknown');
    assert.deepEqual(
      unknown.map(({ method, segments }) => `${method} /${segments.join('/')}`),
      [],
    );
  });

  test(`no two endpoints of ${title} with one handler are judged unlike, but where the method tells them apart`, () => {
    const groups = new Map<string, Set<string>>();
    for (const route of registered) {
      const { group } = endpointOf(route);
      const key = `${route.handler} ${route.method}`;
      groups.set(key, (groups.get(key) ?? new Set()).add(group));
    }
    // To delete all points in time is to delete those of others.
    const mixed = [...groups].filter(([key, found]) => found.size > 1 && key !== 'delete_pit_action DELETE');
    assert.deepEqual(mixed, []);
  });
}

/** Marks the routes of Elasticsearch 7 that have a type behind the index. */
const typedPrefix = 'typed ';

/** The routes that this server has registered, and those of its modules and plugins, which are not loaded here. */
function trieOf({ kind, registered }: (typeof servers)[number]): ServerTrie {
  const trie = new ServerTrie();
  for (const route of registered) {
    const typed = route.segments[1] === '{type}' ? typedPrefix : '';
    trie.add(route.method, `/${route.segments.join('/')}`, typed + endpointOf(route).name);
  }
  for (const route of routes) {
    if (route.server !== 'both' && route.server !== kind) continue;
    for (const method of route.methods) {
      // What others have registered and this one has not, it does not have.
      if (registeredSomewhere.has(keyOf(method, route.segments))) continue;
      trie.add(method, `/${route.segments.join('/')}`, route.name);
    }
  }
  return trie;
}

/** Each URL once, whatever its parameters are called. */
const shapes = [...new Map(routes.map(({ segments }) => [shapeOf(segments), segments])).values()];

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

const byName = new Map(endpoints.map((endpoint) => [endpoint.name, endpoint]));

/** The same judgement would be passed on both. */
function alike(ours: Endpoint, theirs: Endpoint | undefined): boolean {
  return theirs !== undefined && theirs.group === ours.group && theirs.bodyIndices === ours.bodyIndices;
}

/** Elasticsearch 7 refuses indices (but `_all`) and types (but `_doc`) of such names, so that a typed route does nothing. */
function isRefused(route: string, [index = '', type = '']: readonly string[]): boolean {
  const reserved = (name: string, but: string): boolean => name.startsWith('_') && name !== but;
  return route.startsWith(typedPrefix) && (reserved(index, '_all') || reserved(type, '_doc'));
}

for (const server of servers) {
  test(`no path is judged as one endpoint and routed to another by ${server.title}`, {
    timeout: 600_000,
  }, () => {
    const trie = trieOf(server);
    const confused = new Set<string>();
    for (const segments of shapes) {
      for (const filled of fillings(segments)) {
        for (const method of methods) {
          const ours = findEndpoint(method, { segments: filled }).endpoint;
          if (ours.group === 'unknown' || (ours.server !== 'both' && ours.server !== server.kind)) continue;
          const route = trie.find(method, filled);
          if (route === undefined || isRefused(route, filled)) continue;
          const theirs = route.replace(typedPrefix, '');
          if (theirs === ours.name || alike(ours, byName.get(theirs))) continue;
          confused.add(`${method} /${filled.join('/')}: ${ours.name} (${ours.group}) is ${theirs}`);
        }
      }
    }
    // Its memory plugin's own routes overlap; all of them are reads of a model's memory, or worse judged than done.
    const told = [...confused].filter((one) => !one.includes('/_plugins/_ml/memory'));
    assert.deepEqual(told, []);
  });
}
