import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { effects, endpointsWith, howItDeletes, namesWith } from './effects.ts';
import { endpoints } from './endpoints.ts';

/** Names that sound as though something is taken away, now or by rule. */
const suspicious =
  /delete|remove|reset|restore|lifecycle|ilm|ism|policy|retention|migrat|reroute|mount|cleanup|template|settings|purge|prune|unfollow|modify|shrink|replac|stop|rollover|destroy|drop|clear|settle|alias|downsample|transform|deprov|expire/;

/**
 * Those of them that delete no index: they delete documents, snapshots, or objects that are no index; take a rule away,
 * which keeps indices; make one, which can't take the place of another; or only show.
 */
const keeping = `
  _internal.delete_desired_balance
  _internal.delete_desired_nodes
  autoscaling.delete_autoscaling_policy
  autoscaling.put_autoscaling_policy
  ccr.delete_auto_follow_pattern
  ccr.unfollow
  cluster.delete_component_template
  cluster.delete_decommission_awareness
  cluster.delete_voting_config_exclusions
  cluster.delete_weighted_routing
  connector.delete
  connector.sync_job_delete
  delete
  delete_all_pits
  delete_by_query
  delete_by_query_rethrottle
  delete_script
  enrich.put_policy
  esql.delete_view
  flow_framework.delete
  geospatial.put_ip2geo_datasource_settings
  ilm.delete_lifecycle
  ilm.migrate_to_data_tiers
  ilm.remove_policy
  ilm.stop
  indices.cancel_migrate_reindex
  indices.clear_cache
  indices.delete_alias
  indices.delete_data_lifecycle
  indices.delete_data_stream_options
  indices.delete_index_template
  indices.delete_template
  indices.downsample
  indices.migrate_to_data_stream
  indices.modify_data_stream
  indices.put_alias
  indices.remove_block
  indices.rollover
  indices.shrink
  indices.simulate_index_template
  indices.simulate_template
  inference.delete
  ingest.delete_geoip_database
  ingest.delete_ip_location_database
  ingest.delete_pipeline
  ism.delete_policy
  ism.get_policies
  ism.get_policy
  ism.refresh_search_analyzers
  ism.remove_policy
  knn.delete_model
  license.delete
  logstash.delete_pipeline
  ltr.clear_cache
  ltr.create_featureset
  ltr.delete_feature
  ltr.delete_featureset
  ltr.delete_model
  ltr.update_featureset
  ml.clear_trained_model_deployment_cache
  ml.delete_agent
  ml.delete_agentic_memory
  ml.delete_agentic_memory_query
  ml.delete_calendar
  ml.delete_calendar_event
  ml.delete_calendar_job
  ml.delete_connector
  ml.delete_controller
  ml.delete_data_frame_analytics
  ml.delete_datafeed
  ml.delete_filter
  ml.delete_forecast
  ml.delete_memory
  ml.delete_model
  ml.delete_model_group
  ml.delete_model_snapshot
  ml.delete_task
  ml.delete_trained_model
  ml.delete_trained_model_alias
  ml.put_trained_model_alias
  ml.stop_data_frame_analytics
  ml.stop_datafeed
  ml.stop_trained_model_deployment
  nodes.clear_repositories_metering_archive
  nodes.prune_block_cache
  nodes.prune_file_cache
  nodes.reload_secure_settings
  notifications.delete_config
  notifications.delete_configs
  observability.delete_object
  observability.delete_objects
  project.delete_routing
  query.datasource_delete
  query_rules.delete_rule
  query_rules.delete_ruleset
  replication.delete_replication_rule
  replication.stop
  replication.update_settings
  rollup.delete_job
  rollup.stop_job
  rollups.delete
  rollups.stop
  search_application.delete
  search_application.delete_behavioral_analytics
  search_pipeline.delete
  search_relevance.delete_experiments
  search_relevance.delete_judgments
  search_relevance.delete_query_sets
  search_relevance.delete_scheduled_experiments
  search_relevance.delete_search_configurations
  searchable_snapshots.clear_cache
  shutdown.delete_node
  slm.delete_lifecycle
  slm.execute_lifecycle
  slm.execute_retention
  slm.put_lifecycle
  slm.stop
  sm.create_policy
  sm.delete_policy
  sm.start_policy
  sm.stop_policy
  sm.update_policy
  snapshot.cleanup_repository
  snapshot.delete
  snapshot.delete_repository
  sql.settings
  synonyms.delete_synonym
  synonyms.delete_synonym_rule
  tasks.delete
  transform.preview_transform
  transform.put_transform
  transform.schedule_now_transform
  transform.set_upgrade_mode
  transform.start_transform
  transform.stop_transform
  transform.update_transform
  transform.upgrade_transforms
  transforms.delete
  transforms.preview
  transforms.put
  transforms.start
  transforms.stop
  views.delete
  watcher.delete_watch
  watcher.stop
  watcher.update_settings
  wlm.delete_query_group
`
  .trim()
  .split(/\s+/);

const acting = endpoints.filter(({ group }) => ['write', 'manage', 'cluster-admin'].includes(group));

test('whatever sounds as though it deletes has been looked at: it deletes an index, or it is known not to', () => {
  const unexplained = acting
    .map(({ name }) => name)
    .filter((name) => suspicious.test(name) && howItDeletes(name) === undefined);
  assert.deepEqual(unexplained, keeping);
});

test('what deletes an index is in the table, and says how', () => {
  const names = new Set(acting.map(({ name }) => name));
  for (const name of namesWith('delete-index')) {
    assert.ok(names.has(name), name);
    assert.ok(howItDeletes(name), name);
  }
  for (const name of [
    'indices.delete',
    'indices.update_aliases',
    'transform.delete_transform',
    'ism.put_policy',
  ]) {
    assert.ok(namesWith('delete-index').includes(name), name);
  }
});

test('what no table lists may have every effect', () => {
  for (const effect of effects) assert.ok(endpointsWith([effect]).has(0), effect);
});

test('whatever can name an index beside its URL reads or writes it', () => {
  const either = endpointsWith(['read-any-index', 'write-any-index']);
  const neither = endpoints.filter(({ id, bodyIndices }) => bodyIndices && !either.has(id));
  assert.deepEqual(
    neither.map(({ name }) => name),
    ['clear_scroll', 'close_point_in_time', 'delete_pit'],
  );
});

test('docs/endpoints.md lists them (UPDATE=1 writes it)', () => {
  const file = path.join(import.meta.dirname, '../../docs/endpoints.md');
  const docs = readFileSync(file, 'utf8');
  const rows = namesWith('delete-index').map((name) => `| \`${name}\` | ${howItDeletes(name)} |`);
  const table = ['| endpoint | how it deletes an index |', '|---|---|', ...rows].join('\n');
  const [before = '', rest = ''] = docs.split('<!-- delete-index -->\n');
  const [, after = ''] = rest.split('<!-- /delete-index -->\n');
  const wanted = `${before}<!-- delete-index -->\n${table}\n<!-- /delete-index -->\n${after}`;
  if (process.env.UPDATE === '1') writeFileSync(file, wanted);
  else assert.equal(docs, wanted);
});
