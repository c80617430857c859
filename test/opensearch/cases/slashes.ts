/** Ids with a slash, under policies: the document that was judged is the one that the server touches, and no other. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask, askJson } from '../http.ts';
import { startJudged } from '../judged.ts';
import type { Sluice } from '../sluice.ts';
import type { Stage } from '../stage.ts';

const policies = `
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: shelf}
spec: {match: {endpoints: [index, get, delete, update, create], indices: [shelf]}, action: allow}
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: pipelines}
spec: {match: {endpoints: [ingest.*]}, action: allow}
`;

const ids = ['a/b', 'https://example.org/x/?q=1', '/leading', 'trailing/', 'a//b', 'é/ü', '100%/x'];

/** What decoders on the way could make another request of. */
const attacks = [
  ['GET', '/shelf%2F_search'],
  ['GET', '/shelf%2F..%2Fsecret/_doc/1'],
  ['GET', '/shelf/_doc/..%2F..%2Fsecret%2F_doc%2F1'],
  ['GET', '/shelf/_doc/x%2F..%2F..%2F..%2Fsecret%2F_doc%2F1'],
  ['GET', '/shelf/_doc%2F1'],
  ['GET', '/shelf/_doc/1%252F2'],
  ['GET', '/shelf/_doc/%2e%2e%2Fx'],
  ['POST', '/shelf/_doc/1%2F_update'],
  ['POST', '/shelf/_doc/_delete_by_query%2F1'],
  ['DELETE', '/secret/_doc/1%2F2'],
  ['GET', '/_cat%2Findices'],
] as const;

export function slashCases(stage: Stage): void {
  describe('ids with a slash, under policies', () => {
    let sluice: Sluice;

    before(async () => {
      sluice = await startJudged(stage.direct, policies);
    });
    after(async () => {
      await sluice?.stop();
      await ask(stage.direct, { method: 'DELETE', path: '/shelf' });
    });

    test('are written, read back and deleted, and the server has them under the very id', async () => {
      for (const id of ids) {
        const target = `/shelf/_doc/${encodeURIComponent(id)}`;
        await askJson(sluice.url, 'PUT', target, { id });
        const direct = (await askJson(stage.direct, 'GET', target)) as { _id: string; _source: object };
        const through = (await askJson(sluice.url, 'GET', target)) as typeof direct;
        for (const found of [direct, through]) assert.deepEqual([found._id, found._source], [id, { id }]);
      }
      await askJson(stage.direct, 'POST', '/shelf/_refresh');
      const all = (await askJson(stage.direct, 'GET', '/shelf/_search?size=100')) as {
        hits: { hits: { _id: string }[] };
      };
      assert.deepEqual(all.hits.hits.map(({ _id }) => _id).toSorted(), ids.toSorted());
      for (const id of ids) await askJson(sluice.url, 'DELETE', `/shelf/_doc/${encodeURIComponent(id)}`);
      await askJson(stage.direct, 'POST', '/shelf/_refresh');
      const left = (await askJson(stage.direct, 'GET', '/shelf/_count')) as { count: number };
      assert.equal(left.count, 0);
    });

    test('of pipelines lead to that pipeline', async () => {
      const target = '/_ingest/pipeline/team%2Flogs';
      await askJson(sluice.url, 'PUT', target, { description: 'of the team', processors: [] });
      const direct = (await askJson(stage.direct, 'GET', '/_ingest/pipeline')) as object;
      assert.ok(Object.keys(direct).includes('team/logs'), Object.keys(direct).join());
      assert.deepEqual(Object.keys((await askJson(sluice.url, 'GET', target)) as object), ['team/logs']);
      await askJson(sluice.url, 'DELETE', target);
    });

    test('that could change the route are refused, and no server hears of them', async () => {
      await askJson(stage.direct, 'PUT', '/secret/_doc/1?refresh=true', { secret: true });
      const before = await sluice.metric('sluice_upstream_attempts_total');
      for (const [method, target] of attacks) {
        const { status, body } = await ask(sluice.url, { method, path: target });
        assert.ok([400, 403].includes(status), `${method} ${target}: ${status} ${body.toString()}`);
      }
      assert.equal(await sluice.metric('sluice_upstream_attempts_total'), before);
      await askJson(stage.direct, 'DELETE', '/secret');
    });
  });
}
