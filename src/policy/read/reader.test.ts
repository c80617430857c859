import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { patience } from '../../../test/support/deadline.ts';
import { noLimits, noMatch } from '../../../test/support/policies.ts';
import { policyContext } from '../../../test/support/policy-context.ts';
import { formatProblem } from '../../config/load.ts';
import type { PolicyDocument } from '../document.ts';
import { type ReadOutcome, readPolicies } from './reader.ts';

const fixtures = new URL('fixtures/', import.meta.url);
const context = await policyContext();
const everything = readFileSync(new URL('good.everything.yaml', fixtures), 'utf8');

const read = (...texts: readonly string[]): ReadOutcome =>
  readPolicies(
    texts.map((text, index) => ({ name: `${index + 1}.yaml`, text })),
    context,
  );

function accepted(outcome: ReadOutcome) {
  if (outcome.kind === 'invalid') assert.fail(outcome.problems.map(formatProblem).join('\n'));
  return outcome;
}

function problems(outcome: ReadOutcome): readonly string[] {
  assert.equal(outcome.kind, 'invalid');
  return outcome.kind === 'invalid' ? outcome.problems.map(formatProblem) : [];
}

const policy = (name: string, spec = '{action: deny}') =>
  `apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

for (const name of readdirSync(fixtures).filter((one) => one.startsWith('bad.'))) {
  test(`${name} is refused at its place, with its fix`, () => {
    const text = readFileSync(new URL(name, fixtures), 'utf8');
    const expected = [...text.matchAll(/^# problem: (.*)$/gm)].map(([, problem]) => problem);
    assert.ok(expected.length > 0, 'the fixture says what is expected');
    const told = problems(readPolicies([{ name: 'f', text }], context));
    assert.deepEqual(
      told.map((problem) => problem.replaceAll('f:', '')),
      expected,
    );
  });
}

const none = { bodyIndices: 'refuse', cluster: undefined, when: undefined } as const;
const unchanged = { set: [], remove: [] };
const kept: readonly PolicyDocument[] = [
  {
    ...none,
    name: 'least',
    order: 0,
    origin: { source: '1.yaml', line: 95, column: 18 },
    match: noMatch,
    action: { kind: 'allow' },
    limits: {
      ...noLimits,
      requestBandwidth: { rate: 1, burst: 65_536 },
      requestRate: { rate: 1.5, burst: 2 },
    },
    headers: unchanged,
  },
  {
    ...none,
    name: 'b',
    order: 7,
    origin: { source: '1.yaml', line: 83, column: 78 },
    match: noMatch,
    action: { kind: 'deny', status: 403, reason: 'Denied by policy b.' },
    limits: noLimits,
    headers: unchanged,
  },
  {
    name: 'everything.is-given',
    order: 7,
    origin: { source: '1.yaml', line: 7, column: 9 },
    match: {
      methods: ['POST', 'PUT'],
      endpoints: ['bulk', 'indices.*'],
      groups: ['write', 'cluster-admin'],
      effects: [],
      indices: ['logs-a-*', 'far:logs-*'],
      paths: ['/', '/_plugins/**', '/a/*/c', '/ü'],
      sources: ['10.1.0.0/16', '2001:db8::/32', '10.2.3.4', '::/0'],
      headers: [
        { name: 'x-team', values: ['a', 'b-*'] },
        { name: 'authorization', values: [] },
      ],
      query: [],
      principals: [
        { kind: 'user', verified: true, names: ['*'] },
        { kind: 'user', verified: false, names: ['no', 'zoë'] },
        { kind: 'api-key', verified: true, names: ['id'] },
        { kind: 'api-key', verified: false, names: ['id'] },
        {
          kind: 'token',
          verified: true,
          issuer: 'https://login.example',
          subjects: ['svc-*'],
          claims: { team: ['a'], constructor: ['x'] },
        },
        { kind: 'token', verified: true, issuer: undefined, subjects: ['*'], claims: {} },
      ],
      contentTypes: ['application/x-ndjson'],
      length: { atLeast: 1024, atMost: 200_000_000, declared: false },
      times: [
        { days: [1, 0], from: 480, to: 1110, zone: 'Europe/Berlin' },
        { days: [], from: 1320, to: 360, zone: 'UTC' },
        { days: [], from: 0, to: 1440, zone: 'UTC' },
      ],
    },
    when: 'request.headers["x-team"] == "a"',
    action: { kind: 'allow' },
    bodyIndices: 'trust',
    cluster: 'hot',
    limits: {
      bodyBytes: 200_000_000,
      requestBandwidth: { rate: 50_000_000, burst: 1_048_576 },
      responseBandwidth: { rate: 100_000, burst: 65_536 },
      streams: 8,
      requestRate: { rate: 0.5, burst: 5 },
      queue: { depth: 16, wait: 5000 },
    },
    headers: {
      set: [
        { name: 'X-Team', value: { kind: 'text', text: 'team a' } },
        { name: 'Authorization', value: { kind: 'file', file: 'hot/credentials' } },
        { name: 'X-Key', value: { kind: 'env', variable: 'SLUICE_SECRET_HOT' } },
      ],
      remove: ['x-foo', 'authorization'],
    },
  },
  {
    ...none,
    name: 'audited',
    order: 1000,
    origin: { source: '1.yaml', line: 87, column: 18 },
    match: { ...noMatch, groups: ['write'] },
    action: { kind: 'audit', status: 429, reason: 'Too much.' },
    limits: noLimits,
    headers: unchanged,
  },
];

test('documents are read whole, with every default, by order and then by name', () => {
  assert.deepEqual(accepted(read(everything)).policies, kept);
});

test('tests of policies are read beside them', () => {
  const [document, ...others] = accepted(read(everything)).tests;
  assert.deepEqual(others, []);
  assert.deepEqual(document, {
    name: 'everything.is-given',
    origin: { source: '1.yaml', line: 62, column: 18 },
    tests: [
      {
        name: 'all of it',
        origin: { source: '1.yaml', line: 65, column: 7 },
        request: {
          method: 'POST',
          target: '/logs-a/_bulk?refresh=true',
          headers: [
            { name: 'X-Team', value: 'a' },
            { name: 'constructor', value: 'b' },
          ],
          source: '2001:db8::1',
          length: 1_000_000,
          principals: [
            { kind: 'user', name: 'alice', verified: true, issuer: undefined, claims: undefined },
            { kind: 'user', name: 'bob', verified: false, issuer: undefined, claims: undefined },
            { kind: 'api-key', name: 'id', verified: true, issuer: undefined, claims: undefined },
            { kind: 'api-key', name: 'id', verified: false, issuer: undefined, claims: undefined },
            {
              kind: 'token',
              name: 'svc-a',
              verified: true,
              issuer: 'https://login.example',
              claims: { team: ['a'], admin: true },
            },
          ],
          time: Date.UTC(2026, 10, 23, 9),
        },
        expect: {
          verdict: 'allow',
          policy: 'everything.is-given',
          status: undefined,
          cluster: 'hot',
          audited: ['b'],
        },
      },
      {
        name: 'GET /',
        origin: { source: '1.yaml', line: 80, column: 7 },
        request: {
          method: 'GET',
          target: '/',
          headers: [],
          source: '127.0.0.1',
          length: 'chunked',
          principals: [],
          time: undefined,
        },
        expect: { verdict: 'deny', policy: 'default', status: 403, cluster: undefined, audited: undefined },
      },
    ],
  });
});

test('what is read survives JSON, but for what is undefined, which is then not there', () => {
  const { policies } = accepted(read(everything));
  const revived: unknown = JSON.parse(JSON.stringify(policies), (_key, value: unknown) =>
    value === null ? Number.POSITIVE_INFINITY : value,
  );
  assert.deepEqual(revived, withoutUndefined(policies));
});

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null) return value;
  const given = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(given.map(([key, one]) => [key, withoutUndefined(one)]));
}

test('no texts, and texts that hold nothing, are a set without policies', () => {
  assert.deepEqual(read(), { kind: 'read', policies: [], tests: [] });
  assert.deepEqual(read('', '# nothing\n', '---\n---\n'), { kind: 'read', policies: [], tests: [] });
});

test('everything that is wrong with all texts is told at once', () => {
  assert.deepEqual(problems(read(policy('A'), 'a: [', policy('b'), 'x'.repeat(2 ** 20 + 1), policy('b'))), [
    '1.yaml:3:18: metadata.name: "A" is not a name; write lower-case letters, digits, - and ., e.g. team-a-writes',
    '2.yaml:1:5: Flow sequence in block collection must be sufficiently indented and end with a ]; check the indentation there, and quote values that begin with [ { * & ! % @ or hold ": "',
    '4.yaml: is longer than 1 MiB; split it',
    '5.yaml:3:18: metadata.name: the Policy at 3.yaml:3:18 has the same name; rename one of the two',
  ]);
});

test('a set of ten thousand policies is read, one of more refused', { timeout: patience }, () => {
  const texts = Array.from({ length: 10 }, (_, text) =>
    Array.from({ length: 1000 }, (_, index) => policy(`p-${text}-${index}`)).join('---\n'),
  );
  assert.equal(accepted(read(...texts)).policies.length, 10_000);
  assert.deepEqual(problems(read(...texts, `${policy('one')}---\n${policy('two')}`)), [
    '11.yaml:1:1: there are more than 10000 documents; use fewer',
  ]);
});

test('ten thousand mistakes are counted, and the first of them told', { timeout: patience }, () => {
  const methods = Array(1000).fill('FTECH').join(', ');
  const spec = `{action: deny, match: {methods: [${methods}]}}`;
  const told = problems(read(...Array.from({ length: 10 }, (_, at) => policy(`p${at}`, spec))));
  assert.equal(told.length, 201);
  assert.equal(told.at(-1), 'policies: 9800 more problems are not shown; mend these first');
});

test('the value of a header is in no message, whatever is wrong with it', () => {
  for (const value of [
    '"hunter2\\n"',
    '[hunter2]',
    '{hunter2: 1}',
    '"h\\u00fcnter2 hunter2"',
    '" hunter2"',
    '0xhunter2 ',
  ]) {
    for (const name of ['X-A', 'Authorization', 'Host']) {
      const outcome = read(
        policy('a', `{action: allow, headers: {set: [{name: ${name}, value: ${value}}]}}`),
      );
      if (outcome.kind === 'invalid') assert.doesNotMatch(problems(outcome).join('\n'), /hunter2/);
      else assert.equal(name, 'X-A');
    }
  }
});

test('a message is one line of what can be seen, whatever the document holds', () => {
  const told = problems(
    read(
      `${policy('a')}"x\\ny\\u202e": 1\n`,
      '{"apiVersion": "a\\nb"}',
      policy('a', '{action: "a\\u2028b"}'),
    ),
  );
  assert.equal(told.length, 4);
  for (const problem of told) assert.doesNotMatch(problem, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
});

test('whatever is cut out of a set, doubled or put into it, it is read or refused in words', {
  timeout: patience,
}, () => {
  const splice = fc.record({
    at: fc.nat(everything.length),
    length: fc.nat(40),
    text: fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom(
        '[',
        '{',
        '- ',
        ': ',
        '"',
        "'",
        '&a ',
        '*a',
        '---\n',
        '__proto__: ',
        'null',
        '-1',
        '1e999',
        '.nan',
      ),
    ),
  });
  fc.assert(
    fc.property(fc.array(splice, { minLength: 1, maxLength: 4 }), (splices) => {
      const text = splices.reduce(
        (before, { at, length, text }) => before.slice(0, at) + text + before.slice(at + length),
        everything,
      );
      const outcome = read(text);
      if (outcome.kind === 'read') return;
      assert.ok(outcome.problems.length > 0 && outcome.problems.length <= 201);
      for (const { where, wrong, fix } of outcome.problems) {
        assert.match(where, /^1\.yaml:\d+:\d+$/);
        assert.ok(
          wrong !== '' && fix !== '' && !wrong.includes('undefined') && !fix.includes('undefined'),
          wrong,
        );
      }
    }),
    { numRuns: 500 },
  );
});

const listing = (name: string, count: number, from = 0): string =>
  policy(
    name,
    `{action: deny, match: {indices: [${Array.from({ length: count }, (_, at) => `x${from + at}`).join(',')}]}}`,
  );

test('a list of more than 1,000 items is refused, and no item of it looked at', () => {
  const { policies } = accepted(read(listing('a', 1000)));
  assert.equal(policies[0]?.match.indices[999], 'x999');
  const bad = policy('b', `{action: deny, match: {endpoints: [${'serch,'.repeat(1001)}]}}`);
  assert.deepEqual(problems(read(listing('a', 1001), bad)), [
    '1.yaml:4:39: spec.match.indices: lists 1001 items, and a list may have 1000; write wildcards or wider blocks, or split it over several policies',
    '2.yaml:4:41: spec.match.endpoints: lists 1001 items, and a list may have 1000; write wildcards or wider blocks, or split it over several policies',
  ]);
});

test('lists within lists are bounded, too', () => {
  const users = Array.from({ length: 1001 }, (_, at) => `u${at}`).join(',');
  const [first] = problems(read(policy('a', `{action: deny, match: {principals: [{users: [${users}]}]}}`)));
  assert.match(first ?? '', /^1\.yaml:4:51: spec\.match\.principals\[0\]\.users: lists 1001 items/);
});

test('a set of more than 100,000 items is refused where it becomes too large', () => {
  const hundred = Array.from({ length: 100 }, (_, at) => listing(`p${at}`, 1000, at));
  accepted(read(...hundred));
  assert.deepEqual(problems(read(...hundred, listing('more', 1), listing('again', 1), 'kind: [')), [
    '101.yaml:1:1: spec: with this one, the lists of all policies have more than 100000 items; write wildcards or wider blocks instead of single names',
  ]);
});

test('a hundred thousand mistyped endpoints are told within seconds', { timeout: 60_000 }, () => {
  const names = Array.from({ length: 1000 }, (_, at) => `indices.gte_setings${at}`).join(',');
  const texts = Array.from({ length: 100 }, (_, at) =>
    policy(`p${at}`, `{action: deny, match: {endpoints: [${names}]}}`),
  );
  const told = problems(read(...texts));
  assert.match(told[0] ?? '', /did you mean indices\./);
  assert.match(told.at(-1) ?? '', /99800 more problems are not shown/);
});
