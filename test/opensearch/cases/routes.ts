/** The endpoint table is made of the routes that the servers register: these are still the ones. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Stage } from '../stage.ts';

const fixtures = new URL('../../fixtures/server-routes/', import.meta.url);

export function routeCases(stage: Stage): void {
  test('the routes that the server registers are those that the endpoint table is made of', (context) => {
    const { server, routes } = stage.registered;
    const file = new URL(`${server}.txt`, fixtures);
    if (process.env.UPDATE === '1') writeFileSync(file, routes);
    if (!existsSync(file)) return context.skip(`no routes of ${server} are kept`);
    const hint = 'UPDATE=1 make test-opensearch, then make endpoint-table, and look at what changed';
    assert.deepEqual(routes.trim().split('\n'), readFileSync(file, 'utf8').trim().split('\n'), hint);
  });
}
