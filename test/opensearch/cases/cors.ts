/** A browser's CORS preflight under policies: the real server answers it, and runs nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask } from '../http.ts';
import { startJudged } from '../judged.ts';
import type { Sluice } from '../sluice.ts';
import type { Stage } from '../stage.ts';

const page = 'https://app.example';

/** For the stage. */
export const corsSettings = {
  'http.cors.enabled': 'true',
  'http.cors.allow-origin': page,
  'http.cors.allow-headers': 'Authorization,Content-Type',
};

const policies = `
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: browsers-ask-first}
spec: {order: 1, match: {endpoints: [cors.preflight]}, action: allow}
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: alice}
spec: {match: {principals: [{claimedUsers: [alice]}]}, action: allow}
`;

export function corsCases(stage: Stage): void {
  describe('a page of another origin, under policies', () => {
    let sluice: Sluice;

    before(async () => {
      sluice = await startJudged(stage.direct, policies);
    });
    after(async () => {
      await sluice?.stop();
    });

    test('asks on any path and is answered by the CORS settings of the server; no index comes of it', async () => {
      const headers = {
        origin: page,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'authorization,content-type',
      };
      for (const target of ['/made/_doc/a%2Fb', '/_cluster/settings', '/made', '/_all/_delete_by_query']) {
        const { status, headers: answered } = await ask(sluice.url, {
          method: 'OPTIONS',
          path: target,
          headers,
        });
        assert.equal(status, 200, target);
        assert.equal(answered['access-control-allow-origin'], page);
        assert.match(String(answered['access-control-allow-methods']), /PUT/);
        assert.match(String(answered['access-control-allow-headers']).toLowerCase(), /authorization/);
      }
      assert.equal((await ask(stage.direct, { method: 'HEAD', path: '/made' })).status, 404);
    });

    test('then sends its credentials, and may read the answer; without them it is refused', async () => {
      const authorization = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
      const question = { method: 'PUT', path: '/made/_doc/a%2Fb?refresh=true', body: '{"n":1}' };
      const written = await ask(sluice.url, { ...question, headers: { origin: page, authorization } });
      assert.deepEqual([written.status, written.headers['access-control-allow-origin']], [201, page]);
      assert.equal((await ask(sluice.url, { ...question, headers: { origin: page } })).status, 401);
      await ask(stage.direct, { method: 'DELETE', path: '/made' });
    });
  });
}
