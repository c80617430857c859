/**
 * Searches that stand for other indices than the URL's: points in time, ids that lists of tasks show, lookups. What a
 * policy on indices holds, and what it leaves to the server because the server holds it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask, askJson, type Reply } from '../http.ts';
import { startJudged } from '../judged.ts';
import type { Sluice } from '../sluice.ts';
import type { Stage } from '../stage.ts';

const secret = 'the word of the vault';
const reads = `apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: reads}
spec: {action: allow, match: {groups: [read], indices: ['open-*']}, bodyIndices: trust}
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: monitors}
spec: {action: allow, match: {groups: [monitor]}}
`;

export function searchAttackCases(stage: Pick<Stage, 'direct'>): void {
  describe("another index's searches, under attack", () => {
    let sluice: Sluice;
    /** The body of a search of the vault. */
    let search: object;
    let scrollId: string;

    before(async () => {
      await askJson(stage.direct, 'PUT', '/vault/_doc/1?refresh=true', { text: secret });
      await askJson(stage.direct, 'PUT', '/open-1/_doc/1?refresh=true', { text: 'an open word' });
      const openSearch = await ask(stage.direct, {
        method: 'POST',
        path: '/vault/_search/point_in_time?keep_alive=5m',
      });
      const opened =
        openSearch.status === 200
          ? openSearch
          : await ask(stage.direct, { method: 'POST', path: '/vault/_pit?keep_alive=5m' });
      const { id, pit_id } = JSON.parse(opened.body.toString()) as { id?: string; pit_id?: string };
      search = { pit: { id: pit_id ?? id, keep_alive: '5m' } };
      const scrolled = await askJson(stage.direct, 'GET', '/vault/_search?scroll=5m&size=1');
      scrollId = (scrolled as { _scroll_id: string })._scroll_id;
      sluice = await startJudged(stage.direct, reads);
    });
    after(async () => {
      try {
        await sluice?.stop();
      } finally {
        for (const index of ['vault', 'open-1'])
          await ask(stage.direct, { method: 'DELETE', path: `/${index}` });
      }
    });

    const post = (base: string, at: string, body: string): Promise<Reply> =>
      ask(base, { method: 'POST', path: at, body, headers: { 'content-type': 'application/json' } });

    test('the point in time opens the vault to whoever may search without an index', async () => {
      const reply = await post(stage.direct, '/_search', JSON.stringify(search));
      assert.ok(reply.body.toString().includes(secret), reply.body.toString());
      assert.equal((await post(sluice.url, '/_search', JSON.stringify(search))).status, 403);
    });

    test('beside an index the server itself refuses it in a search', async () => {
      for (const [at, body] of [
        ['/open-1/_search', JSON.stringify(search)],
        ['/open-1/_msearch', `{}\n${JSON.stringify(search)}\n`],
        ['/open-1/_count', JSON.stringify(search)],
      ] as const) {
        const reply = await post(sluice.url, at, body);
        assert.equal(reply.status, 400, `${at} ${reply.body}`);
        assert.doesNotMatch(reply.body.toString(), /sluice_/);
        assert.ok(!reply.body.toString().includes(secret), at);
      }
    });

    test('a template and an evaluation, in which no server refuses it, do not reach the server', async () => {
      const request = { id: 'q', request: search, ratings: [] };
      for (const [at, body] of [
        ['/open-1/_search/template', JSON.stringify({ source: search })],
        ['/open-1/_msearch/template', `{}\n${JSON.stringify({ source: search })}\n`],
        ['/open-1/_rank_eval', JSON.stringify({ requests: [request], metric: { precision: { k: 5 } } })],
      ] as const) {
        const reply = await post(sluice.url, at, body);
        assert.equal(reply.status, 403, `${at} ${reply.body}`);
        assert.match(reply.body.toString(), /sluice_policy_denied/);
      }
    });

    test('ids of others are neither listed nor taken', async () => {
      for (const at of ['/_tasks?detailed', '/_tasks?detailed&actions=*search*', '/_cat/tasks?detailed']) {
        const direct = await ask(stage.direct, { method: 'GET', path: at });
        assert.equal(direct.status, 200, at);
        assert.equal((await ask(sluice.url, { method: 'GET', path: at })).status, 403, at);
      }
      const body = JSON.stringify({ scroll_id: scrollId, scroll: '5m' });
      assert.equal((await post(stage.direct, '/_search/scroll', body)).status, 200);
      assert.equal((await post(sluice.url, '/_search/scroll', body)).status, 403);
      assert.equal((await ask(sluice.url, { method: 'GET', path: '/_cluster/health' })).status, 200);
    });

    test('a lookup shows a value of the vault, as docs/index-expressions.md says that it does', async () => {
      const lookup = { query: { terms: { text: { index: 'vault', id: '1', path: 'text' } } } };
      const reply = await post(sluice.url, '/open-1/_validate/query?explain=true', JSON.stringify(lookup));
      assert.equal(reply.status, 200);
      assert.ok(reply.body.toString().includes(secret), reply.body.toString());
    });
  });
}
