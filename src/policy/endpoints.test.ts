import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { subject } from '../../test/support/policies.ts';
import { endpointTable, queryIndexParameters } from './endpoint-table.ts';
import {
  corsPreflight,
  type EndpointMatch,
  endpoints,
  findEndpoint,
  queryIndices,
  unknownEndpoint,
} from './endpoints.ts';
import { readPath } from './path.ts';
import { readQuery } from './query.ts';

function match(method: string, raw: string): EndpointMatch {
  const path = readPath(raw);
  assert.ok(!('code' in path), `${raw} was refused`);
  return findEndpoint(method, path);
}

const find = (method: string, raw: string): [name: string, ...indices: string[]] => {
  const { endpoint, indices } = match(method, raw);
  return [endpoint.name, ...indices];
};

/** Every method and URL of the table, parameters filled in. */
function* everyRoute(): Generator<{ name: string; method: string; path: string; indices: string[] }> {
  for (const line of endpointTable.trim().split('\n')) {
    const [name = '', , , , ...routes] = line.split(' ');
    for (let at = 0; at < routes.length; at += 2) {
      const indices: string[] = [];
      const path = routes[at + 1]!.replace(/<(\w+)>|\{(\w+)\}/g, (_, index?: string, other?: string) => {
        if (index === undefined) return `some-${other}`;
        indices.push(`an-${index}`);
        return `an-${index}`;
      });
      for (const method of routes[at]!.split('|')) yield { name, method, path, indices };
    }
  }
}

test('every method and URL of the table finds its endpoint and the indices it names', () => {
  let routes = 0;
  for (const { name, method, path, indices } of everyRoute()) {
    assert.deepEqual(find(method, path), [name, ...indices], `${method} ${path}`);
    if (path !== '/') assert.deepEqual(find(method, `${path}/`), [name, ...indices], `${method} ${path}/`);
    routes++;
  }
  assert.ok(routes > 1250, `only ${routes} routes`);
});

test('every endpoint has a group of its own right, a dense id and a name that no other has', () => {
  const groups = new Set(['read', 'write', 'monitor', 'manage', 'security', 'cluster-admin']);
  assert.deepEqual(
    endpoints.map(({ id }) => id),
    endpoints.map((_, at) => at),
  );
  assert.equal(new Set(endpoints.map(({ name }) => name)).size, endpoints.length);
  for (const endpoint of endpoints.slice(1)) assert.ok(groups.has(endpoint.group), endpoint.name);
  assert.equal(endpoints[0], unknownEndpoint);
  assert.ok(endpoints.length > 880);
});

test('what changes data, indices or users is never a read or a mere look', () => {
  const harmless = new Set(['read', 'monitor']);
  for (const { name, method, path } of everyRoute()) {
    const { endpoint } = match(method, path);
    if (method !== 'DELETE' || !harmless.has(endpoint.group)) continue;
    // What a search left behind.
    assert.match(name, /scroll|point_in_time|pit|async|eql/, `${method} ${path}`);
  }
  const group = (method: string, path: string): string => match(method, path).endpoint.group;
  assert.equal(group('POST', '/_bulk'), 'write');
  assert.equal(group('POST', '/logs/_delete_by_query'), 'write');
  assert.equal(group('DELETE', '/logs'), 'manage');
  assert.equal(group('DELETE', '/_data_stream/logs'), 'manage');
  assert.equal(group('POST', '/_aliases'), 'manage');
  assert.equal(group('PUT', '/_scripts/x'), 'cluster-admin');
  assert.equal(group('PUT', '/_cluster/settings'), 'cluster-admin');
  assert.equal(group('PUT', '/_snapshot/backups'), 'cluster-admin');
  assert.equal(group('PUT', '/_security/user/eve'), 'security');
  assert.equal(group('GET', '/_security/api_key'), 'security');
  assert.equal(group('PATCH', '/_plugins/_security/api/roles/all_access'), 'security');
  assert.equal(group('GET', '/_cat/indices'), 'monitor');
  assert.equal(group('GET', '/_index_template/x'), 'monitor');
  assert.equal(group('GET', '/logs/_search'), 'read');
});

