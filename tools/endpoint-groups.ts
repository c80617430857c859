/**
 * What no schema says about an endpoint's group, decided here by hand: where it names no privilege, or where its
 * privilege misleads. Names are exact, or `*` in them stands for any run of characters; the first rule that fits
 * wins. An endpoint that no rule and no privilege covers stops the generator.
 */
import type { EndpointGroup } from '../src/policy/document.ts';

export type KnownGroup = Exclude<EndpointGroup, 'unknown'>;

/** From the least dangerous to the most: where privileges mix, the last one wins. */
export const dangers: readonly KnownGroup[] = [
  'monitor',
  'read',
  'write',
  'manage',
  'cluster-admin',
  'security',
];

export const indexPrivileges: Readonly<Record<string, KnownGroup>> = {
  view_index_metadata: 'monitor',
  read_view_metadata: 'monitor',
  monitor: 'monitor',
  read: 'read',
  create: 'write',
  index: 'write',
  write: 'write',
  delete: 'write',
  create_index: 'manage',
  delete_index: 'manage',
  create_view: 'manage',
  delete_view: 'manage',
  maintenance: 'manage',
  manage: 'manage',
  manage_ilm: 'manage',
  manage_follow_index: 'manage',
};

export const clusterPrivileges: Readonly<Record<string, KnownGroup>> = {
  monitor: 'monitor',
  monitor_esql: 'monitor',
  monitor_ml: 'monitor',
  monitor_rollup: 'monitor',
  monitor_snapshot: 'monitor',
  monitor_text_structure: 'monitor',
  monitor_transform: 'monitor',
  monitor_watcher: 'monitor',
  read_ilm: 'monitor',
  read_project_routing: 'monitor',
  read_slm: 'monitor',
  // It runs a model on what the request brings.
  monitor_inference: 'read',
  read_pipeline: 'read',
  manage_ccr: 'manage',
  manage_ilm: 'manage',
  manage_index_templates: 'manage',
  manage_inference: 'manage',
  manage_logstash_pipelines: 'manage',
  manage_ml: 'manage',
  manage_rollup: 'manage',
  manage_search_application: 'manage',
  manage_search_query_rules: 'manage',
  manage_search_synonyms: 'manage',
  manage_transform: 'manage',
  manage_watcher: 'manage',
  cancel_task: 'cluster-admin',
  create_snapshot: 'cluster-admin',
  manage: 'cluster-admin',
  manage_project_routing: 'cluster-admin',
  manage_slm: 'cluster-admin',
  all: 'security',
  grant_api_key: 'security',
  manage_api_key: 'security',
  manage_own_api_key: 'security',
  manage_security: 'security',
  manage_service_account: 'security',
  manage_token: 'security',
  manage_user_profile: 'security',
  read_security: 'security',
};

/** `otherwise` rules are asked last, and a `GET` that they would put into `manage` or above only shows: `monitor`. */
export interface GroupRules {
  readonly exact: Readonly<Record<string, KnownGroup>>;
  readonly otherwise: Readonly<Record<string, KnownGroup>>;
}

const elasticsearchRead = [
  // They show the queries of others, and with `detailed` the ids of their scrolls and points in time.
  'cat.tasks',
  'esql.get_query',
  'esql.list_queries',
  'tasks.get',
  'tasks.list',
  'async_search.*',
  'clear_scroll',
  'close_point_in_time',
  'eql.*',
  'esql.query',
  'esql.async_query_*',
  'exists',
  'graph.explore',
  'indices.validate_query',
  'inference.chat_completion_unified',
  'inference.completion',
  'inference.embedding',
  'inference.sparse_embedding',
  'inference.text_embedding',
  'knn_search',
  // They answer with documents of the index.
  'ml.evaluate_data_frame',
  'ml.explain_data_frame_analytics',
  'ml.preview_data_frame_analytics',
  'ml.infer_trained_model',
  // Their results quote documents: examples of messages, values of influencers.
  'ml.get_categories',
  'ml.get_influencers',
  'ml.get_records',
  'profiling.flamegraph',
  'profiling.stacktraces',
  'profiling.topn_functions',
  'rollup.rollup_search',
  'search_application.render_query',
  'search_application.search',
  'sql.clear_cursor',
  'sql.delete_async',
  'sql.get_async',
  'terms_enum',
  // It answers with messages and the commonest values of a field.
  'text_structure.find_field_structure',
];

const elasticsearchWrite = [
  'bulk',
  // These steer or stop a write that goes on in the background.
  'cancel_reindex',
  'delete_by_query_rethrottle',
  'reindex_rethrottle',
  'update_by_query_rethrottle',
  'monitoring.bulk',
  'search_application.post_behavioral_analytics_event',
];

const elasticsearchMonitor = [
  'capabilities',
  'cat.help',
  'cluster.allocation_explain',
  'cluster.exists_component_template',
  'cluster.info',
  'enrich.get_policy',
  'enrich.stats',
  'features.get_features',
  'fleet.global_checkpoints',
  'get_reindex',
  'health_report',
  // Its privilege is `index`, and it stores nothing.
  'indices.analyze',
  'indices.exists',
  'indices.exists_alias',
  'indices.explain_data_lifecycle',
  'indices.get_data_lifecycle',
  'indices.get_data_stream_options',
  'indices.get_migrate_reindex_status',
  'inference.get',
  'ingest.geo_ip_stats',
  'ingest.get_*',
  'ingest.processor_grok',
  'license.get',
  'list_reindex',
  'ml.validate',
  'ml.validate_detector',
  'nodes.info',
  'ping',
  'profiling.status',
  'search_application.get_behavioral_analytics',
  'text_structure.test_grok_pattern',
  'transform.get_node_stats',
  'transform.get_transform_stats',
  'watcher.get_settings',
];

