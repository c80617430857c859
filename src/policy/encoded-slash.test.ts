import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { deny, policy, setOf, subject } from '../../test/support/policies.ts';
import { readRoutes } from '../../test/support/server-routes.ts';
import { ServerTrie } from '../../test/support/server-trie.ts';
import { slashFault } from './encoded-slash.ts';
import { endpoints, findEndpoint } from './endpoints.ts';
import { readPath } from './path.ts';

/** The endpoint and why its slash is refused; undefined where it may stand. */
function judge(method: string, raw: string): readonly [endpoint: string, fault: string | undefined] {
  const path = readPath(raw);
  if ('code' in path) return ['', path.detail];
  const match = findEndpoint(method, path);
  return [match.endpoint.name, path.slashed.length === 0 ? undefined : slashFault(method, path, match)];
}

test('an id behind a word that fixes the route may hold slashes', () => {
  for (const [method, path, endpoint] of [
    ['GET', '/i/_doc/a%2Fb', 'get'],
    ['PUT', '/i/_doc/a%2Fb', 'index'],
    ['DELETE', '/i/_doc/a%2fb', 'delete'],
    ['POST', '/i/_update/a%2Fb', 'update'],
    ['PUT', '/i/_create/https%3A%2F%2Fexample.org%2F%3Fq%3D1', 'create'],
    ['GET', '/i/_source/%2Fabsolute%2Fpath%2F', 'get_source'],
    ['GET', '/%3Ci-%7Bnow%2Fd%7D%3E/_doc/a%2Fb', 'get'],
    ['PUT', '/_ingest/pipeline/team%2Flogs', 'ingest.put_pipeline'],
    ['POST', '/_ingest/pipeline/team%2Flogs/_simulate', 'ingest.simulate'],
    ['PUT', '/_scripts/team%2Frank', 'put_script'],
    ['PUT', '/_snapshot/backups/2026%2F11', 'snapshot.create'],
    ['PUT', '/_index_template/team%2Flogs', 'indices.put_index_template'],
  ] as const) {
    assert.deepEqual(judge(method, path), [endpoint, undefined], `${method} ${path}`);
  }
});

test('a slash that could change the route where somebody decodes it is refused', () => {
  for (const [method, path, fault] of [
    ['GET', '/i%2F_search', /outside of an id/],
    ['GET', '/%2Fi/_search', /outside of an id/],
    ['GET', '/i%2Fj/_doc/1', /outside of an id/],
    ['GET', '/i/_doc%2F1', /outside of an id/],
    ['GET', '/_cat%2Findices', /outside of an id/],
    ['GET', '/i/x%2F_search', /outside of an id/],
    ['GET', '/_plugins/_new/a%2Fb', /outside of an id/],
    ['GET', '/%3Ci-%7Bnow%2F_search%7D%3E/_doc/1', /outside of an id/],
    ['POST', '/i/_doc/a%2F_update', /beside a word/],
    ['POST', '/i/_doc/_search%2Fa', /beside a word/],
    ['GET', '/i/_doc/a%2F_Source', /beside a word/],
    ['POST', '/i/_update/a%2F_delete_by_query%2Fb', /beside a word/],
    ['DELETE', '/_snapshot/backups%2Fnightly', /another route/],
    ['DELETE', '/_snapshot/backups/%2F', /nothing beside/],
    ['PUT', '/_connector/%2F%2f/_last_sync', /nothing beside/],
    ['GET', '/_cluster/state/metadata%2Fsecret', /another route/],
    ['GET', '/_nodes/a%2Fstats', /another route/],
    ['POST', '/_ml/anomaly_detectors/%2Fmodel_snapshots/_data', /another route/],
    ['GET', '/i/_doc/a%2F..%2Fb', /dot segment/],
    ['GET', '/i/_doc/..%2F..%2F_cluster%2Fsettings', /dot segment/],
    ['GET', '/i/_doc/a%2F%2E%2E%2Fb', /encoded dot/],
    ['GET', '/i/_doc/a%252Fb', /encoded again/],
    ['GET', '/i/_doc/a%5Cb', /backslash/],
    ['GET', '/i/_doc/a%2F%00', /control character/],
  ] as const) {
    assert.match(judge(method, path)[1] ?? 'allowed', fault, `${method} ${path}`);
  }
});

const byName = new Map(endpoints.map((endpoint) => [endpoint.name, endpoint]));