test('bodies that can name indices are known, and those that can not do not need trust', () => {
  const inBody = (name: string): boolean | undefined =>
    endpoints.find((endpoint) => endpoint.name === name)?.bodyIndices;
  const can = `bulk rank_eval search_template tasks.list tasks.get cat.tasks bulk_stream msearch msearch_template mget mtermvectors termvectors reindex
    indices.update_aliases
    indices.put_alias indices.modify_data_stream indices.create indices.rollover indices.put_index_template
    sql.query sql.translate esql.query esql.async_query ppl.query scroll clear_scroll close_point_in_time delete_pit
    async_search.get snapshot.create snapshot.restore snapshot.clone searchable_snapshots.mount cluster.reroute
    ccr.follow ccr.put_auto_follow_pattern transform.put_transform transforms.put enrich.put_policy rollup.put_job
    watcher.put_watch watcher.execute_watch ml.put_datafeed ml.preview_datafeed search_application.put fleet.msearch
    knn.train_model ism.put_policy replication.start monitoring.bulk unknown`;
  for (const name of can.split(/\s+/)) assert.equal(inBody(name), true, name);
  const can_not = `search search_mvt async_search.submit count index create update delete
    delete_by_query update_by_query get field_caps terms_enum explain eql.search
    indices.validate_query indices.analyze indices.put_mapping indices.put_settings indices.get indices.delete
    open_point_in_time search_shards knn_search render_search_template ism.add_policy cluster.health`;
  for (const name of can_not.split(/\s+/)) assert.equal(inBody(name), false, name);
});

test('NDJSON bodies are known', () => {
  const names = endpoints.filter(({ ndjson }) => ndjson).map(({ name }) => name);
  for (const name of ['bulk', 'bulk_stream', 'msearch', 'msearch_template', 'fleet.msearch']) {
    assert.ok(names.includes(name), name);
  }
  assert.ok(!names.includes('search'));
});

test('names in the path are given as they are, whatever they mean', () => {
  assert.deepEqual(find('GET', '/a,b*,-c/_search'), ['search', 'a,b*,-c']);
  assert.deepEqual(find('GET', '/%3Clogs-%7Bnow%2Fd%7D%3E/_search'), ['search', '<logs-{now/d}>']);
  assert.deepEqual(find('GET', '/cluster-two:logs/_search'), ['search', 'cluster-two:logs']);
  assert.deepEqual(find('GET', '/_all/_search'), ['search', '_all']);
  assert.deepEqual(find('GET', '/_all,-secret/_search'), ['search', '_all,-secret']);
  assert.deepEqual(find('GET', '/_search'), ['search']);
  assert.deepEqual(find('GET', '/*'), ['indices.get', '*']);
  assert.deepEqual(find('DELETE', '/logs/_alias/all-logs'), ['indices.delete_alias', 'logs', 'all-logs']);
  assert.deepEqual(find('POST', '/logs/_clone/copy'), ['indices.clone', 'logs', 'copy']);
  assert.deepEqual(find('POST', '/logs/_rollover/logs-2'), ['indices.rollover', 'logs', 'logs-2']);
  assert.deepEqual(find('PUT', '/_create_from/a/b'), ['indices.create_from', 'a', 'b']);
  assert.deepEqual(find('GET', '/_cluster/state/metadata/secret'), ['cluster.state', 'secret']);
  assert.deepEqual(find('GET', '/_cat/indices/secret'), ['cat.indices', 'secret']);
  assert.deepEqual(find('PUT', '/logs/_block/write'), ['indices.add_block', 'logs']);
  assert.deepEqual(find('GET', '/logs/_doc/_Search_-1'), ['get', 'logs']);
  assert.deepEqual(find('GET', '/_nodes/_local'), ['nodes.info']);
  assert.deepEqual(find('POST', '/_plugins/_replication/logs/_pause'), ['replication.pause', 'logs']);
});

