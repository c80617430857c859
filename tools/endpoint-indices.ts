/**
 * What no schema says about the methods of endpoints and the indices that they reach, decided here by hand. Names
 * are exact, or `*` in them stands for any run of characters.
 */

/**
 * Path parameters called `name` or the like that stand for aliases, data streams or views, though the schema
 * only calls them names. Those of the types IndexName, Indices, IndexAlias and DataStreamName need no mention.
 */
export const indexParameters: readonly string[] = [
  'cat.aliases name',
  'esql.delete_view name',
  'esql.get_view name',
  'esql.put_view name',
  'indices.clone target',
  'indices.delete_alias name',
  'indices.exists_alias name',
  'indices.get_alias name',
  'indices.put_alias name',
  'indices.resolve_cluster name',
  'indices.resolve_index name',
];

/** The client asks with one method where OpenSearch takes two (`routes()` of its handlers). */
export const moreMethods: Readonly<Record<string, readonly string[]>> = {
  bulk_stream: ['POST', 'PUT'],
  'knn.search_models': ['GET', 'POST'],
  'ml.search_agents': ['GET', 'POST'],
  'ml.search_connectors': ['GET', 'POST'],
  'ml.search_model_group': ['GET', 'POST'],
  'ml.search_models': ['GET', 'POST'],
  'ml.search_tasks': ['GET', 'POST'],
};

/**
 * Endpoints that reach indices which neither their URL nor a typed property of their body names: in the text of a
 * query, or behind an id or a name that stands for a search, a view, an application.
 */
export const namesIndicesElsewhere: readonly string[] = [
  'async_search.delete',
  'async_search.get',
  'async_search.status',
  'asynchronous_search.delete',
  'asynchronous_search.get',
  'cat.all_pit_segments',
  'cat.pit_segments',
  'clear_scroll',
  // The index in its URL narrows only a part: templates, pipelines and scripts of the whole cluster come along.
  'cluster.state',
  // It shows what others search, and ids that stand for their searches.
  'cat.tasks',
  'close_point_in_time',
  'delete_all_pits',
  'delete_pit',
  'enrich.execute_policy',
  'eql.delete',
  'eql.get',
  'eql.get_status',
  'esql.async_query*',
  'esql.get_query',
  'esql.list_queries',
  'esql.put_view',
  'esql.query',
  // The new index's aliases.
  'indices.create',
  // Its body's `index` and `alias` win over the URL's (RestIndexPutAliasAction).
  'indices.put_alias',
  // Its enrich processors answer with documents.
  'ingest.simulate',
  'insights.top_queries',
  'observability.get_object',
  'observability.list_objects',
  'profiling.flamegraph',
  'profiling.stacktraces',
  'profiling.topn_functions',
  // A search as a whole in its body, points in time among it: seen on OpenSearch 3.8 and Elasticsearch 7.17 to read
  // other indices than the URL's. `search`, `msearch` and `count` refuse such a body beside an index.
  'rank_eval',
  'scroll',
  'search_application.post_behavioral_analytics_event',
  'search_application.render_query',
  'search_application.search',
  'search_relevance.get_experiments',
  'search_relevance.get_judgments',
  'search_relevance.get_query_sets',
  'search_template',
  'snapshot.clone',
  'snapshot.restore',
  'sql.clear_cursor',
  'sql.delete_async',
  'sql.get_async',
  'sql.get_async_status',
  'sql.query',
  'sql.translate',
  'tasks.get',
  'tasks.list',
  // The `_index` of its body wins over the URL's (TermVectorsRequest.parseRequest).
  'termvectors',
];

/** Bodies with a property of such a type, or (of OpenSearch's) any body, that all the same reach no other index. */
export const bodyNamesNone: readonly string[] = [
  'create_pit',
  'ingestion.*',
  'ism.add_policy',
  'ism.change_policy',
  'ism.explain_policy',
  'ism.remove_policy',
  'ism.retry_index',
  'notifications.*',
  'ppl.*_stats',
  'replication.pause',
  'replication.resume',
  'replication.stop',
  'replication.update_settings',
  'sql.*_stats',
  'sql.settings',
];

/**
 * Names that the schema has for some uses of another endpoint (`inference.put`) and that no head tells apart: left
 * out, so that no policy can name them and never match.
 */
export const narrowerNames: readonly string[] = ['inference.put_*'];

/** Read or write, but none of the indices that policies are about. */
export const touchesNoIndex: readonly string[] = [
  'cancel_reindex',
  'delete_by_query_rethrottle',
  'inference.*',
  'ml.*',
  'reindex_rethrottle',
  'render_search_template',
  'security_analytics.*',
  'update_by_query_rethrottle',
];
