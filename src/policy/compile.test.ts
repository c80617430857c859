import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import {
  type Asked,
  audit,
  deny,
  type PolicyChange,
  policy,
  setOf,
  subject,
  user,
} from '../../test/support/policies.ts';
import { compileConditions } from './conditions.ts';
import type { EndpointGroup, Match, PolicyDocument } from './document.ts';

/** `allow NAME` or `deny NAME`, with what was audited. */
async function decided(
  documents: readonly PolicyDocument[],
  line: string,
  asked: Asked = {},
): Promise<string> {
  const set = await setOf(documents);
  const { kind, policy: by, audited } = set.decide(subject(line, asked));
  return [`${kind} ${by?.name ?? 'default'}`, ...audited.map(({ name }) => `audited ${name}`)].join(', ');
}

/** Whether one policy lets it in where nothing else does. */
async function letsIn(change: PolicyChange, line: string, asked: Asked = {}): Promise<boolean> {
  return (await decided([policy('p', change)], line, asked)) === 'allow p';
}

test('the first policy that matches decides, and the default where none does', async () => {
  const set = [
    policy('reads', { match: { groups: ['read'] } }),
    deny('no-deletes', { match: { methods: ['DELETE'] } }),
    policy('rest', { match: { groups: ['read', 'write', 'manage'] } }),
  ];
  assert.equal(await decided(set, 'GET /logs/_search'), 'allow reads');
  assert.equal(await decided(set, 'DELETE /logs'), 'deny no-deletes');
  assert.equal(await decided(set, 'PUT /logs/_doc/1'), 'allow rest');
  assert.equal(await decided(set, 'PUT /_cluster/settings'), 'deny default');
  const open = await setOf(set, { fallback: 'allow' });
  assert.equal(open.decide(subject('PUT /_cluster/settings')).kind, 'allow');
});

test('an audit lets nothing in and keeps nothing out: what follows decides', async () => {
  const set = [
    audit('would-deny', { match: { groups: ['manage'] } }),
    policy('all', { match: { groups: ['manage'] } }),
  ];
  assert.equal(await decided(set, 'DELETE /logs'), 'allow all, audited would-deny');
  assert.equal(await decided(set.slice(0, 1), 'DELETE /logs'), 'deny default, audited would-deny');
  assert.equal(await decided(set, 'GET /logs/_search'), 'deny default');
});

test('a policy on indices lets in only what it covers whole', async () => {
  const logs: PolicyChange = { match: { indices: ['logs-a-*'] } };
  for (const line of [
    'GET /logs-a-1/_search',
    'GET /logs-a-*,logs-a-2/_count',
    'PUT /logs-a-1/_doc/7',
    'PUT /logs-a-1/type/1',
  ]) {
    assert.equal(await letsIn(logs, line), true, line);
  }
  for (const line of [
    'GET /_search',
    'GET /*/_search',
    'GET /_all/_search',
    'GET /logs-a-1,secret/_search',
    'GET /logs-*/_search',
    'GET /logs-a-1/_search?index=secret',
    'GET /remote:logs-a-1/_search',
    // Not about indices, so not covered by a policy that is.
    'GET /_cluster/settings',
    'PUT /_cluster/settings',
    'GET /_nodes',
    // No table lists it.
    'POST /logs-a-1/_frobnicate',
  ]) {
    assert.equal(await letsIn(logs, line), false, line);
  }
});

test('where the body can name indices, a policy on indices lets nothing in unless it trusts the body', async () => {
  const logs: PolicyChange = { match: { indices: ['logs-a-*'] } };
  const trusting: PolicyChange = { ...logs, bodyIndices: 'trust' };
  for (const line of ['POST /logs-a-1/_bulk', 'POST /logs-a-1/_msearch', 'POST /_bulk', 'POST /_mget']) {
    assert.equal(await letsIn(logs, line), false, line);
  }
  for (const line of ['POST /logs-a-1/_bulk', 'POST /logs-a-1/_msearch', 'POST /_bulk']) {
    assert.equal(await letsIn(trusting, line), true, line);
  }
  // What names no index here reads all of them, whatever the body says.
  assert.equal(await letsIn(trusting, 'POST /_msearch'), false);
  assert.equal(await letsIn(trusting, 'POST /secret/_bulk'), false);
});

