/** Whatever lies in examples/ is what Sluice takes, without a warning, and does what its own tests say. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { formatProblem, loadConfig } from '../src/config/load.ts';
import type { PolicySet } from '../src/policy/compile.ts';
import type { PolicyTest, TestRequest } from '../src/policy/read/policy-test.ts';
import { readSet, type SetReading } from '../src/policy/read/reading.ts';
import type { SourceText } from '../src/policy/sources/source.ts';
import type { Verdict } from '../src/policy/verdict.ts';
import { setOf, subject } from './support/policies.ts';

const home = path.join(import.meta.dirname, '..', 'examples');
const examples = readdirSync(home, { withFileTypes: true }).filter((entry) => entry.isDirectory());

assert.ok(examples.length > 0);
for (const { name } of examples) {
  const folder = path.join(home, name);
  describe(`examples/${name}`, { timeout: 30_000 }, () => {
    let read: SetReading & { kind: 'read' };
    let set: PolicySet;

    before(async () => {
      const loaded = loadConfig(path.join(folder, 'sluice.yaml'));
      assert.ok(loaded.kind === 'loaded', JSON.stringify(loaded));
      const { clusters, policies } = loaded.config;
      assert.ok(policies);
      const sources = policies.sources.flatMap((source) => (source.kind === 'path' ? [source.path] : []));
      const texts = [...sources.flatMap(textsIn), textOf(path.join(folder, 'tests.yaml'))];
      const reading = await readSet(texts, ['default', ...Object.keys(clusters)]);
      assert.ok(reading.kind === 'read', JSON.stringify(reading));
      read = reading;
      set = await setOf(reading.policies, { fallback: policies.default });
    });

    test('has nothing that is worth a warning', () => {
      assert.deepEqual(read.warnings.map(formatProblem), []);
    });

    test('does what its tests say', () => {
      const tests = read.tests.flatMap((document) => document.tests);
      for (const one of tests) assert.deepEqual(outcome(one, set), one.expect, one.name);
    });

    test('has a test for each policy', () => {
      const tested = new Set(read.tests.flatMap(({ tests }) => tests.map(({ expect }) => expect.policy)));
      for (const policy of set.policies) assert.ok(tested.has(policy.name), policy.name);
    });
  });
}

function textsIn(folder: string): SourceText[] {
  return readdirSync(folder).map((name) => textOf(path.join(folder, name)));
}

function textOf(file: string): SourceText {
  return { name: path.relative(home, file), text: readFileSync(file, 'utf8') };
}

/** What became of a request, as far as the test asks. */
function outcome({ request, expect }: PolicyTest, set: PolicySet): PolicyTest['expect'] {
  const verdict = decide(request, set);
  const policy = verdict.policy?.name ?? 'default';
  const asked = <T>(wanted: unknown, found: T) => (wanted === undefined ? undefined : found);
  return {
    verdict: verdict.kind,
    policy: asked(expect.policy, policy),
    status: asked(expect.status, verdict.kind === 'deny' ? verdict.status : undefined),
    cluster: asked(expect.cluster, verdict.policy?.document.cluster ?? 'default'),
    audited: asked(
      expect.audited,
      verdict.audited.map(({ name }) => name),
    ),
  };
}

function decide({ method, target, headers, length, ...rest }: TestRequest, set: PolicySet): Verdict {
  const framing = length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length ?? 0}`;
  const fields = [...headers.map(({ name, value }) => `${name}: ${value}`), framing];
  const { source, principals, time = Date.now() } = rest;
  return set.decide(subject(`${method} ${target}`, { fields, source, principals, time }));
}
