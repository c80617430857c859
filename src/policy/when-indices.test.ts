import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deny, type PolicyChange, policy, setOf, subject } from '../../test/support/policies.ts';
import type { Principal } from './principal.ts';
import { loadWhen } from './when.ts';

const when = await loadWhen();
const own = 'covers([request.principal.claims.team + "-*"])';

function token(claims: Record<string, unknown>): Principal {
  return { kind: 'token', name: 'loader', verified: true, issuer: 'https://id.example', claims };
}

/** `allow` or `deny`, of a set of one policy. */
async function verdict(change: PolicyChange, line: string, claims: Record<string, unknown>): Promise<string> {
  const set = await setOf([policy('p', change)]);
  return set.decide(subject(line, { principals: [token(claims)] })).kind;
}

test('indices tied to a claim let in what is covered, and nothing that a body or a query may add', async () => {
  for (const line of [
    'GET /a-1/_search',
    'GET /a-1,a-2*/_count',
    'PUT /a-1/_doc/1',
    'GET /%3Ca-%7Bnow%2Fd%7D%3E/_search',
  ]) {
    assert.equal(await verdict({ when: own }, line, { team: 'a' }), 'allow', line);
  }
  for (const line of [
    'GET /_search',
    'GET /_all/_search',
    'GET /*/_search',
    'GET /b-1/_search',
    'GET /a-1,b-1/_search',
    'GET /*-1/_search',
    'GET /*,-b*/_search',
    'GET /far:a-1/_search',
    'GET /a-1/_search?index=b-1',
    'GET /%3C%7Bnow%2Fd%7D%3E/_search',
    // Bodies that can name others.
    'POST /_bulk',
    'POST /a-1/_bulk',
    'POST /a-1/_msearch',
    'POST /_reindex',
    // Not about indices, or nobody knows.
    'GET /_cluster/health',
    'GET /a-1/_made_up',
  ]) {
    assert.equal(await verdict({ when: own }, line, { team: 'a' }), 'deny', line);
  }
});

test('bodies are trusted as beside match.indices', async () => {
  const trusting: PolicyChange = { when: own, bodyIndices: 'trust' };
  assert.equal(await verdict(trusting, 'POST /a-1/_bulk', { team: 'a' }), 'allow');
  assert.equal(await verdict(trusting, 'POST /b-1/_bulk', { team: 'a' }), 'deny');
  assert.equal(await verdict(trusting, 'POST /_reindex', { team: 'a' }), 'deny');
  const named = { ...trusting, match: { endpoints: ['reindex'] } };
  assert.equal(await verdict(named, 'POST /_reindex', { team: 'a' }), 'allow');
});

test('a claim is never more than a part of a name', async () => {
  const hostile = [
    '*',
    '',
    'b-*',
    'a,b',
    '*,a',
    '<a>',
    'far:a',
    '-a',
    '.',
    '_all',
    'a b',
    'a\u0000',
    'ä',
    'a/b',
    'a::data',
  ];
  const lines = [
    'GET /b-1/_search',
    'GET /*/_search',
    'GET /_search',
    'GET /.hidden/_search',
    'GET /far:a-1/_search',
  ];
  for (const team of [...hostile, null, 1, true, ['b'], { b: 'b' }]) {
    for (const line of lines) {
      assert.equal(await verdict({ when: own }, line, { team }), 'deny', `${JSON.stringify(team)} ${line}`);
    }
    const set = await setOf([
      deny('d', { when: 'touches([request.principal.claims.team + "-*"])' }),
      policy('rest', { match: { groups: ['read'] } }),
    ]);
    // Who can't be told what is denied is denied.
    const { policy: by } = set.decide(subject('GET /x/_search', { principals: [token({ team })] }));
    assert.equal(by?.name, 'd', JSON.stringify(team));
  }
  assert.equal(await verdict({ when: own }, 'GET /b-1/_search', {}), 'deny');
});

test('what denies by touches catches whatever may be touched', async () => {
  const set = await setOf([
    deny('hidden', { when: 'touches([".*", "*secret*"])' }),
    policy('rest', { match: { groups: ['read', 'write', 'monitor', 'unknown'] } }),
  ]);
  const decidedBy = (line: string) => set.decide(subject(line)).policy?.name;
  for (const line of [
    'GET /.security/_search',
    'GET /my-secrets/_search',
    'GET /_search',
    'GET /s*t/_search',
    'GET /m*/_search',
    'GET /%3C%7Bnow%2Fd%7D%3E/_search',
    'GET /%3Cmy-s%7Bnow%2Fd%7D%3E/_search',
    'POST /_bulk',
    'POST /logs/_bulk',
    'GET /logs/_search?index=secret',
    'GET /logs/_made_up',
  ]) {
    assert.equal(decidedBy(line), 'hidden', line);
  }
  for (const line of ['GET /logs/_search', 'GET /', 'PUT /logs-1/_doc/1']) {
    assert.equal(decidedBy(line), 'rest', line);
  }
});

test('patterns are written down, and wrong ones are refused with their place', () => {
  for (const [source, wrong, column] of [
    ['covers("logs-*")', /not a list of patterns/, 8],
    ['covers([])', /not a list of patterns/, 8],
    ['covers(request.indices)', /not a list of patterns/, undefined],
    ['covers(["a,b"])', /no pattern of indices: it holds a comma/, 9],
    ['covers(["a", "-" + request.principal.name])', /no pattern of indices: it is an exclusion/, 14],
    ['touches(["<a>"])', /date math/, 10],
    ['covers(["a" + 1])', /not a string but int/, 15],
    ['covers([request.length])', /not a string but int/, undefined],
    ['covers(["a"], ["b"])', /./, undefined],
  ] as const) {
    const problem = when.check(source);
    assert.match(problem?.wrong ?? 'accepted', wrong, source);
    if (column !== undefined) assert.equal(problem?.column, column, source);
    assert.notEqual(problem?.fix, '');
  }
  assert.deepEqual([...when.reads(own)].sort(), ['claims', 'principal', 'reach']);
  assert.deepEqual([...when.reads('covers(["logs-*"])')], ['reach']);
});

test('what can be computed is a part of a name whatever it is made of', async () => {
  const bound = 'cel.bind(own, header("x-team"), covers([own + "-*"]))';
  const set = await setOf([policy('p', { when: bound })]);
  const asked = (line: string, team: string) =>
    set.decide(subject(line, { fields: [`X-Team: ${team}`] })).kind;
  assert.equal(asked('GET /a-1/_search', 'a'), 'allow');
  assert.equal(asked('GET /a-1/_search', '*'), 'deny');
  assert.equal(asked('GET /a-1/_search', 'a-*'), 'deny');
  const chosen = await setOf([policy('p', { when: 'covers([(request.chunked ? "*" : "*") + "-1"])' })]);
  assert.equal(chosen.decide(subject('GET /a-1/_search')).kind, 'deny');
});

test('a request of more indices than an expression may see is covered by none', async () => {
  const names = Array.from({ length: 300 }, (_, at) => `a-${at}`).join();
  assert.equal(await verdict({ when: own }, `GET /${names}/_search`, { team: 'a' }), 'deny');
  assert.equal(await verdict({ when: own }, `GET /${names.slice(0, 600)}/_search`, { team: 'a' }), 'allow');
});
