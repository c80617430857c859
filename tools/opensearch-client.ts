/**
 * OpenSearch's endpoints, from its official client: each function of the client is called with every subset of
 * the parameters that it looks at, and what it would have sent is a route.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import ts from 'typescript';
import { fits } from './endpoint-groups.ts';
import { bodyNamesNone, moreMethods, namesIndicesElsewhere } from './endpoint-indices.ts';
import { type EndpointRow, type Route, shape } from './endpoint-row.ts';

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly bulkBody?: unknown;
}

type ClientFunction = (
  this: { transport: { request: (sent: Sent) => void } },
  parameters: object,
  options: object,
  callback: () => void,
) => unknown;

/** Parameters that name indices, by the client's names for them. */
const naming = /^(index|indices|target|alias|new_index)$/;

/** Functions for requests of any kind, and declarations. */
const notEndpoints: ReadonlySet<string> = new Set(['http', '_types']);

/** Without their groups: what Elasticsearch has too needs no decision. */
export function readOpenSearch(folder: URL): readonly Omit<EndpointRow, 'group'>[] {
  const load = createRequire(import.meta.url);
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !notEndpoints.has(entry.name))
    .flatMap(({ name }) =>
      readdirSync(new URL(`${name}/`, folder))
        .filter((file) => file.endsWith('.js') && file !== '_api.js')
        .sort()
        .map((file) => {
          const path = new URL(`${name}/${file}`, folder).pathname;
          const prefix = name === '_core' ? '' : `${snake(name)}.`;
          const endpoint = prefix + snake(file.slice(0, -'.js'.length));
          const accepted = declared(path.replace(/js$/, 'd.ts'));
          return readFunction(endpoint, load(path) as ClientFunction, accepted);
        }),
    );
}

/** `getIp2GeoDatasource` is `get_ip2geo_datasource` in the specification that the client is made from. */
function snake(camel: string): string {
  return camel.replace(/(?<![0-9])(?=[A-Z])/g, '_').toLowerCase();
}

/** The parameters that the function's declaration lists, of path, query and body. */
function declared(file: string): ReadonlySet<string> {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) && statement.name.text.endsWith('_Request')) {
      return new Set(
        statement.members.flatMap(({ name }) => (name && ts.isIdentifier(name) ? [name.text] : [])),
      );
    }
    // One without parameters of its own is an alias of what all requests share.
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text.endsWith('_Request')) return new Set();
  }
  throw new Error(`${file} declares no request`);
}

function readFunction(
  name: string,
  call: ClientFunction,
  accepted: ReadonlySet<string>,
): Omit<EndpointRow, 'group'> {
  const { looked } = attempt(call, new Set());
  const routes = new Map<string, Route>();
  let ndjson = false;
  for (let subset = 0; subset < 1 << looked.length; subset++) {
    const { sent } = attempt(call, new Set(looked.filter((_, bit) => (subset >> bit) & 1)));
    if (sent === undefined) continue;
    ndjson ||= sent.bulkBody !== undefined;
    const path = decodeURIComponent(sent.path).replace(/\{(\w+)\}/g, (parameter, of: string) =>
      naming.test(of) || (of === 'name' && /\/_(alias|aliases|data_stream)\//.test(sent.path))
        ? `<${of}>`
        : parameter,
    );
    for (const method of new Set([sent.method, ...(moreMethods[name] ?? [])])) {
      const route = { method, path };
      routes.set(shape(route), route);
    }
  }
  const all = [...routes.values()];
  if (all.length === 0) throw new Error(`the client's ${name} sent nothing`);
  return {
    name,
    server: 'opensearch',
    bodyIndices: (accepted.has('body') && !fits(bodyNamesNone, name)) || fits(namesIndicesElsewhere, name),
    ndjson,
    queryIndices: [...accepted].filter((one) => naming.test(one) && !looked.includes(one)),
    routes: all,
  };
}

interface Attempt {
  readonly sent: Sent | undefined;
  /** The parameters that the function looked at, of the path and the body. */
  readonly looked: readonly string[];
}

/** Calls with all parameters but `omitted`; one that is required and missing sends nothing. */
function attempt(call: ClientFunction, omitted: ReadonlySet<string>): Attempt {
  const looked = new Set<string>();
  let sent: Sent | undefined;
  const parameters = new Proxy(
    {},
    {
      get(_, parameter) {
        if (typeof parameter !== 'string') return undefined;
        looked.add(parameter);
        return omitted.has(parameter) ? undefined : parameter === 'body' ? {} : `{${parameter}}`;
      },
    },
  );
  const request = (what: Sent): void => {
    sent = what;
  };
  try {
    call.call({ transport: { request } }, parameters, {}, () => {});
  } catch {
    // It wanted to say which parameter is missing, through a client that isn't there.
  }
  return { sent, looked: [...looked] };
}