const elasticsearchManage = [
  'ccr.follow',
  'ccr.forget_follower',
  'ccr.put_auto_follow_pattern',
  'ccr.resume_follow',
  // Even to read: what they show holds credentials.
  'connector.*',
  'logstash.get_pipeline',
  'watcher.get_watch',
  'watcher.query_watches',
  'enrich.*',
  'indices.add_block',
  'indices.cancel_migrate_reindex',
  'indices.create_from',
  'indices.delete_data_lifecycle',
  'indices.delete_data_stream_options',
  'indices.disk_usage',
  'indices.downsample',
  'indices.migrate_reindex',
  'indices.modify_data_stream',
  'indices.promote_data_stream',
  'indices.put_alias',
  'indices.put_data_lifecycle',
  'indices.put_data_stream_options',
  'indices.update_aliases',
  'inference.delete',
  'ingest.delete_*',
  'ingest.put_*',
  'ml.delete_calendar_event',
  'search_application.delete_behavioral_analytics',
  'search_application.put_behavioral_analytics',
];

const elasticsearchClusterAdmin = [
  '_internal.*',
  'autoscaling.*',
  'cluster.delete_voting_config_exclusions',
  'cluster.post_voting_config_exclusions',
  'cluster.put_settings',
  'cluster.reroute',
  'features.reset_features',
  'nodes.reload_secure_settings',
  // It runs any script that it is given.
  'scripts_painless_execute',
  // Switches for the whole cluster.
  'ilm.migrate_to_data_tiers',
  'ilm.start',
  'ilm.stop',
  'ml.set_upgrade_mode',
  'slm.stop',
  'transform.set_upgrade_mode',
  'transform.upgrade_transforms',
  'watcher.start',
  'watcher.stop',
  'watcher.update_settings',
];

const to = (group: KnownGroup, names: readonly string[]): Record<string, KnownGroup> =>
  Object.fromEntries(names.map((name) => [name, group]));

export const elasticsearchGroups: GroupRules = {
  exact: {
    ...to('security', ['connector.secret_*', 'fleet.*_secret', 'security.*']),
    ...to('monitor', ['_internal.get_*', 'autoscaling.get_*', ...elasticsearchMonitor]),
    ...to('read', elasticsearchRead),
    ...to('write', elasticsearchWrite),
    ...to('manage', elasticsearchManage),
    ...to('cluster-admin', elasticsearchClusterAdmin),
  },
  otherwise: {},
};

export const openSearchGroups: GroupRules = {
  exact: {
    ...to('security', ['security.*']),
    ...to('monitor', ['asynchronous_search.stats', 'ism.explain_policy', 'ppl.*_stats', 'sql.*_stats']),
    ...to('read', [
      'asynchronous_search.*',
      'create_pit',
      'delete_pit',
      'flow_framework.search*',
      // They show what others stored or asked for.
      'insights.top_queries',
      'knn.search_models',
      'ml.get_agentic_memory',
      'ml.get_all_memories',
      'ml.get_all_messages',
      'ml.get_memory',
      'ml.get_message',
      'ml.get_message_traces',
      'ml.predict*',
      'ml.search_*',
      'observability.get_object',
      'observability.list_objects',
      'ppl.*',
      'search_relevance.*_search',
      'search_relevance.get_experiments',
      'search_relevance.get_judgments',
      'search_relevance.get_query_sets',
      'security_analytics.*',
      'sql.close',
      'sql.explain',
      'sql.query',
    ]),
    ...to('write', ['bulk_stream']),
    ...to('manage', [
      // They reach the searches of others.
      'delete_all_pits',
      'get_all_pits',
      // A GET that loads indices into memory.
      'knn.warmup',
      // They show the addresses that messages are sent to, tokens among them.
      'notifications.get_config*',
      'ism.get_polic*',
    ]),
    ...to('cluster-admin', ['query.*', 'sql.settings']),
  },
  otherwise: {
    ...to('monitor', ['cat.*', 'insights.*', 'list.*']),
    ...to('manage', [
      'flow_framework.*',
      'geospatial.*',
      'indices.*',
      'ingestion.*',
      'ism.*',
      'knn.*',
      'ltr.*',
      'ml.*',
      'neural.*',
      'notifications.*',
      'observability.*',
      'replication.*',
      'rollups.*',
      'search_pipeline.*',
      'search_relevance.*',
      'transforms.*',
      'ubi.*',
    ]),
    ...to('cluster-admin', ['cluster.*', 'remote_store.*', 'sm.*', 'tasks.*', 'wlm.*']),
  },
};

/** Whether `name` is one of `patterns`, in each of which one `*` may stand for any run of characters. */
export function fits(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => {
    const [before = '', after] = pattern.split('*');
    if (after === undefined) return pattern === name;
    return name.startsWith(before) && name.endsWith(after) && name.length >= before.length + after.length;
  });
}