test('what no server holds to the URL is trusted only where the policy names it', async () => {
  const trusting = (...endpoints: string[]): PolicyChange => ({
    match: { indices: ['logs-a-*'], groups: ['read', 'write', 'manage', 'monitor'], endpoints },
    bodyIndices: 'trust',
  });
  const lines = [
    ['POST /_reindex', 'reindex'],
    ['POST /_sql', 'sql.query'],
    ['POST /logs-a-1/_mtermvectors', 'mtermvectors'],
    ['PUT /logs-a-1', 'indices.create'],
    ['POST /_aliases', 'indices.update_aliases'],
    ['GET /_cluster/state/_all/logs-a-1', 'cluster.state'],
  ] as const;
  for (const [line, endpoint] of lines) {
    assert.equal(await letsIn(trusting(), line), false, line);
    assert.equal(await letsIn(trusting('*'), line), false, line);
    assert.equal(await letsIn(trusting(endpoint), line), true, line);
  }
});

test('a header that the client takes away again lets nobody in, and catches', async () => {
  const match = { headers: [{ name: 'x-env', values: ['prod'] }] };
  const asked = { fields: ['X-Env: prod', 'Connection: x-env'] };
  assert.equal(await letsIn({ match }, 'GET /logs/_search', asked), false);
  assert.equal(await decided([deny('d', { match }), policy('rest')], 'GET /logs/_search', asked), 'deny d');
  const when = '"x-env" in request.headers';
  assert.equal(await letsIn({ when }, 'GET /logs/_search', asked), false);
});

test('a header that only reads as another is caught where that is, and lets nobody in for it', async () => {
  const line = 'GET /logs/_search';
  const alike = { fields: ['X_Debug: on'] };
  const both = { fields: ['X_Debug: on', 'X_Other: on'] };
  for (const change of [
    { match: { headers: [{ name: 'x-debug', values: [] }] } },
    { match: { headers: [{ name: 'x-debug', values: ['on'] }] } },
    { match: { headers: [{ name: 'x_debug', values: ['on'] }] } },
    { when: '"x-debug" in request.headers' },
    { when: '"x-debug" in request.headers && request.headers["x-debug"] == "on"' },
    // Servers may read it or not.
    { when: '!("x-debug" in request.headers)' },
  ]) {
    const name = JSON.stringify(change);
    assert.equal(await decided([deny('d', change), policy('rest')], line, alike), 'deny d', name);
    assert.equal(await decided([deny('d', change), policy('rest')], line, both), 'deny d', name);
    if (name.includes('x_debug')) continue;
    assert.equal(await letsIn(change, line, alike), false, name);
  }
  const debug = { match: { headers: [{ name: 'x-debug', values: [] }] } };
  assert.equal(
    await decided([deny('d', debug), policy('rest')], line, { fields: ['X_Debugs: on'] }),
    'allow rest',
  );
  assert.equal(await letsIn(debug, line, { fields: ['X-Debug: on', 'X_Other: on'] }), true);
});

