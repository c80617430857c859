/**
 * What requests can do that several endpoints have in common, for policies that deny or audit it whatever it is
 * called. A head does not say whether a request does it: an endpoint has an effect where some request to it can.
 */
import type { Effect } from './document.ts';
import { type Endpoint, endpoints } from './endpoints.ts';

export const effects = [
  'delete-index',
  'read-any-index',
  'write-any-index',
] as const satisfies readonly Effect[];

/**
 * What deletes an index or a data stream, replaces what is in one, or has the server do so later; by name, how.
 * Endpoints of group `security` are not among them: who may give rights can give this one, too.
 */
const deletesIndex: Readonly<Record<string, string>> = {
  'indices.delete': 'those that it names',
  'indices.delete_data_stream': 'with all indices behind it',
  'indices.update_aliases': 'the action remove_index',
  'dangling_indices.delete_dangling_index': 'one that is on disk alone',
  // Done by the server later.
  'ilm.put_lifecycle': 'the phase delete',
  'ilm.move_to_step': 'to the phase delete',
  'ilm.retry': 'a deletion that failed',
  'ilm.start': 'deletions that have been held back',
  'ism.put_policy': 'the action delete, for all that ism_template matches',
  'ism.put_policies': 'as ism.put_policy',
  'ism.add_policy': 'attaches a policy that may delete',
  'ism.change_policy': 'as ism.add_policy',
  'ism.retry_index': 'a deletion that failed',
  'indices.put_data_lifecycle': 'a retention',
  'indices.put_data_stream_options': 'a retention of failure stores',
  'indices.put_settings': 'attaches a lifecycle policy that may delete',
  'indices.put_data_stream_settings': 'as indices.put_settings',
  'indices.put_index_template': 'a lifecycle for the indices that come',
  'indices.put_template': 'as indices.put_index_template',
  'cluster.put_component_template': 'as indices.put_index_template',
  'cluster.put_settings': 'a retention for all data streams, data_streams.lifecycle.retention.max',
  // Replaced, or emptied.
  'snapshot.restore': 'over an index that is closed',
  'searchable_snapshots.mount': 'over an index that is closed',
  'remote_store.restore': 'over an index that is closed',
  'cluster.reroute': 'allocate_empty_primary empties a shard',
  'indices.migrate_reindex': 'the indices that have been copied',
  'migration.post_feature_upgrade': 'the system indices that have been copied',
  'features.reset_features': 'all system indices',
  // Those that belong to something else.
  'transform.delete_transform': 'its destination, by delete_dest_index',
  'transform.reset_transform': 'its destination',
  'ml.delete_job': 'an index of results that no other job uses',
  'ml.reset_job': 'an index of results that no other job uses',
  'ml.delete_expired_data': 'indices of state that are empty',
  'ml.delete_memory_container': 'its indices, by delete_all_memories',
  'enrich.delete_policy': 'the index of the policy',
  'enrich.execute_policy': 'the former index of the policy',
  'ltr.delete_store': 'the index of the store',
  'ltr.delete_default_store': 'the index of the store',
  'geospatial.delete_ip2geo_datasource': 'the index of the source',
  // Steps, and requests of the server's own, to itself as well.
  'flow_framework.create': 'the step delete_index',
  'flow_framework.update': 'the step delete_index',
  'flow_framework.provision': 'the step delete_index',
  'flow_framework.deprovision': 'the indices that the workflow has made',
  'watcher.put_watch': 'a webhook to the server itself',
  'watcher.execute_watch': 'a webhook to the server itself',
  'notifications.create_config': 'a webhook to the server itself',
  'notifications.update_config': 'a webhook to the server itself',
  'inference.put': 'a service that is the server itself',
  'inference.update': 'a service that is the server itself',
};

/** What can name an index elsewhere than in its URL and shows nothing of it. */
const readsNothing: ReadonlySet<string> = new Set([
  'bulk',
  'bulk_stream',
  'monitoring.bulk',
  'clear_scroll',
  'close_point_in_time',
  'delete_pit',
]);

/** Endpoints that write or delete documents of any index, though their body names none, or though they read. */
const writesToo: ReadonlySet<string> = new Set([
  // The processors reroute and set send a document to another index.
  'ingest.put_pipeline',
  // DELETE, where plugins.sql.delete.enabled is true.
  'sql.query',
]);

const writing: ReadonlySet<string> = new Set(['write', 'manage', 'cluster-admin']);

function mayHave({ name, group, bodyIndices }: Endpoint, effect: Effect): boolean {
  switch (effect) {
    case 'delete-index':
      return Object.hasOwn(deletesIndex, name);
    case 'read-any-index':
      return bodyIndices && !readsNothing.has(name);
    case 'write-any-index':
      return writesToo.has(name) || (bodyIndices && writing.has(group));
  }
}

/** The ids of all that may have one of the effects; what no table lists may have any. */
export function endpointsWith(wanted: readonly Effect[]): ReadonlySet<number> {
  return new Set(
    endpoints
      .filter((one) => one.group === 'unknown' || wanted.some((effect) => mayHave(one, effect)))
      .map(({ id }) => id),
  );
}

/** Those of the table, by name: for messages and docs. */
export function namesWith(effect: Effect): readonly string[] {
  return endpoints.filter((one) => one.group !== 'unknown' && mayHave(one, effect)).map(({ name }) => name);
}

/** How an endpoint deletes an index; undefined where it does not. */
export function howItDeletes(name: string): string | undefined {
  return Object.hasOwn(deletesIndex, name) ? deletesIndex[name] : undefined;
}
