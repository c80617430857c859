import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatProblem, parseConfig } from './load.ts';
import { referenceTable } from './reference.ts';
import { jsonSchema } from './schema.ts';

const docs = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('the committed JSON Schema is what the schema says', () => {
  assert.deepEqual(
    JSON.parse(docs('sluice.schema.json')),
    jsonSchema(),
    './sluice schema > docs/sluice.schema.json',
  );
});

test('the table of docs/configuration.md is what the schema says', () => {
  assert.ok(
    docs('configuration.md').includes(referenceTable(jsonSchema())),
    'paste the output of ./sluice schema --table',
  );
});

test('every setting says what it does', () => {
  const silent = referenceTable(jsonSchema())
    .split('\n')
    .filter((row) => row.endsWith('|  |'));
  assert.deepEqual(silent, []);
});

test('every whole example of docs/configuration.md is accepted', () => {
  const examples = [...docs('configuration.md').matchAll(/```yaml\n(.*?)```/gs)].map(
    ([, text]) => text ?? '',
  );
  const whole = examples.filter((text) => text.includes('upstream:'));
  assert.ok(whole.length > 0);
  for (const text of whole) {
    const result = parseConfig(text, 'docs/configuration.md');
    assert.equal(
      result.kind,
      'loaded',
      result.kind === 'invalid' ? result.problems.map(formatProblem).join('\n') : '',
    );
  }
});

test('a schema editors understand: examples and defaults are as they are written, not as they are read', () => {
  assert.partialDeepStrictEqual(jsonSchema(), {
    properties: {
      timeouts: { properties: { head: { default: '10s', examples: ['60s'] } } },
      preflight: { properties: { threshold: { default: '1MiB' } } },
    },
  });
});
