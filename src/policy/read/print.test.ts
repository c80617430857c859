import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setOf, subject } from '../../../test/support/policies.ts';
import { policyContext } from '../../../test/support/policy-context.ts';
import { formatProblem } from '../../config/load.ts';
import { policyJsonSchema, policyTables } from './print.ts';
import { readPolicies } from './reader.ts';

const docs = (name: string): string =>
  readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');

test('the committed JSON Schema is what the schema says', () => {
  assert.deepEqual(
    JSON.parse(docs('policy.schema.json')),
    policyJsonSchema(),
    './sluice schema --policies > docs/policy.schema.json',
  );
});

test('the tables of docs/policies.md are what the schema says', () => {
  const page = docs('policies.md');
  const between = ['policy', 'policy-test'].map((mark) => {
    return page.split(`<!-- ${mark} -->`)[1]?.split(`<!-- /${mark} -->`)[0]?.trim();
  });
  assert.equal(
    between.join('\n\n'),
    policyTables(),
    'paste the output of ./sluice schema --policies --table',
  );
});

test('every setting says what it does', () => {
  const silent = policyTables()
    .split('\n')
    .filter((row) => row.endsWith('|  |'));
  assert.deepEqual(silent, []);
});

test('every whole example of docs/policies.md is read', async () => {
  const examples = [...docs('policies.md').matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text ?? '');
  const whole = examples.filter((text) => text.includes('apiVersion:'));
  assert.ok(whole.length > 0);
  const context = await policyContext();
  for (const text of whole) {
    const outcome = readPolicies([{ name: 'docs/policies.md', text }], context);
    assert.equal(
      outcome.kind,
      'read',
      outcome.kind === 'invalid' ? outcome.problems.map(formatProblem).join('\n') : '',
    );
  }
});

test('every problem shown in docs/policies.md is told so', async () => {
  const text = [
    'apiVersion: sluice.dev/v1alpha1',
    'kind: Policy',
    'metadata:',
    '  name: team-a',
    'spec:',
    '  action: allow',
    '  match:',
    '    groups: [write]',
    '    endpoints: [bluk]',
    '    methods:',
    '      - POST',
    '    sources: [10.1.2.3/16]',
  ].join('\n');
  const outcome = readPolicies([{ name: 'team-a.yaml', text }], await policyContext());
  const shown = /```\n(team-a\.yaml.*?)\n```/s.exec(docs('policies.md'))?.[1];
  assert.equal(
    outcome.kind === 'invalid' ? outcome.problems.map(formatProblem).join('\n') : undefined,
    shown,
  );
});

test('the set of docs/policies.md does what its own tests say', async () => {
  const text = /```yaml\n(.*?)```/s.exec(docs('policies.md'))?.[1] ?? '';
  const outcome = readPolicies([{ name: 'docs/policies.md', text }], await policyContext());
  assert.ok(outcome.kind === 'read');
  const set = await setOf(outcome.policies);
  for (const { name, request, expect } of outcome.tests.flatMap(({ tests }) => tests)) {
    const { method, target, length, source, principals } = request;
    const fields = [`Content-Length: ${length ?? 0}`];
    const verdict = set.decide(subject(`${method} ${target}`, { fields, source, principals }));
    assert.equal(verdict.kind, expect.verdict, name);
    assert.equal(verdict.policy?.name, expect.policy, name);
  }
});
