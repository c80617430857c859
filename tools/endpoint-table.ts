/**
 * Makes src/policy/endpoint-table.ts and the tables of docs/endpoints.md: `make endpoint-table`. Two packages are
 * its sources; what they leave open is decided in endpoint-groups.ts and endpoint-indices.ts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { readElasticsearch } from './elasticsearch-schema.ts';
import { printDocs } from './endpoint-docs.ts';
import { fits, openSearchGroups } from './endpoint-groups.ts';
import { narrowerNames, touchesNoIndex } from './endpoint-indices.ts';
import { type EndpointRow, groupByRule, namesIndices, type Route, shape, worse } from './endpoint-row.ts';
import { readOpenSearch } from './opensearch-client.ts';
import { readRegistered, withRegistered } from './server-routes.ts';

const file = (path: string): URL => new URL(`../${path}`, import.meta.url);
const schemaFile = file('node_modules/@elastic/request-converter/dist/schema.json');
const registeredFolder = file('test/fixtures/server-routes/');
const clientFolder = file('node_modules/@opensearch-project/opensearch/api/');

export const tableFile = file('src/policy/endpoint-table.ts');
export const docsFile = file('docs/endpoints.md');

/** Every endpoint of both servers, by name. */
export function readEndpoints(): readonly EndpointRow[] {
  const elasticsearch = readElasticsearch(schemaFile).filter(({ name }) => !fits(narrowerNames, name));
  const openSearch = readOpenSearch(clientFolder);
  const rows = new Map(elasticsearch.map((row) => [row.name, row]));
  const owners = new Map(elasticsearch.flatMap((row) => row.routes.map((route) => [shape(route), row.name])));
  for (const theirs of openSearch) {
    const own = theirs.routes.filter((route) => !owners.has(shape(route)));
    for (const route of theirs.routes) share(rows, owners.get(shape(route)));
    if (own.length > 0) rows.set(theirs.name, merged(rows.get(theirs.name), { ...theirs, routes: own }));
  }
  const registered = readRegistered(registeredFolder);
  const all = withRegistered([...rows.values()], registered).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  verify(all);
  return all;
}

function share(rows: Map<string, EndpointRow>, name: string | undefined): void {
  const row = name === undefined ? undefined : rows.get(name);
  if (row?.server === 'elasticsearch') rows.set(row.name, { ...row, server: 'both' });
}

/** A name that both servers have stands for both their routes, and for the worse of what they may do. */
function merged(known: EndpointRow | undefined, own: Omit<EndpointRow, 'group'>): EndpointRow {
  const group = groupByRule(openSearchGroups, own.name, own.routes);
  if (group === undefined)
    throw new Error(`${own.name} is OpenSearch's own: give it a group in endpoint-groups.ts`);
  if (known === undefined) return { ...own, group };
  return {
    name: known.name,
    group: worse(known.group, group),
    server: 'both',
    bodyIndices: known.bodyIndices || own.bodyIndices,
    ndjson: known.ndjson || own.ndjson,
    queryIndices: [...known.queryIndices, ...own.queryIndices],
    routes: [...known.routes, ...own.routes],
  };
}

/** Literals that an index could be called by; the servers' literals win all the same. */
const notReserved: ReadonlySet<string> = new Set(['favicon.ico', 'views']);

/** What the lookup and the decisions rely on. */
function verify(rows: readonly EndpointRow[]): void {
  const seen = new Map<string, string>();
  for (const row of rows) {
    for (const route of row.routes) {
      const segments = route.path.split('/').slice(1);
      // A literal never needs an escape, and no index can be called as the first of them, but for these two.
      const plain = segments.every((segment) => /^([\w.-]*|\{\w+\}|<\w+>)$/.test(segment));
      const first = segments[0] ?? '';
      if (!plain || !(/^([_<]|$)/.test(first) || notReserved.has(first)))
        throw new Error(`${row.name} has ${route.path}`);
      const owner = `${row.name} ${indexPositions(route)}`;
      const other = seen.get(shape(route)) ?? owner;
      if (other !== owner) throw new Error(`${shape(route)} is ${other} as well as ${owner}`);
      seen.set(shape(route), owner);
    }
    const data = row.group === 'read' || row.group === 'write';
    const named = row.bodyIndices || takesIndices(row) || fits(touchesNoIndex, row.name);
    if (data && !named)
      throw new Error(`${row.name} is ${row.group}: say in endpoint-indices.ts of which indices`);
  }
}

const indexPositions = ({ path }: Route): string =>
  path
    .split('/')
    .flatMap((segment, at) => (segment.startsWith('<') ? [at] : []))
    .join();

const takesIndices = (row: EndpointRow): boolean =>
  row.queryIndices.length > 0 || row.routes.some(namesIndices);

/**
 * Parameters that a client can give in the query to name indices: those of the query, and those of a path that
 * another route of the same endpoint does without (in a path they win over the query).
 */
export function queryParameters(rows: readonly EndpointRow[]): readonly string[] {
  const names = new Set<string>();
  for (const { queryIndices, routes } of rows) {
    for (const name of queryIndices) names.add(name);
    for (const name of routes.flatMap(({ path }) => path.match(/(?<=<)\w+(?=>)/g) ?? [])) {
      if (!routes.every(({ path }) => path.includes(`<${name}>`))) names.add(name);
    }
  }
  return [...names].sort();
}

export function printTable(rows: readonly EndpointRow[]): string {
  const lines = rows.map((row) => {
    const flags = [
      takesIndices(row) ? 'indices' : '',
      row.bodyIndices ? 'body' : '',
      row.ndjson ? 'ndjson' : '',
    ].filter((flag) => flag !== '');
    return [row.name, row.group, row.server, flags.join() || '-', ...printRoutes(row.routes)].join(' ');
  });
  return `/**
 * Generated by tools/endpoint-table.ts (\`make endpoint-table\`); don't edit. A line is an endpoint: name, group,
 * server, flags, routes. \`<index>\` is a parameter that names indices, \`{id}\` any other. From the Elasticsearch
 * specification (Apache-2.0) and OpenSearch's JavaScript client (Apache-2.0).
 */
export const endpointTable = \`
${lines.join('\n')}
\`;

/** Parameters of a query that name indices. */
export const queryIndexParameters: readonly string[] = [${queryParameters(rows).map(quoted).join(', ')}];
`;
}

const quoted = (name: string): string => `'${name}'`;

/** `GET|POST /_search`, one a path. */
function printRoutes(routes: readonly Route[]): readonly string[] {
  const methods = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const route of routes) {
    if (seen.has(shape(route))) continue;
    seen.add(shape(route));
    const of = methods.get(route.path);
    if (of === undefined) methods.set(route.path, [route.method]);
    else of.push(route.method);
  }
  return [...methods].map(([path, of]) => `${of.sort().join('|')} ${path}`);
}

if (import.meta.main) {
  const rows = readEndpoints();
  writeFileSync(tableFile, printTable(rows));
  writeFileSync(docsFile, printDocs(readFileSync(docsFile, 'utf8'), rows, queryParameters(rows)));
}