const unknown: [method: string, path: string][] = [
  ['POST', '/_BULK'],
  ['POST', '/_Bulk'],
  ['POST', '/logs/_BULK'],
  ['POST', '/_bulk/_search'],
  // What the servers take for other endpoints than their first segments say.
  ['GET', '/_nodes/_msearch'],
  ['GET', '/_tasks/_mget'],
  ['POST', '/_inference/_bulk'],
  ['POST', '/_reindex/_alias/_rethrottle'],
  ['POST', '/_update_by_query/_termvectors/_rethrottle'],
  ['POST', '/logs/_explain/_bulk'],
  ['GET', '/logs/_stats/_msearch'],
  ['GET', '/logs/_source/_mget'],
  ['PUT', '/logs/_doc/_mapping'],
  ['GET', '/logs/_doc/_search'],
  ['GET', '/_bulk'],
  ['POST', '/_bulk/_bulk'],
  ['PUT', '/_bulk/_doc/1'],
  ['PUT', '/_logs'],
  ['DELETE', '/_bulk'],
  ['GET', '/_allx/_search'],
  ['POST', '/_bulk.'],
  ['POST', '/_bulk%20'],
  ['POST', '/_bulk;x=y'],
  ['POST', '/logs/_bulk/'.concat('x')],
  ['GET', '/_no_such_endpoint'],
  ['POST', '/logs/_type/1'],
  ['GET', '/logs/type'],
  ['DELETE', '/logs/_search'],
  ['DELETE', '/_cat/indices'],
  ['OPTIONS', '/_search'],
  ['OPTIONS', '/'],
  ['PATCH', '/logs'],
  ['get', '/_search'],
  ['BREW', '/'],
  ['POST', '/'],
  ['GET', '/constructor/__proto__'],
  ['GET', '/_cat/constructor'],
  ['GET', '/favicon.ico/x'],
];

test('what no table lists is unknown: other case, other methods, indices called as endpoints', () => {
  for (const [method, path] of unknown) {
    assert.equal(match(method, path).endpoint, unknownEndpoint, `${method} ${path}`);
  }
  const star = readPath('*');
  assert.ok(!('code' in star));
  assert.equal(findEndpoint('OPTIONS', star).endpoint, unknownEndpoint);
});

test('what servers register and no client asks for is the endpoint that it does', () => {
  assert.deepEqual(find('DELETE', '/'), ['indices.delete']);
  assert.deepEqual(find('POST', '/_close'), ['indices.close']);
  assert.deepEqual(find('PUT', '/secret/_mappings'), ['indices.put_mapping', 'secret']);
  assert.deepEqual(find('GET', '/_aliases'), ['indices.get_alias']);
  assert.deepEqual(find('PUT', '/_aliases/secret'), ['indices.put_alias', 'secret']);
  assert.deepEqual(find('GET', '/_nodes/hotthreads'), ['nodes.hot_threads']);
  assert.deepEqual(find('GET', '/views'), ['views.list']);
  assert.deepEqual(find('GET', '/views/mine/_search'), ['views.search']);
});

test('the typed URLs of Elasticsearch 7 are the endpoints without a type', () => {
  assert.deepEqual(find('POST', '/logs/type/_bulk'), ['bulk', 'logs']);
  assert.deepEqual(find('PUT', '/logs/type/1'), ['index', 'logs']);
  assert.deepEqual(find('POST', '/logs/type'), ['index', 'logs']);
  assert.deepEqual(find('DELETE', '/logs/type/1'), ['delete', 'logs']);
  assert.deepEqual(find('POST', '/logs/type/1/_update'), ['update', 'logs']);
  assert.deepEqual(find('GET', '/logs,secret/type/_search'), ['search', 'logs,secret']);
  assert.deepEqual(find('PUT', '/logs/_mapping/type'), ['indices.put_mapping', 'logs']);
});