test('a deny by path catches whatever a server may expand to it, wherever it stands', async () => {
  const catches = async (path: string, line: string): Promise<boolean> =>
    (await decided(
      [
        deny('d', { match: { paths: [path] } }),
        policy('rest', {
          match: { groups: ['read', 'write', 'monitor', 'manage', 'cluster-admin', 'unknown'] },
        }),
      ],
      line,
    )) === 'deny d';
  for (const name of [
    'vault',
    'vau*',
    '*',
    '*t',
    'v*t',
    'other,vault',
    'other,v*',
    '_all',
    '-other',
    '%3Cvault%3E',
    'v%2A',
  ]) {
    for (const [path, line] of [
      ['/_snapshot/vault', `DELETE /_snapshot/${name}`],
      ['/_snapshot/vault/*', `DELETE /_snapshot/${name}/snap-1`],
      ['/_ingest/pipeline/vault', `DELETE /_ingest/pipeline/${name}`],
      ['/_ingest/**/vault', `GET /_ingest/pipeline/${name}`],
      ['/vault/_search', `GET /${name}/_search`],
      ['/_nobody/knows/va*', `GET /_nobody/knows/${name}`],
    ] as const) {
      assert.equal(await catches(path, line), true, `${path}: ${line}`);
    }
  }
  for (const name of ['vaults', 'vaulted*', 'other', 'other,others', 'x*', '*s']) {
    assert.equal(await catches('/_snapshot/vault', `DELETE /_snapshot/${name}`), false, name);
  }
  // What a URL leaves out means all.
  for (const [path, line] of [
    ['/_snapshot/vault', 'GET /_snapshot'],
    ['/_snapshot/vault', 'HEAD /_snapshot'],
    ['/_ingest/pipeline/vault', 'GET /_ingest/pipeline'],
    ['/_index_template/va*', 'GET /_index_template'],
    ['/vault/_search', 'GET /_search'],
    ['/_cat/indices/vault', 'GET /_cat/indices'],
    ['/vault/_bulk', 'POST /_bulk'],
    ['/_plugins/_security/**', 'GET /_opendistro/_security/api/internalusers'],
  ] as const) {
    assert.equal(await catches(path, line), true, `${path}: ${line}`);
  }
  for (const [path, line] of [
    ['/_bulk', 'POST /logs/_bulk'],
    ['/logs/_doc/7', 'POST /logs/_doc'],
    ['/_snapshot/vault', 'GET /_snapshot/_status'],
    ['/vault/_search', 'GET /logs/_search'],
  ] as const) {
    assert.equal(await catches(path, line), false, `${path}: ${line}`);
  }
});

test('an allow by path covers all that a list or a wildcard stands for', async () => {
  const team: PolicyChange = { match: { paths: ['/_snapshot/team-*'] } };
  for (const name of ['team-a', 'team-*', 'team-a,team-b', 'team-a*,team-b']) {
    assert.equal(await letsIn(team, `DELETE /_snapshot/${name}`), true, name);
  }
  for (const name of [
    'team-a,vault',
    'team-*,vault',
    'team-a,*',
    'team-a,v*',
    '*',
    '_all',
    'team-a,-vault',
    '-team-a',
    'te*',
  ]) {
    assert.equal(await letsIn(team, `DELETE /_snapshot/${name}`), false, name);
  }
  const listed: PolicyChange = { match: { paths: ['/a,b*/_search'] } };
  for (const name of ['a,b', 'a,b1', 'b*,a'])
    assert.equal(await letsIn(listed, `GET /${name}/_search`), true, name);
  for (const name of ['a,secret', 'a,b,secret'])
    assert.equal(await letsIn(listed, `GET /${name}/_search`), false, name);
  assert.equal(await letsIn({ match: { paths: ['/_all/_search'] } }, 'GET /_all/_search'), true);
  assert.equal(await letsIn({ match: { paths: ['/*/_search'] } }, 'GET /a,*,-b/_search'), true);
  assert.equal(await letsIn({ match: { paths: ['/**'] } }, 'GET /a,*,-b/_search'), true);
});

test('a long list in a path is judged in bounded time, on the safe side', async () => {
  const list = Array.from({ length: 500 }, (_, at) => `a*${at}*b`).join(',');
  const paths = Array.from({ length: 1000 }, (_, at) => `/_nobody/${at}-*`);
  const line = `GET /_nobody/${list}`;
  const rest = policy('rest', { match: { groups: ['unknown'] } });
  const asked = subject(line);
  const set = await setOf([
    ...Array.from({ length: 50 }, (_, at) => deny(`d${at}`, { match: { paths } })),
    rest,
  ]);
  const started = process.cpuUsage();
  for (let time = 0; time < 20; time++) assert.equal(set.decide(asked).kind, 'deny');
  const { user: spent } = process.cpuUsage(started);
  assert.ok(spent < 20 * 50_000, `${spent} µs for 20 decisions`);
  const own = policy('own', { match: { paths: ['/_nobody/a*'] } });
  assert.equal(await decided([own], line), 'allow own');
  assert.equal(await decided([own], `GET /_nobody/${Array(600).fill('a').join(',')}`), 'deny default');
});

