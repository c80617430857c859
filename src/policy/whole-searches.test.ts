import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deny, policy, setOf, subject } from '../../test/support/policies.ts';

const templates = [
  'POST /a-1/_search/template',
  'GET /a-1/_search/template',
  'POST /a-1/_msearch/template',
  'POST /a-1/_rank_eval',
];

test('a point in time in a whole search of a body reads no other index than a policy allows', async () => {
  const reads = { match: { groups: ['read' as const], indices: ['a-*'] } };
  for (const bodyIndices of ['refuse', 'trust'] as const) {
    const set = await setOf([policy('reads', { ...reads, bodyIndices })]);
    for (const line of templates)
      assert.equal(set.decide(subject(line)).kind, 'deny', `${bodyIndices} ${line}`);
    // Servers refuse a point in time beside the index of these.
    for (const line of ['POST /a-1/_search', 'POST /a-1/_count']) {
      assert.equal(set.decide(subject(line)).kind, 'allow', line);
    }
  }
});

test('a policy that denies an index catches a body that may hold a point in time of it', async () => {
  const set = await setOf([
    deny('secret', { match: { indices: ['secret'] } }),
    policy('rest', { match: { groups: ['read'] } }),
  ]);
  for (const line of templates) assert.equal(set.decide(subject(line)).policy?.name, 'secret', line);
});

test("who may monitor is not shown the ids of others' searches", async () => {
  const set = await setOf([
    policy('monitor', { match: { groups: ['monitor'] } }),
    policy('reads', { match: { groups: ['read'], indices: ['a-*'] } }),
  ]);
  for (const line of [
    'GET /_tasks',
    'GET /_tasks?detailed',
    'GET /_tasks/node:1',
    'GET /_cat/tasks?detailed',
    'GET /_search/point_in_time/_all',
    'GET /_query/queries',
    'GET /_insights/top_queries',
    'GET /_async_search/status/id',
  ]) {
    assert.equal(set.decide(subject(line)).kind, 'deny', line);
  }
  for (const line of ['GET /_cluster/health', 'GET /_nodes/stats', 'GET /_cat/pit_segments/_all']) {
    assert.equal(set.decide(subject(line)).policy?.name, 'monitor', line);
  }
});