/** The routes that real servers have registered, by the endpoint that a client asks for by them. */
const folder = new URL('../../test/fixtures/server-routes/', import.meta.url);
const isParameter = (segment: string): boolean => /^[<{*]/.test(segment);
const servers = readdirSync(folder).map((file) => {
  const routes = readRoutes(new URL(file, folder));
  const trie = new ServerTrie();
  for (const { method, segments } of routes) {
    const filled = segments.map((segment) => (isParameter(segment) ? 'x' : segment));
    const typed = segments[1] === '{type}' ? 'typed ' : '';
    const { endpoint } = findEndpoint(method, { segments: filled });
    trie.add(method, `/${segments.join('/')}`, typed + endpoint.name);
  }
  return { kind: file.startsWith('opensearch') ? 'opensearch' : 'elasticsearch', routes, trie } as const;
});
const registered = servers.flatMap(({ routes }) => routes);

test('what is accepted asks every server for the endpoint that was judged, decoded on the way or not', () => {
  const words = [...new Set(registered.flatMap(({ segments }) => segments.filter((one) => /^\w/.test(one))))];
  const piece = fc.oneof(
    fc.constantFrom('', 'a', '_all', 'stats', '*', ...words),
    fc.string({ maxLength: 3 }),
  );
  const value = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.array(piece, { minLength: 2, maxLength: 4 }).map((pieces) => pieces.join('/')),
    },
    { weight: 1, arbitrary: piece },
  );
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...registered),
      fc.array(value, { minLength: 6, maxLength: 6 }),
      (route, values) => {
        const segments = route.segments.map((one, at) => (isParameter(one) ? (values[at] ?? 'x') : one));
        const raw = `/${segments.map(encodeURIComponent).join('/')}`;
        const { method } = route;
        const path = readPath(raw);
        if ('code' in path || path.slashed.length === 0) return;
        const match = findEndpoint(method, path);
        if (slashFault(method, path, match) !== undefined) return;
        accepted += 1;
        const { endpoint } = match;
        const plain = path.segments.map((one, at) => (path.slashed.includes(at) ? 'x' : one));
        // The raw path as the servers split it, and as somebody who decodes it first would hand it on.
        const decoded = path.segments.join('/').split('/');
        for (const reading of [path.segments, decoded, decoded.filter((one) => one !== '')]) {
          for (const { kind, trie } of servers) {
            if (endpoint.server !== 'both' && endpoint.server !== kind) continue;
            const found = trie.find(method, reading) ?? '';
            // What a server lacks it takes for something else, with a slash and without.
            if (found === trie.find(method, plain)) continue;
            const theirs = byName.get(found.replace('typed ', ''));
            // No index is called `_...`, and no type but `_doc`: a typed route with such a word fails.
            const [index = '', type = ''] = reading;
            const fails = index.startsWith('_') || (type.startsWith('_') && type !== '_doc');
            if (theirs === undefined || (found.startsWith('typed ') && fails)) continue;
            const isSame = theirs.group === endpoint.group && theirs.bodyIndices === endpoint.bodyIndices;
            assert.ok(isSame, `${method} ${raw}: judged as ${endpoint.name}, ${found} for a server`);
          }
        }
      },
    ),
    { numRuns: 20_000 },
  );
  assert.ok(accepted > 500, `${accepted} were accepted`);
});

test('a pattern on the path that allows must fit every reading of a slash in an id, and one that denies any', async () => {
  const decided = async (kind: 'allow' | 'deny', pattern: string, path: string): Promise<boolean> => {
    const make = kind === 'allow' ? policy : deny;
    const set = await setOf([make('one', { match: { paths: [pattern] } })], {
      fallback: kind === 'allow' ? 'deny' : 'allow',
    });
    return set.decide(subject(`GET ${path}`)).kind === kind;
  };
  for (const [pattern, path, allowed, denied] of [
    ['/i/_doc/*', '/i/_doc/a', true, true],
    ['/i/_doc/*', '/i/_doc/a%2Fb', false, true],
    ['/i/_doc/*/*', '/i/_doc/a%2Fb', false, true],
    ['/i/_doc/a/b', '/i/_doc/a%2Fb', false, true],
    ['/i/_doc/a/b', '/i/_doc/a%2F%2Fb', false, true],
    ['/i/_doc/a*', '/i/_doc/a%2Fb', false, true],
    ['/i/_doc/a/**', '/i/_doc/a%2Fb', false, true],
    ['/i/_doc/**', '/i/_doc/a%2Fb', true, true],
    ['/i/**', '/i/_doc/a%2F%2Fb', true, true],
    ['/i/_doc/b/**', '/i/_doc/a%2Fb', false, false],
    ['/i/_doc/c', '/i/_doc/a%2Fb', false, false],
  ] as const) {
    const what = `${pattern} ${path}`;
    assert.deepEqual(
      [await decided('allow', pattern, path), await decided('deny', pattern, path)],
      [allowed, denied],
      what,
    );
  }
});