/** Bytes of the heap that are in use, once what is not has been collected. */
function heldMemory(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

test('methods that nobody knows fill no memory', async () => {
  const set = await setOf([policy('p', { match: { methods: ['GET'] } })]);
  const ask = (from: number): void => {
    for (let method = from; method < from + 5000; method++) {
      assert.equal(set.decide(subject(`M${method}${'X'.repeat(2000)} /logs/_search`)).kind, 'deny');
    }
  };
  ask(0);
  const before = heldMemory();
  ask(5000);
  // Ten megabytes, were they kept.
  assert.ok(heldMemory() - before < 3 * 2 ** 20);
});

test('a target that is asked for again and again keeps no set alive but the last', async () => {
  const documents = Array.from({ length: 500 }, (_, team) =>
    policy(`team-${team}`, { match: { indices: [`logs-${team}-*`] } }),
  );
  const swap = async (round: number): Promise<void> => {
    const set = await setOf(documents);
    for (let time = 0; time < 5; time++) set.decide(subject(`GET /swapped-${round}/_search`));
  };
  for (let round = 0; round < 10; round++) await swap(round);
  const before = heldMemory();
  for (let round = 10; round < 60; round++) await swap(round);
  // A set of these is more than half a megabyte.
  assert.ok(heldMemory() - before < 3 * 2 ** 20);
});

test('who is refused for the body alone is told the way out', async () => {
  const set = await setOf([policy('logs', { match: { indices: ['logs-*'] } })]);
  const told = (line: string): string => {
    const verdict = set.decide(subject(line));
    return verdict.kind === 'deny' ? verdict.reason : '';
  };
  assert.match(told('POST /logs-1/_bulk'), /body of bulk .* rest\.action\.multi\.allow_explicit_index/);
  assert.equal(told('POST /secret/_bulk'), 'No policy allows this request.');
});

test('a policy that denies indices catches whatever may touch them', async () => {
  const secret = deny('secret', { match: { indices: ['secret-*'] } });
  const rest = policy('rest', { match: { groups: ['read', 'write', 'monitor', 'manage'] } });
  const catches = async (line: string) => (await decided([secret, rest], line)) === 'deny secret';
  for (const line of [
    'GET /secret-1/_search',
    'GET /logs,secret-1/_search',
    'GET /_search',
    'GET /s*/_search',
    'GET /logs/_search?index=secret-1',
    'POST /logs/_bulk',
    'POST /_sql',
  ]) {
    assert.equal(await catches(line), true, line);
  }
  for (const line of ['GET /logs/_search', 'GET /l*/_search', 'GET /_nodes/stats']) {
    assert.equal(await catches(line), false, line);
  }
});

test('what no table lists may be whatever a deny names by endpoint, group or effect', async () => {
  const rest = policy('rest', { match: { groups: ['read', 'write', 'manage', 'unknown'] } });
  const paths = policy('paths', { match: { paths: ['/**'] } });
  for (const match of [
    { endpoints: ['indices.delete'] },
    { groups: ['manage'] },
    { effects: ['delete-index'] },
    { endpoints: ['indices.delete'], indices: ['secret'] },
    { groups: ['manage'], paths: ['/_frobnicate/**'] },
    { endpoints: ['indices.delete'], methods: ['DELETE'] },
  ] as const) {
    for (const last of [rest, paths]) {
      const line = 'DELETE /_frobnicate/secret';
      assert.equal(await decided([deny('d', { match }), last], line), 'deny d', JSON.stringify(match));
      assert.equal(await decided([audit('d', { match }), last], line), `allow ${last.name}, audited d`);
      const open = await setOf([deny('d', { match })], { fallback: 'allow' });
      assert.equal(open.decide(subject(line)).kind, 'deny');
    }
  }
  // What else is asked for must hold.
  const narrow = deny('d', { match: { endpoints: ['indices.delete'], methods: ['DELETE'] } });
  assert.equal(await decided([narrow, rest], 'POST /_frobnicate/secret'), 'allow rest');
  // The way out: an allow before it.
  const plugin = policy('plugin', { match: { paths: ['/_frobnicate/**'] } });
  assert.equal(
    await decided([plugin, deny('d', { match: { groups: ['manage'] } })], 'DELETE /_frobnicate/x'),
    'allow plugin',
  );
});

test('a deny by effect catches every endpoint that may have it, whatever it is called', async () => {
  const keep = deny('keep', { match: { effects: ['delete-index'] } });
  const rest = policy('rest', { match: { groups: ['read', 'write', 'manage', 'cluster-admin', 'monitor'] } });
  for (const line of [
    'DELETE /secret',
    'POST /_aliases',
    'DELETE /_data_stream/secret',
    'DELETE /_transform/t?delete_dest_index=true',
    'PUT /_ilm/policy/p',
    'PUT /_plugins/_ism/policies/p',
    'PUT /secret/_settings',
    'PUT /_cluster/settings',
    'POST /_snapshot/r/s/_restore',
    'POST /_features/_reset',
    'PUT /_watcher/watch/w',
  ]) {
    assert.equal(await decided([keep, rest], line), 'deny keep', line);
    // Whose index it is, the head of most does not say.
    const secret = deny('keep', { match: { effects: ['delete-index'], indices: ['secret'] } });
    assert.equal(await decided([secret, rest], line), 'deny keep', line);
  }
  for (const line of ['PUT /secret', 'POST /secret/_doc', 'GET /secret/_search', 'POST /secret/_refresh']) {
    assert.equal(await decided([keep, rest], line), 'allow rest', line);
  }
  const others = deny('keep', { match: { effects: ['delete-index'], indices: ['secret'] } });
  assert.equal(await decided([others, rest], 'DELETE /logs'), 'allow rest');
  assert.equal(
    await decided([deny('own', { match: { effects: ['write-any-index'] } }), rest], 'POST /_reindex'),
    'deny own',
  );
  assert.equal(
    await decided([deny('own', { match: { effects: ['read-any-index'] } }), rest], 'POST /_msearch'),
    'deny own',
  );
  assert.equal(
    await decided([deny('own', { match: { effects: ['read-any-index'] } }), rest], 'GET /a/_search'),
    'allow rest',
  );
});

test('an endpoint that no table lists is let in by name alone, and caught by every policy that denies', async () => {
  const line = 'POST /_plugins/_nobody/knows';
  assert.equal(await letsIn({}, line), false);
  assert.equal(await letsIn({ match: { endpoints: ['*'] } }, line), false);
  assert.equal(await letsIn({ match: { groups: ['unknown'] } }, line), true);
  assert.equal(await letsIn({ match: { paths: ['/_plugins/**'] } }, line), true);
  assert.equal(await letsIn({ match: { paths: ['/_plugins/**'], groups: ['read'] } }, line), false);
  const open = await setOf([deny('all')], { fallback: 'allow' });
  assert.equal(open.decide(subject(line)).kind, 'deny');
});

test('sources, methods, types, lengths and headers each narrow', async () => {
  const ndjson = ['Content-Type: application/x-ndjson; charset=utf-8'];
  const body = (length: number) => [`Content-Length: ${length}`];
  const cases: readonly [PolicyChange['match'], Asked, boolean][] = [
    [{ sources: ['10.1.0.0/16'] }, { source: '10.1.9.9' }, true],
    [{ sources: ['10.1.0.0/16'] }, { source: '10.2.0.1' }, false],
    [{ sources: ['10.1.0.0/16'] }, { source: '::ffff:10.1.9.9' }, true],
    [{ methods: ['PUT'] }, {}, false],
    [{ methods: ['POST', 'PUT'] }, {}, true],
    [{ contentTypes: ['application/x-ndjson'] }, { fields: ndjson }, true],
    [{ contentTypes: ['application/x-ndjson'] }, {}, false],
    [{ length: { atLeast: 0, atMost: 10, declared: true } }, { fields: body(10) }, true],
    [{ length: { atLeast: 0, atMost: 10, declared: true } }, { fields: body(11) }, false],
    [
      { length: { atLeast: 0, atMost: 10, declared: true } },
      { fields: ['Transfer-Encoding: chunked'] },
      false,
    ],
    [
      { length: { atLeast: 0, atMost: 10, declared: false } },
      { fields: ['Transfer-Encoding: chunked'] },
      true,
    ],
    [{ headers: [{ name: 'x-team', values: ['a', 'b-*'] }] }, { fields: ['X-Team: b-2'] }, true],
    [{ headers: [{ name: 'x-team', values: ['a'] }] }, { fields: ['X-Team: b'] }, false],
    // Which of the two the server would read, nobody knows.
    [{ headers: [{ name: 'x-team', values: ['a'] }] }, { fields: ['X-Team: a', 'X-Team: b'] }, false],
    [{ headers: [{ name: 'x-team', values: [] }] }, { fields: ['X-Team: any'] }, true],
    [{ headers: [{ name: 'x-team', values: [] }] }, {}, false],
  ];
  for (const [match = {}, asked, expected] of cases) {
    assert.equal(
      await letsIn({ match }, 'POST /logs/_doc', asked),
      expected,
      JSON.stringify({ match, asked }),
    );
  }
  const twice = deny('b', { match: { headers: [{ name: 'x-team', values: ['b'] }] } });
  const asked = { fields: ['X-Team: a', 'X-Team: b'] };
  assert.equal(await decided([twice, policy('rest')], 'GET /logs/_search', asked), 'deny b');
});

test('principals: the verified and the claimed are told apart', async () => {
  const alice = { match: { principals: [{ kind: 'user', verified: true, names: ['alice'] }] } } as const;
  const claimed = { match: { principals: [{ kind: 'user', verified: false, names: ['alice'] }] } } as const;
  const line = 'GET /logs/_search';
  assert.equal(await letsIn(alice, line, { principals: [user('alice')] }), true);
  assert.equal(await letsIn(alice, line, { principals: [user('alice', false)] }), false);
  assert.equal(await letsIn(alice, line, { principals: [user('bob')] }), false);
  assert.equal(await letsIn(alice, line), false);
  assert.equal(await letsIn(claimed, line, { principals: [user('alice', false)] }), true);
  assert.equal(await letsIn(claimed, line, { principals: [user('alice')] }), true);

  // Numbers that JSON can't hold are nobody's.
  const tenant = JSON.parse('[9007199254740993, 1e400]');
  const claims = { groups: ['search', 'x'], team: 'a', shard: 7, tenant, __proto__: { admin: 'true' } };
  const token = { kind: 'token', name: 's', verified: true, issuer: 'https://i', claims } as const;
  const asks = (change: object) =>
    letsIn(
      {
        match: {
          principals: [
            { kind: 'token', verified: true, issuer: undefined, subjects: [], claims: {}, ...change },
          ],
        },
      },
      line,
      { principals: [token] },
    );
  assert.equal(await asks({}), true);
  assert.equal(await asks({ issuer: 'https://i', subjects: ['s'] }), true);
  assert.equal(await asks({ issuer: 'https://other' }), false);
  assert.equal(await asks({ claims: { groups: ['search'], team: ['a'] } }), true);
  assert.equal(await asks({ claims: { groups: ['search'], team: ['b'] } }), false);
  assert.equal(await asks({ claims: { admin: ['true'] } }), false);
  assert.equal(await asks({ claims: { constructor: ['*'] } }), false);
  assert.equal(await asks({ claims: { shard: ['7'] } }), true);
  for (const other of ['9007199254740992', '9007199254740993', 'Infinity', '*']) {
    assert.equal(await asks({ claims: { tenant: [other] } }), false, other);
  }
});

test('time windows hold in their own zone, also past midnight', async () => {
  const night = { days: [1], from: 22 * 60, to: 6 * 60, zone: 'Europe/Berlin' };
  const at = (text: string) =>
    letsIn({ match: { times: [night] } }, 'GET /logs/_search', { time: Date.parse(text) });
  // 23 November 2026 is a Monday; Berlin is an hour ahead of UTC.
  assert.equal(await at('2026-11-23T20:59:00Z'), false);
  assert.equal(await at('2026-11-23T21:00:00Z'), true);
  assert.equal(await at('2026-11-24T04:59:59Z'), true);
  assert.equal(await at('2026-11-24T05:00:00Z'), false);
  assert.equal(await at('2026-11-24T21:30:00Z'), false);
});

test('an expression that fails lets nobody in, and nobody past a policy that denies', async () => {
  const broken = { when: 'request.headers["x-team"] == "a"' };
  assert.equal(await letsIn(broken, 'GET /logs/_search'), false);
  assert.equal(await letsIn(broken, 'GET /logs/_search', { fields: ['X-Team: a'] }), true);
  const set = [deny('d', broken), policy('rest')];
  assert.equal(await decided(set, 'GET /logs/_search'), 'deny d');
  assert.equal(await decided(set, 'GET /logs/_search', { fields: ['X-Team: b'] }), 'allow rest');
});

test('an explanation names each policy up to the one that decides, and what it missed', async () => {
  const set = await setOf([
    policy('a', { match: { sources: ['10.1.0.0/16'] } }),
    policy('b', { match: { indices: ['logs-*'] } }),
    audit('c'),
    deny('d'),
    policy('e'),
  ]);
  const steps = set.explain(subject('POST /logs-1/_bulk', { source: '10.9.0.1' }));
  assert.deepEqual(
    steps.map(({ policy: name, part, matched }) => [name, matched ? 'matched' : part]),
    [
      ['a', 'sources'],
      ['b', 'indices'],
      ['c', 'matched'],
      ['d', 'matched'],
    ],
  );
  assert.match(steps[1]?.found ?? '', /allow_explicit_index/);
});

const lines = [
  'GET /logs-1/_search',
  'POST /logs-1/_bulk',
  'POST /_bulk',
  'PUT /_cluster/settings',
  'GET /x/y/z',
];
const some = <T>(...values: readonly T[]) => fc.subarray([...values], { maxLength: 2 });

test('narrowing never loses the policy that decides', async () => {
  const change = fc.record({
    match: fc.record({
      methods: some('GET', 'POST'),
      groups: some<EndpointGroup>('read', 'write', 'unknown'),
      endpoints: some('bulk', 're*', 'indices.delete', 'unknown'),
      effects: some<Match['effects'][number]>('delete-index', 'read-any-index'),
      indices: some('logs-*', '*', 'lo*1', 'secret'),
      sources: some('10.0.0.0/8', '10.0.0.1', '192.168.0.0/16'),
      principals: some(
        { kind: 'user' as const, verified: true, names: ['al*', 'bob'] },
        { kind: 'user' as const, verified: false, names: ['carol'] },
      ),
    }),
    action: fc.constantFrom('allow', 'deny', 'audit'),
    bodyIndices: fc.constantFrom('refuse' as const, 'trust' as const),
  });
  const make = { allow: policy, deny, audit };
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 70 }),
      fc.constantFrom(...lines),
      fc.subarray([user('alice'), user('bob', false), user('carol', false)]),
      async (changes, line, principals) => {
        const documents = changes.map(({ action, match, bodyIndices }, index) =>
          make[action as 'allow'](`p${index}`, { match, bodyIndices }),
        );
        const asked = subject(line, { principals });
        const first = documents.find(
          (document) =>
            document.action.kind !== 'audit' &&
            compileConditions(document).every((part) => part.holds(asked)),
        );
        assert.equal((await setOf(documents)).decide(asked).policy?.name, first?.name);
      },
    ),
    { numRuns: 300 },
  );
});

