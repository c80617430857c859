/**
 * The routes that real servers have registered (test/fixtures/server-routes, written by `make server-routes`) and that
 * neither the specification nor the clients list: older spellings, methods that no client uses, the typed routes of
 * Elasticsearch 7. Each is a further URL of the endpoint that its handler serves.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { KnownGroup } from './endpoint-groups.ts';
import { type EndpointRow, type Route, shape } from './endpoint-row.ts';

/** What a server calls the handler of a route, and the endpoint that it is; by method where that decides. */
type Home = string | Readonly<Record<string, string>>;

const homes: Readonly<Record<string, Home>> = {
  add_voting_config_exclusions_action: 'cluster.post_voting_config_exclusions',
  bulk_action: 'bulk',
  close_index_action: 'indices.close',
  count_action: 'count',
  delete_index_action: 'indices.delete',
  delete_weighted_routing_action: 'cluster.delete_weighted_routing',
  document_create_action: 'create',
  document_create_action_auto_id: 'index',
  document_delete_action: 'delete',
  document_get_action: { GET: 'get', HEAD: 'exists' },
  document_get_source_action: { GET: 'get_source', HEAD: 'exists_source' },
  document_index_action: 'index',
  document_mget_action: 'mget',
  document_multi_term_vectors_action: 'mtermvectors',
  document_term_vectors_action: 'termvectors',
  document_update_action: 'update',
  explain_action: 'explain',
  get_aliases_action: { GET: 'indices.get_alias', HEAD: 'indices.exists_alias' },
  get_field_mapping_action: 'indices.get_field_mapping',
  get_mapping_action: 'indices.get_mapping',
  get_settings_action: 'indices.get_settings',
  index_put_alias_action: 'indices.put_alias',
  msearch_action: 'msearch',
  nodes_hot_threads_action: 'nodes.hot_threads',
  nodes_info_action: 'nodes.info',
  open_index_action: 'indices.open',
  open_point_in_time: 'open_point_in_time',
  put_mapping_action: 'indices.put_mapping',
  search_action: 'search',
  snapshot_status_action: 'snapshot.status',
  synced_flush_action: 'indices.flush',
  validate_query_action: 'indices.validate_query',
};

/** Handlers of endpoints that no specification names. The names are ours, in the servers' manner. */
interface Unnamed {
  readonly name: string;
  readonly group: KnownGroup;
  readonly bodyIndices?: boolean;
}

const unnamed: Readonly<Record<string, Unnamed>> = {
  // A view searches other indices than its own name says. On Elasticsearch the same paths are of an index `views`.
  'cluster:admin/views/create': { name: 'views.create', group: 'manage', bodyIndices: true },
  'cluster:admin/views/delete': { name: 'views.delete', group: 'manage', bodyIndices: true },
  'cluster:admin/views/update': { name: 'views.update', group: 'manage', bodyIndices: true },
  'views:data/read/get': { name: 'views.get', group: 'manage', bodyIndices: true },
  'views:data/read/list': { name: 'views.list', group: 'manage', bodyIndices: true },
  'views:data/read/search': { name: 'views.search', group: 'read', bodyIndices: true },
  favicon: { name: 'favicon', group: 'monitor' },
  prune_blockcache_action: { name: 'nodes.prune_block_cache', group: 'cluster-admin' },
  prune_filecache_action: { name: 'nodes.prune_file_cache', group: 'cluster-admin' },
  remote_store_metadata: { name: 'remote_store.metadata', group: 'monitor' },
  remote_store_stats: { name: 'remote_store.stats', group: 'monitor' },
  search_only_index_action: { name: 'indices.scale', group: 'manage' },
  wlm_stats_action: { name: 'wlm.stats', group: 'monitor' },
};

/** Parameters that name indices, as the servers call them; where it is not those, by handler. */
const naming: readonly string[] = ['index', 'indices', 'target'];
const namingOf: Readonly<Record<string, readonly string[]>> = {
  get_aliases_action: ['index', 'name'],
  index_put_alias_action: ['index', 'name'],
  // An index of the snapshot, not of the cluster.
  snapshot_status_action: [],
};

interface Registered extends Route {
  readonly handler: string;
  readonly server: 'elasticsearch' | 'opensearch';
}

export function readRegistered(folder: URL): readonly Registered[] {
  return readdirSync(folder).flatMap((file) => {
    const server = file.startsWith('opensearch') ? 'opensearch' : 'elasticsearch';
    const lines = readFileSync(new URL(file, folder), 'utf8').trim().split('\n');
    return lines.map((line): Registered => {
      const [method = '', path = '', handler = ''] = line.split(' ');
      const those = namingOf[handler] ?? naming;
      const named = path.replace(/\{(\w+)\}/g, (given, of: string) =>
        those.includes(of) ? `<${of}>` : given,
      );
      return { method, path: named, handler, server };
    });
  });
}

/** The rows with the registered routes that none of them has yet. Throws where a handler has no home. */
export function withRegistered(
  rows: readonly EndpointRow[],
  registered: readonly Registered[],
): readonly EndpointRow[] {
  const known = new Set(rows.flatMap(({ routes }) => routes.map(shape)));
  const byName = new Map(rows.map((row) => [row.name, row]));
  for (const route of registered) {
    const { method, path, handler, server } = route;
    if (known.has(shape(route)) && unnamed[handler] === undefined) continue;
    const row = byName.get(nameOf(handler, method)) ?? rowOf(handler, route);
    const routes = row.routes.some((one) => shape(one) === shape(route))
      ? row.routes
      : [...row.routes, { method, path }];
    byName.set(row.name, { ...row, server: row.server === server ? server : 'both', routes });
  }
  return [...byName.values()];
}

function nameOf(handler: string, method: string): string {
  const home = homes[handler];
  return (typeof home === 'string' ? home : home?.[method]) ?? unnamed[handler]?.name ?? '';
}

function rowOf(handler: string, { method, path, server }: Registered): EndpointRow {
  const named = unnamed[handler];
  if (named === undefined) {
    throw new Error(`${method} ${path} is ${handler}: give it a home in tools/server-routes.ts`);
  }
  const { name, group, bodyIndices = false } = named;
  return { name, group, server, bodyIndices, ndjson: false, queryIndices: [], routes: [] };
}
