/** Elasticsearch's endpoints, from the schema that `@elastic/request-converter` carries. */
import { readFileSync } from 'node:fs';
import {
  clusterPrivileges,
  dangers,
  elasticsearchGroups,
  fits,
  indexPrivileges,
  type KnownGroup,
} from './endpoint-groups.ts';
import { bodyNamesNone, indexParameters, namesIndicesElsewhere } from './endpoint-indices.ts';
import { type EndpointRow, groupByRule, type Route, showsOnly } from './endpoint-row.ts';

interface TypeName {
  readonly name: string;
  readonly namespace: string;
}

type TypeValue =
  | { readonly kind: 'instance_of'; readonly type: TypeName; readonly generics?: readonly TypeValue[] }
  | { readonly kind: 'array_of'; readonly value: TypeValue }
  | { readonly kind: 'union_of'; readonly items: readonly TypeValue[] }
  | { readonly kind: 'dictionary_of'; readonly key: TypeValue; readonly value: TypeValue }
  | { readonly kind: 'literal_value' | 'user_defined_value' };

interface Property {
  readonly name: string;
  readonly type: TypeValue;
}

interface TypeDefinition {
  readonly kind: string;
  readonly name: TypeName;
  readonly type?: TypeValue;
  readonly properties?: readonly Property[];
  readonly inherits?: Inherited | readonly Inherited[];
  readonly path?: readonly Property[];
  readonly query?: readonly Property[];
  readonly body?: {
    readonly kind: string;
    readonly properties?: readonly Property[];
    readonly value?: TypeValue;
  };
}

interface Inherited {
  readonly type: TypeName;
  readonly generics?: readonly TypeValue[];
}

interface SchemaEndpoint {
  readonly name: string;
  readonly request?: TypeName;
  readonly urls: readonly { readonly path: string; readonly methods: readonly string[] }[];
  readonly privileges?: { readonly index?: readonly string[]; readonly cluster?: readonly string[] };
  readonly requestMediaType?: readonly string[];
}

type Types = ReadonlyMap<string, TypeDefinition>;

const key = ({ namespace, name }: TypeName): string => `${namespace}:${name}`;

export function readElasticsearch(file: URL): readonly EndpointRow[] {
  const schema = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly endpoints: readonly SchemaEndpoint[];
    readonly types: readonly TypeDefinition[];
  };
  const types: Types = new Map(schema.types.map((type) => [key(type.name), type]));
  return schema.endpoints.map((endpoint) => readEndpoint(endpoint, types));
}

function readEndpoint(endpoint: SchemaEndpoint, types: Types): EndpointRow {
  const { name, urls } = endpoint;
  const request = endpoint.request === undefined ? undefined : types.get(key(endpoint.request));
  const naming = new Set(
    (request?.path ?? [])
      .filter((one) => isIndexType(one.type) || indexParameters.includes(`${name} ${one.name}`))
      .map((one) => one.name)
      .concat('index'),
  );
  const routes = urls.flatMap(({ path, methods }) =>
    methods.map((method): Route => ({ method, path: markIndices(path, naming) })),
  );
  const body = request?.body;
  const inBody =
    body !== undefined &&
    (hasIndex(body.properties ?? [], types, new Set()) || reachesIndex(body.value, types, new Set()));
  return {
    name,
    group: groupOf(endpoint, routes),
    server: 'elasticsearch',
    bodyIndices: (inBody && !fits(bodyNamesNone, name)) || fits(namesIndicesElsewhere, name),
    ndjson: (endpoint.requestMediaType ?? []).includes('application/x-ndjson'),
    queryIndices: (request?.query ?? []).filter((one) => isIndexType(one.type)).map((one) => one.name),
    routes,
  };
}

/** `{index}` becomes `<index>`. */
function markIndices(path: string, naming: ReadonlySet<string>): string {
  return path.replace(/\{(\w+)\}/g, (parameter, name: string) =>
    naming.has(name) ? `<${name}>` : parameter,
  );
}

function groupOf({ name, privileges }: SchemaEndpoint, routes: readonly Route[]): KnownGroup {
  const ruled = groupByRule(elasticsearchGroups, name, routes);
  if (ruled !== undefined) return ruled;
  const cluster = privileges?.cluster ?? [];
  // `manage` beside a narrower `manage_...` is an alternative to it, which every administrator has.
  const narrowed = cluster.some((one) => one.startsWith('manage_'))
    ? cluster.filter((one) => one !== 'manage')
    : cluster;
  const groups = [
    ...(privileges?.index ?? []).map((one) => known(indexPrivileges, one, name)),
    ...narrowed.map((one) => known(clusterPrivileges, one, name)),
  ];
  const group = dangers.findLast((one) => groups.includes(one));
  if (group === undefined)
    throw new Error(`${name} has no privileges: give it a group in endpoint-groups.ts`);
  return showsOnly(group, routes);
}

function known(table: Readonly<Record<string, KnownGroup>>, privilege: string, name: string): KnownGroup {
  const group = table[privilege];
  if (group === undefined)
    throw new Error(`${name} needs ${privilege}, which endpoint-groups.ts doesn't list`);
  return group;
}

const indexTypes = /^(IndexName|Indices|IndexAlias|DataStreamNames?|IndexPatterns?)$/;

function isIndexType(value: TypeValue): boolean {
  return reachesIndex(value, new Map(), new Set());
}

/**
 * What is not followed: queries, retrievers, aggregations, mappings and scripts, whose lookups in other indices no decision
 * on a head can stop, wherever they stand (docs/endpoints.md); and what only weighs indices named elsewhere.
 */
const notFollowed =
  /^(_types\.(query_dsl|aggregations|mapping|analysis)|_builtins):|^_types:(Script|Sort|RetrieverContainer)/;
const notRead: ReadonlySet<string> = new Set(['indices_boost']);

function reachesIndex(value: TypeValue | undefined, types: Types, seen: Set<string>): boolean {
  switch (value?.kind) {
    case 'array_of':
      return reachesIndex(value.value, types, seen);
    case 'union_of':
      return value.items.some((item) => reachesIndex(item, types, seen));
    case 'dictionary_of':
      return reachesIndex(value.key, types, seen) || reachesIndex(value.value, types, seen);
    case 'instance_of': {
      if (value.type.namespace === '_types' && indexTypes.test(value.type.name)) return true;
      if (value.generics?.some((one) => reachesIndex(one, types, seen))) return true;
      const name = key(value.type);
      if (notFollowed.test(name) || seen.has(name)) return false;
      seen.add(name);
      const type = types.get(name);
      return (
        type !== undefined && (reachesIndex(type.type, types, seen) || definitionHasIndex(type, types, seen))
      );
    }
    default:
      return false;
  }
}

function definitionHasIndex(type: TypeDefinition, types: Types, seen: Set<string>): boolean {
  if (hasIndex(type.properties ?? [], types, seen)) return true;
  return [type.inherits ?? []]
    .flat()
    .some((parent: Inherited) => reachesIndex({ kind: 'instance_of', ...parent }, types, seen));
}

function hasIndex(properties: readonly Property[], types: Types, seen: Set<string>): boolean {
  return properties.some(({ name, type }) => !notRead.has(name) && reachesIndex(type, types, seen));
}
