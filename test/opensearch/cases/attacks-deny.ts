/**
 * Policies that deny, before a real server and under attack: what they protect is still there, whatever name the request
 * gave to it or to what it did. Each attack that works on the server is shown to work there first.
 */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cached } from '../cache.ts';
import { ask, askJson, type Question, type Reply } from '../http.ts';
import { type Sluice, startConfigured } from '../sluice.ts';
import type { Stage } from '../stage.ts';

const policies = `
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: { name: administers }
spec: { order: 1, action: allow, match: { groups: [all], headers: [{ name: x-break-glass, values: ['yes'] }] } }
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: { name: no-deletions }
spec: { order: 2, action: deny, match: { effects: [delete-index], headers: [{ name: x-set, values: [deletions] }] } }
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: { name: no-vault }
spec:
  order: 3
  action: deny
  match:
    paths: [/_ingest/pipeline/vault, /_index_template/vault, /_template/vault, /_component_template/vault]
    headers: [{ name: x-set, values: [vault] }]
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: { name: no-debug }
spec: { order: 4, action: deny, match: { headers: [{ name: x-debug }] } }
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: { name: own-templates }
spec:
  order: 5
  action: allow
  match: { paths: ['/_index_template/team-*'], headers: [{ name: x-set, values: [team] }] }
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: { name: the-rest }
spec: { order: 6, action: allow, match: { groups: [all], headers: [{ name: x-set, values: [deletions, vault, none] }] } }
`;

/** What makes something of a name. */
const objects: Readonly<Record<string, (name: string) => object>> = {
  '/_ingest/pipeline': () => ({ processors: [] }),
  '/_index_template': (name) => ({ index_patterns: [`${name}-only-*`] }),
  '/_template': (name) => ({ index_patterns: [`${name}-old-*`] }),
  '/_component_template': () => ({ template: {} }),
};

export function denyAttackCases(stage: Pick<Stage, 'direct'>): void {
  describe('what is denied, under attack', () => {
    let folder: string;
    let sluice: Sluice;

    before(async () => {
      folder = cached('run', `deny-${process.pid}`);
      mkdirSync(path.join(folder, 'policies'), { recursive: true });
      writeFileSync(path.join(folder, 'policies', 'policies.yaml'), policies);
      const config = path.join(folder, 'sluice.yaml');
      writeFileSync(config, 'policies: { sources: [{ path: policies }] }\n');
      sluice = await startConfigured(['-c', config, '--upstream', stage.direct]);
    });
    after(async () => {
      try {
        await sluice?.stop();
      } finally {
        if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      }
    });

    const through = (set: string, question: Question): Promise<Reply> =>
      ask(sluice.url, { ...question, headers: { 'x-set': set, ...question.headers } });
    const isThere = async (place: string): Promise<boolean> =>
      (await ask(stage.direct, { method: 'GET', path: place })).status === 200;
    const make = async (place: string): Promise<void> => {
      const at = place.lastIndexOf('/');
      await askJson(stage.direct, 'PUT', place, objects[place.slice(0, at)]?.(place.slice(at + 1)) ?? {});
    };
    const denied = async (set: string, policy: string, question: Question): Promise<void> => {
      const reply = await through(set, question);
      assert.equal(reply.status, 403, `${question.method} ${question.path}: ${reply.body}`);
      assert.match(reply.body.toString(), new RegExp(policy), `${question.method} ${question.path}`);
    };
    const removal = (index: string): string => JSON.stringify({ actions: [{ remove_index: { index } }] });

    test('an index is deleted by no other name, where deletions are denied', async () => {
      await make('/decoy');
      const shown = await ask(stage.direct, { method: 'POST', path: '/_aliases', body: removal('decoy') });
      assert.equal(shown.status, 200, shown.body.toString());
      assert.equal(await isThere('/decoy'), false, 'the attack works on the server itself');

      await make('/vault');
      const attacks: readonly Question[] = [
        { method: 'DELETE', path: '/vault' },
        { method: 'DELETE', path: '/vau*' },
        { method: 'DELETE', path: '/_all' },
        { method: 'DELETE', path: '/?index=vault' },
        { method: 'POST', path: '/_aliases', body: removal('vault') },
        { method: 'POST', path: '/_aliases/', body: removal('v*') },
        { method: 'PUT', path: '/vault/_settings', body: '{"index.lifecycle.name":"short"}' },
        { method: 'PUT', path: '/_cluster/settings', body: '{"persistent":{}}' },
        { method: 'DELETE', path: '/_nobody/knows/vault' },
      ];
      for (const attack of attacks) {
        await denied('deletions', 'no-deletions', attack);
        assert.ok(await isThere('/vault'), `${attack.method} ${attack.path}`);
      }
      const mapped = await through('deletions', { method: 'GET', path: '/vault/_mapping' });
      assert.equal(mapped.status, 200);
      const glass = { 'x-break-glass': 'yes' };
      const removed = await through('deletions', {
        method: 'POST',
        path: '/_aliases',
        headers: glass,
        body: removal('vault'),
      });
      assert.equal(removed.status, 200, removed.body.toString());
      assert.equal(await isThere('/vault'), false);
    });

    test('what is denied by its path is not reached by a wildcard, a list or no name at all', async () => {
      for (const kind of Object.keys(objects)) {
        await make(`${kind}/decoy`);
        await ask(stage.direct, { method: 'DELETE', path: `${kind}/dec*` });
        assert.equal(await isThere(`${kind}/decoy`), false, `the attack works on the server itself: ${kind}`);

        await make(`${kind}/vault`);
        for (const name of ['vault', 'vau*', '*', '*t', 'v*t', 'other,vault', 'vault,vault', '-other']) {
          await denied('vault', 'no-vault', { method: 'DELETE', path: `${kind}/${name}` });
          await denied('vault', 'no-vault', { method: 'GET', path: `${kind}/${name}` });
        }
        await denied('vault', 'no-vault', { method: 'GET', path: kind });
        assert.ok(await isThere(`${kind}/vault`), kind);

        await make(`${kind}/other`);
        const others = await through('vault', { method: 'DELETE', path: `${kind}/oth*` });
        assert.equal(others.status, 200, `${kind}: ${others.body}`);
        await askJson(stage.direct, 'DELETE', `${kind}/vault`);
      }
    });

    test('who may change some names reaches no other by a list', async () => {
      const kind = '/_index_template';
      for (const name of ['vault', 'team-a', 'team-b']) {
        await make(`${kind}/${name}`);
      }
      for (const name of ['team-a,vault', 'team-*,vault', 'team-a,vau*', 'team-a,*', '*', 'vault']) {
        const reply = await through('team', { method: 'DELETE', path: `${kind}/${name}` });
        assert.ok(reply.status === 403 || reply.status === 401, `${name}: ${reply.status}`);
        assert.ok(await isThere(`${kind}/vault`), name);
      }
      const own = await through('team', { method: 'DELETE', path: `${kind}/team-*` });
      assert.equal(own.status, 200, own.body.toString());
      for (const name of ['team-a', 'team-b']) assert.equal(await isThere(`${kind}/${name}`), false);
      assert.ok(await isThere(`${kind}/vault`));
      await askJson(stage.direct, 'DELETE', `${kind}/vault`);
    });

    test('a header that is denied does not come with an underscore', async () => {
      for (const name of ['X-Debug', 'X_Debug', 'x_debug']) {
        await denied('none', 'no-debug', {
          method: 'GET',
          path: '/_cluster/health',
          headers: { [name]: 'on' },
        });
      }
      assert.equal((await through('none', { method: 'GET', path: '/_cluster/health' })).status, 200);
    });
  });
}
