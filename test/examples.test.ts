/** Whatever lies in examples/ is what Sluice takes, without a warning, and does what its own tests say. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { check } from '../src/cli/check/check.ts';
import { type Input, readInput } from '../src/cli/policies-input.ts';
import { testPolicies } from '../src/cli/policies-test.ts';
import { patience } from './support/deadline.ts';

const home = path.join(import.meta.dirname, '..', 'examples');
const examples = readdirSync(home, { withFileTypes: true }).filter((entry) => entry.isDirectory());

assert.ok(examples.length > 0);
for (const { name } of examples) {
  const folder = path.join(home, name);
  const config = path.join(folder, 'sluice.yaml');
  const paths = [path.join(folder, 'policies'), path.join(folder, 'tests.yaml')];

  describe(`examples/${name}`, { timeout: patience }, () => {
    test('is right, and gives no warning', async () => {
      const { code, err } = await check({ files: [config], strict: true, static: true });
      assert.deepEqual({ code, err }, { code: 0, err: [] });
    });

    test('does what its tests say', async () => {
      const { code, out, err } = await testPolicies({ paths, config });
      assert.deepEqual(err, []);
      assert.equal(code, 0, out.filter((line) => !line.startsWith('ok ')).join('\n'));
    });

    test('has a test for each policy', async () => {
      const { policies, tests } = await read({ paths, config });
      // An audit decides nothing: it is tested where a test expects it beside the policy that does.
      const expected = tests.flatMap((document) => document.tests.map(({ expect }) => expect));
      const tested = new Set(expected.flatMap(({ policy, audited }) => [policy, ...(audited ?? [])]));
      assert.deepEqual(
        policies.map((policy) => policy.name).filter((policy) => !tested.has(policy)),
        [],
      );
    });
  });
}

async function read(given: Parameters<typeof readInput>[0]): Promise<Input> {
  const input = await readInput(given);
  assert.ok(input.kind === 'read', JSON.stringify(input));
  return input;
}