test('a browser that asks first asks for one endpoint on every path, and no path alone makes one of it', () => {
  const asks = ['Origin: https://app.example', 'Access-Control-Request-Method: PUT'];
  for (const path of ['/', '/logs/_doc/a%2Fb', '/_cluster/settings', '/nowhere/at/all', '/secret/_bulk']) {
    const { match: found } = subject(`OPTIONS ${path}`, { fields: asks });
    assert.deepEqual([found.endpoint, found.indices], [corsPreflight, []], path);
    if (!path.includes('%')) assert.equal(subject(`OPTIONS ${path}`).match.endpoint, unknownEndpoint, path);
    assert.notEqual(subject(`PUT ${path}`, { fields: asks }).match.endpoint, corsPreflight, path);
  }
});

test('HEAD is an endpoint of its own where the servers have one, and else that of GET', () => {
  assert.deepEqual(find('HEAD', '/'), ['ping']);
  assert.deepEqual(find('HEAD', '/logs'), ['indices.exists', 'logs']);
  assert.deepEqual(find('HEAD', '/logs/_doc/1'), ['exists', 'logs']);
  assert.deepEqual(find('HEAD', '/_cat/indices'), ['cat.indices']);
  assert.deepEqual(find('HEAD', '/logs/_search'), ['search', 'logs']);
  assert.deepEqual(find('HEAD', '/_bulk'), ['unknown']);
});

test('no path makes the lookup throw, nor take longer than its length warrants', () => {
  const words = [...new Set([...everyRoute()].flatMap(({ path }) => path.split('/').slice(1)))];
  const segment = fc.oneof(
    fc.constantFrom(...words),
    fc.constantFrom('_all', '*', '-x', '__proto__'),
    fc.string(),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'x'),
      fc.array(segment, { maxLength: 40 }),
      (method, segments) => {
        const path = readPath(`/${segments.map(encodeURIComponent).join('/')}`);
        if ('code' in path) return;
        const { endpoint, indices } = findEndpoint(method, path);
        assert.equal(endpoints[endpoint.id], endpoint);
        for (const name of indices) {
          assert.ok(path.segments.includes(name));
          assert.ok(!name.startsWith('_') || /^_all(,|$)/.test(name));
        }
        if (indices.length > 0) assert.ok(endpoint.takesIndices);
      },
    ),
    { numRuns: 3000 },
  );
});

test('no path visits more of the trie than a few branches a segment', () => {
  for (const word of ['_plugins', 'logs', '_cat', '_nodes', 'stats']) {
    let reads = 0;
    const segments = new Proxy(new Array<string>(32).fill(word), {
      get(target, key) {
        reads++;
        return Reflect.get(target, key);
      },
    });
    findEndpoint('HEAD', { segments });
    assert.ok(reads < 200, `${word}: ${reads} reads`);
  }
});

test('a query that names indices is seen however it is written', () => {
  assert.ok(queryIndexParameters.includes('index'));
  const named = [
    '?index=secret',
    '?pretty&index=secret',
    '?pretty;index=secret',
    '?index',
    '?=index=secret',
    '?a=b&==index=secret',
    '?new_index=x',
    '?name=x',
    '?index=a&index=b',
  ];
  const names = (query: string): boolean => {
    const parameters = readQuery(query);
    assert.ok(!('code' in parameters), query);
    return queryIndices(parameters);
  };
  for (const query of named) assert.ok(names(query), query);
  const others = [
    '',
    '?',
    '?pretty',
    '?q=index',
    '?q=a%3Aindex=b',
    '?Index=x',
    '?ind+ex=x',
    '?index_x=1',
    '?&&;=',
    '?%20index=1',
  ];
  for (const query of others) assert.ok(!names(query), query);
});