test('however often the same is asked for, each request is judged with all the work there is', async () => {
  const set = [
    deny('secret', { match: { indices: ['secret-*'] } }),
    policy('rest', { match: { groups: ['read'] } }),
  ];
  const decide = (await setOf(set)).decide;
  const asked = subject('GET /logs-a,logs-b/_search');
  for (const workLeft of [0, -1, 1]) {
    asked.indices.workLeft = workLeft;
    assert.equal(decide(asked).policy?.name, 'rest');
  }
});

test('what is explained is what was decided, though the explanation looks at more policies', async () => {
  const elsewhere = Array.from({ length: 100 }, (_, at) =>
    deny(`elsewhere-${at}`, {
      match: {
        sources: ['192.0.2.0/24'],
        indices: Array.from({ length: 100 }, (_, each) => `logs-*-secret-${at}-${each}`),
      },
    }),
  );
  const set = await setOf([
    ...elsewhere,
    policy('logs', { match: { groups: ['read'], indices: ['logs-*'] } }),
  ]);
  const list = Array.from({ length: 300 }, (_, at) => `logs-${at}`).join(',');
  const asked = subject(`GET /${list}/_search`, { source: '198.51.100.1' });
  assert.equal(set.decide(asked).policy?.name, 'logs');
  const steps = set.explain(asked);
  assert.deepEqual(
    steps.filter(({ matched }) => matched).map((step) => step.policy),
    ['logs'],
  );
  assert.ok(steps.every(({ part, policy }) => part === (policy === 'logs' ? undefined : 'indices')));
});
