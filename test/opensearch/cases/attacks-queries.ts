/** Pipelines in the query, which can write to any index, however their name is spelled. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask, type Reply } from '../http.ts';
import { startJudged } from '../judged.ts';
import type { Sluice } from '../sluice.ts';
import type { Stage } from '../stage.ts';

const policies = `apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: writes}
spec: {action: allow, match: {groups: [write], indices: ['open-*']}}
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: cleans}
spec:
  action: allow
  match: {groups: [write], indices: ['open-*'], query: [{name: pipeline, values: ['team-a-*']}]}
`;

export function queryAttackCases(stage: Pick<Stage, 'direct'>): void {
  describe('a pipeline in the query, under attack', () => {
    let sluice: Sluice;

    before(async () => {
      sluice = await startJudged(stage.direct, policies);
    });
    after(async () => {
      try {
        await sluice?.stop();
      } finally {
        await ask(stage.direct, { method: 'DELETE', path: '/open-1' });
      }
    });

    const write = (base: string, query: string): Promise<Reply> =>
      ask(base, { method: 'PUT', path: `/open-1/_doc/1${query}`, body: '{"n":1}' });

    test('the server takes it in any spelling, the last of several', async () => {
      for (const query of [
        '?pipeline=b',
        '?pip%65line=b',
        '?pipeline=team-a-1&pipeline=b',
        '?==pipeline=b',
      ]) {
        const reply = await write(stage.direct, query);
        assert.match(reply.body.toString(), /pipeline with id \[b\] does not exist/, query);
      }
    });

    test('none that the policies do not name gets to the server', async () => {
      for (const [query, status] of [
        ['?pipeline=b', 403],
        ['?pip%65line=b', 400],
        ['?pipeline=team-a-1&pipeline=b', 403],
        ['?pipeline=b;pipeline=team-a-1', 403],
        ['?==pipeline=b', 403],
      ] as const) {
        const reply = await write(sluice.url, query);
        assert.equal(reply.status, status, query);
        assert.match(reply.body.toString(), /sluice_/, query);
      }
    });

    test("a team's own one does, and a write without one", async () => {
      const named = await write(sluice.url, '?pipeline=team-a-%31');
      assert.match(named.body.toString(), /pipeline with id \[team-a-1\] does not exist/);
      assert.equal((await write(sluice.url, '?refresh=true')).status, 201);
    });
  });
}
