import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patience } from '../../test/support/deadline.ts';
import { policy } from '../../test/support/policies.ts';
import { buildSet } from './build.ts';

const options = {
  version: '1',
  fallback: 'deny',
  secrets: { directory: undefined, environment: {} },
} as const;

test('requests have their turn while the largest set is built', { timeout: patience }, async () => {
  const documents = Array.from({ length: 100 }, (_, at) =>
    policy(`p${at}`, {
      match: { paths: Array.from({ length: 1000 }, (_, one) => `/${at}/${one}/*/_doc/**`) },
    }),
  );
  let turns = 0;
  const turn = setInterval(() => turns++, 0);
  const before = process.threadCpuUsage();
  const built = await buildSet(documents, options);
  const { user, system } = process.threadCpuUsage(before);
  clearInterval(turn);
  assert.ok(built.kind === 'built');
  assert.deepEqual(
    built.set.policies.map(({ name }) => name),
    documents.map(({ name }) => name),
  );
  const cpu = (user + system) / 1000;
  assert.ok(turns >= Math.floor(cpu / 500), `${turns} turns in ${cpu} ms of work`);
});

test('everything that is wrong is told, not only the first', async () => {
  const value = (variable: string) => ({ kind: 'env', variable }) as const;
  const lacking = policy('a', {
    headers: {
      set: [
        { name: 'x-api-key', value: value('SLUICE_SECRET_A') },
        { name: 'x-other-key', value: value('HOME') },
      ],
      remove: [],
    },
  });
  const built = await buildSet([lacking, lacking], options);
  assert.ok(built.kind === 'wrong');
  assert.deepEqual(
    built.problems.map(({ path }) => path),
    ['spec.headers.set[0]', 'spec.headers.set[1]', 'spec.headers.set[0]', 'spec.headers.set[1]'],
  );
});
