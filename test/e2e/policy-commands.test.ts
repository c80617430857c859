/** The commands on policies as people and pipelines call them: what is printed where, and how each ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { PolicyReport } from '../../src/admin/contract.ts';
import { matches, readHash } from '../../src/policy/identity/hashes.ts';
import { patience, until, within } from '../support/deadline.ts';
import { SluiceProcess } from '../support/sluice-process.ts';

const main = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice-commands-'));
after(() => rmSync(folder, { recursive: true }));
const timeout = patience;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly told: string;
}

async function sluice(args: readonly string[], input = '', cwd = folder): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { cwd, env: {}, timeout });
  child.stdin.end(input);
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  const [[code], out, told] = await within(`sluice ${args.join(' ')}`, ended, patience);
  return { code, out, told };
}

function write(name: string, content: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return name;
}

const document = (kind: string, name: string, spec: string) =>
  `apiVersion: sluice.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n${spec}---\n`;

const policies = write(
  'policies/team-a.yaml',
  document('Policy', 'no-deletes', '  order: 10\n  match: { effects: [delete-index] }\n  action: audit\n') +
    document(
      'Policy',
      'team-a-writes',
      `  order: 100
  match:
    groups: [write]
    indices: [logs-a-*]
    sources: [10.1.0.0/16]
    principals: [{ users: [team-a] }]
    headers: [{ name: x-team }]
  action: allow
  bodyIndices: trust
  route: { cluster: hot }
  limits: { bodyBytes: 200MB, requestBandwidth: 50MB/s, streams: 8, queue: { depth: 16 } }
  headers:
    set: [{ name: X-Team, value: value-for-the-server }, { name: Authorization, fromFile: never-read }]
    remove: [cookie]
`,
    ) +
    document('Policy', 'all-read', '  match: { groups: [read] }\n  action: allow\n'),
);
write(
  'policies/tests.json',
  JSON.stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'PolicyTest',
    metadata: { name: 'reading' },
    spec: {
      tests: [
        {
          name: 'anybody reads',
          request: { method: 'GET', path: '/logs-a/_search' },
          expect: { verdict: 'allow', policy: 'all-read', cluster: 'default', audited: [] },
        },
      ],
    },
  }),
);
const config = write(
  'sluice.yaml',
  `upstream: { nodes: [http://127.0.0.1:9201] }
clusters: { hot: { nodes: [http://127.0.0.1:9202] } }
policies: { default: deny, sources: [{ path: policies }, { s3: { bucket: search, prefix: prod/ } }] }
identity: { users: { file: ${write('users', '')} } }
`,
);
const asTeamA = ['--source', '10.1.2.3', '--principal', 'user:team-a', '--header', 'X-Team: a'];
const bulk = ['--method', 'POST', '--path', '/logs-a-1/_bulk?refresh=true', ...asTeamA];

test('check takes a configuration with its policies, files and directories, told apart by content', {
  timeout,
}, async () => {
  assert.deepEqual(await sluice(['check', config]), {
    code: 0,
    out: 'sluice.yaml: right (listeners: 1, clusters: 2, nodes: 2, policies: 3, tests: 1, warnings: 0)\n',
    told: 's3://search/prod/: not looked at\n',
  });
  for (const args of [
    ['policies'],
    [policies],
    ['policies', '--cluster', 'hot'],
    ['policies', '-c', config],
  ]) {
    const { code, out } = await sluice(['check', ...args]);
    assert.equal(code, 0, args.join(' '));
    assert.match(out, / right \(policies: 3, tests: \d, warnings: 0\)\n$/m);
  }
});

test('check tells every mistake at its place, and ends with 1', { timeout }, async () => {
  write('bad/one.yaml', document('Policy', 'p', '  order: -1\n  action: alow\n'));
  write('bad/two.yaml', document('Policy', 'p', '  action: allow\n  route: { cluster: cold }\n'));
  write('bad/broken.yml', 'kind: Policy\n\tspec: {}\n');
  const { code, out, told } = await sluice(['check', 'bad', '--cluster', 'hot']);
  assert.deepEqual([code, out], [4, '']);
  assert.match(told, /^bad\/one\.yaml:5:10: spec\.order: /m);
  assert.match(told, /^bad\/one\.yaml:6:11: spec\.action: .*; did you mean allow\?$/m);
  assert.match(
    told,
    /^bad\/two\.yaml:6:21: spec\.route\.cluster: there is no cluster "cold"; .*default, hot/m,
  );
  assert.match(told, /^bad\/two\.yaml:3:19: metadata\.name: .* bad\/one\.yaml:3:19/m);
  assert.match(told, /^bad\/broken\.yml:2:1: .*; /m);
  const missing = await sluice(['check', 'nowhere', 'policies', 'nowhere.yaml']);
  assert.equal(missing.code, 4);
  assert.match(missing.told, /^nowhere: does not exist; check the path$/m);
  assert.match(missing.out, /^policies: right/);
});

test('what the linter finds is a warning with its place, and fails only under --strict', {
  timeout,
}, async () => {
  const file = write(
    'doubtful.yaml',
    document('Policy', 'all', '  action: allow\n') +
      document('Policy', 'reads', '  match: { groups: [read] }\n  action: allow\n'),
  );
  const { code, out, told } = await sluice(['check', file]);
  assert.equal(code, 0);
  assert.match(
    told,
    /^doubtful\.yaml:3:19: warning: policy all matches every request, .*: reads \(doubtful\.yaml:9:19\); /,
  );
  assert.equal(out, 'doubtful.yaml: right (policies: 2, tests: 0, warnings: 1)\n');
  const strict = await sluice(['check', '--strict', file]);
  assert.deepEqual([strict.code, strict.told], [4, told]);
  assert.equal(strict.out, 'doubtful.yaml: refused by --strict (policies: 2, tests: 0, warnings: 1)\n');
});

test('explain prints the verdict, what it rests on, and why what is asked before does not match', {
  timeout,
}, async () => {
  const { code, out, told } = await sluice([
    'explain',
    '--policies',
    'policies',
    ...bulk,
    '--length',
    '100MB',
  ]);
  assert.deepEqual([code, told], [0, '']);
  assert.equal(
    out,
    `ALLOW by policy team-a-writes
  request   POST /logs-a-1/_bulk?refresh=true, 100000000 bytes, from 10.1.2.3
  endpoint  bulk (group write)
  indices   logs-a-1; the body can name some
  policy    policies/team-a.yaml:11:19
  cluster   hot
  limits    bodyBytes 200MB, requestBandwidth 50MB/s (burst 5MB), streams 8, queue 16 for 5s
  sets      X-Team, Authorization
  removes   cookie
asked, in this order:
  no-deletes: not its effects: bulk, which has no such effect
  team-a-writes: matches
`,
  );
});

test('explain shows no value of a header, and reads no secret', { timeout }, async () => {
  for (const more of [[], ['--json']]) {
    const { out, told } = await sluice([
      'explain',
      '-c',
      config,
      ...bulk,
      '--header',
      'Authorization: Basic c2VjcmV0',
      ...more,
    ]);
    assert.doesNotMatch(out + told, /value-for-the-server|c2VjcmV0|never-read/);
    assert.match(out, /Authorization/);
  }
});

test('explain tells what the proxy would answer: 401, 413, 400 of the parser, the default', {
  timeout,
}, async () => {
  const get = ['--method', 'DELETE', '--path', '/logs-a-1'];
  for (const [args, expected] of [
    [[...bulk, '--length', '200000001'], { verdict: 'deny', status: 413, policy: 'team-a-writes' }],
    [[...bulk, '--length', 'chunked'], { verdict: 'allow', policy: 'team-a-writes', cluster: 'hot' }],
    [get, { verdict: 'deny', status: 401, policy: 'default', audited: ['no-deletes'] }],
    [[...get, '--header', 'Authorization: Basic YTpi'], { verdict: 'deny', status: 403, policy: 'default' }],
    [[...get, '--default', 'allow'], { verdict: 'allow', policy: 'default', cluster: 'default' }],
    [
      ['--path', '/a%2F_search'],
      { verdict: 'deny', status: 400, reason: 'an encoded slash outside of an id' },
    ],
    [['--path', '/a b'], { verdict: 'deny', status: 400 }],
    [['--path', '/a', '--header', 'x team: a'], { verdict: 'deny', status: 400 }],
    [['--path', `/${'a'.repeat(5000)}`], { verdict: 'deny', status: 414 }],
    [['--path', '/', '--header', `x: ${'a'.repeat(20_000)}`], { verdict: 'deny', status: 431 }],
    [['--path', '/', '--method', 'TRACE'], { verdict: 'deny', status: 501 }],
  ] as const) {
    const { code, out } = await sluice(['explain', '-c', config, '--json', ...args]);
    const shown = JSON.parse(out);
    assert.equal(code, 0);
    assert.deepEqual({ ...shown, ...expected }, shown, args.join(' '));
  }
});

test('a flag of explain that is no request at all is told by its name, and ends with 2', {
  timeout,
}, async () => {
  for (const [args, told] of [
    [['--path', '/', '--principal', 'alice'], /^--principal: "alice" is nobody; write one of user, /],
    [['--path', '/', '--source', 'here'], /^--source: "here" is not an address; /],
    [['--path', '/', '--length', 'long'], /^--length: "long" is not a size; /],
    [['--path', '/', '--time', 'noon'], /^--time: "noon" is not a moment; /],
    [['--path', '/', '--header', 'x'], /^--header: has no name and colon; /],
    [['--path', '/', '--header', 'x: 1\r\ny: 2'], /^--header: is more than one line; /],
    [[], /required option '--path <path>' not specified/],
    [['--path', '/', '--default', 'maybe'], /Allowed choices are allow, deny/],
  ] as const) {
    const ended = await sluice(['explain', '--policies', 'policies', ...args]);
    assert.equal(ended.code, 2, args.join(' '));
    assert.match(ended.told, told);
    assert.equal(ended.out, '');
  }
  const nothing = await sluice(['explain', '--path', '/']);
  assert.equal(nothing.code, 2);
  assert.match(nothing.told, /^command line: there are no policies to look at; /);
});

test('test runs the tests among policies, and tells each difference with its place and the reasons', {
  timeout,
}, async () => {
  assert.deepEqual(await sluice(['test', 'policies']), {
    code: 0,
    out: 'ok reading: anybody reads\n1 test, 0 failed\n',
    told: '',
  });
  const failing = write(
    'failing.yaml',
    document(
      'PolicyTest',
      'writing',
      `  tests:
    - name: team A writes
      request: { method: POST, path: /logs-b/_bulk, source: 10.1.2.3, principals: [{ user: team-a }], headers: { Authorization: x } }
      expect: { verdict: allow, policy: team-a-writes, cluster: hot }
    - request: { method: POST, path: /logs-a-1/_bulk, source: 10.1.2.3, length: 1GB, principals: [{ user: team-a }], headers: { x-team: a } }
      expect: { verdict: deny, status: 413 }
`,
    ),
  );
  assert.deepEqual(await sluice(['test', '-c', config, 'policies', failing]), {
    code: 4,
    out: `ok reading: anybody reads
not ok writing: team A writes
  failing.yaml:6:7: expected allow by team-a-writes to hot, was deny 403 by default: No policy allows this request.
    no-deletes: not its effects: bulk, which has no such effect
    team-a-writes: not its indices: logs-b
    all-read: not its groups: bulk (group write)
ok writing: POST /logs-a-1/_bulk
3 tests, 1 failed
`,
    told: '',
  });
});

test('a run that tests nothing is not taken for a success', { timeout }, async () => {
  const none = await sluice(['test', policies]);
  assert.deepEqual([none.code, none.out], [4, '']);
  assert.match(none.told, /^there are no tests: write documents of kind PolicyTest/);
  const bad = await sluice(['test', 'bad']);
  assert.deepEqual([bad.code, bad.out], [4, '']);
  assert.match(bad.told, /bad\/one\.yaml:5:10/);
});

test('policies shows what a running proxy judges by and how often each policy decided', {
  timeout,
}, async () => {
  const settings = `policies: { sources: [{ path: ${join(folder, policies)} }] }\nclusters: { hot: { nodes: [http://127.0.0.1:9] } }\n`;
  const reads = write(
    'reads.yaml',
    document('Policy', 'reads', '  match: { groups: [read] }\n  action: deny\n'),
  );
  await using proxy = await SluiceProcess.start([9], settings.replace(policies, reads));
  for (const path of ['/a/_search', '/b/_search', '/_cluster/health']) {
    assert.ok((await fetch(`http://127.0.0.1:${proxy.port}${path}`)).status >= 400);
  }
  const { code, out, told } = await sluice(['policies', '--admin', proxy.admin]);
  assert.deepEqual([code, told], [0, '']);
  const lines = out.split('\n');
  assert.match(lines[0] ?? '', /^version {3}[0-9a-f]{12}, since \d{4}-.*Z, for \d+ s$/);
  assert.match(lines[1] ?? '', /^source {4}.*reads\.yaml: read$/);
  assert.deepEqual(
    lines.slice(3).map((line) => line.trim().split(/ +/)),
    [
      ['policy', 'order', 'action', 'allowed', 'denied', 'audited', 'streams', 'waiting', 'limited'],
      ['reads', '1000', 'deny', '0', '2', '0', '0', '0', '0'],
      ['default', '-', 'deny', '0', '1', '0', '0', '0', '0'],
      [''],
    ],
  );
  const report = JSON.parse(
    (await sluice(['policies', '--json', '--admin', proxy.admin])).out,
  ) as PolicyReport;
  assert.deepEqual([report.policies, report.hits[0]?.denied], [1, 2]);

  write('reads.yaml', document('Policy', 'reads', '  match: { groups: [nothing] }\n  action: deny\n'));
  await until('the proxy to refuse them', () => proxy.told.some((line) => line.includes('was refused')));
  const stale = await sluice(['policies', '--admin', proxy.admin]);
  assert.equal(stale.code, 6, 'a script is told that an older set is in effect');
  assert.match(stale.out, /\nstale .*an older set is in effect:\n.*reads\.yaml/);
});

test('policies says what is amiss where no proxy with policies answers', { timeout }, async () => {
  await using bare = await SluiceProcess.start([9]);
  const without = await sluice(['policies', '--admin', bare.admin]);
  assert.deepEqual([without.code, without.out], [5, '']);
  assert.match(without.told, /: the proxy has no policies; add policies\.sources/);

  const stranger = createServer((socket) =>
    socket.resume().end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'),
  );
  await once(stranger.listen(0, '127.0.0.1'), 'listening');
  const address = stranger.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  assert.match(
    (await sluice(['policies', '--admin', `127.0.0.1:${port}`])).told,
    /: what answers is not a proxy; /,
  );
  await once(stranger.close(), 'close');
  assert.match(
    (await sluice(['policies', '--admin', `127.0.0.1:${port}`])).told,
    /: nothing listens there; /,
  );
  assert.equal((await sluice(['policies', '--admin', 'localhost:9600'])).code, 2);
});

test('hash takes a secret from a pipe alone, and prints what the files of hashes hold', {
  timeout,
}, async () => {
  for (const [args, input] of [
    [['hash'], 'pass:word\n'],
    [['hash', '--api-key'], 'pass:word'],
  ] as const) {
    const { code, out, told } = await sluice(args, input);
    assert.deepEqual([code, told], [0, '']);
    const read = readHash(out.trimEnd());
    assert.ok(typeof read !== 'string', out);
    assert.equal(await matches(read, 'pass:word'), true);
  }
  for (const input of ['', '\n', 'two\nlines', 'x'.repeat(10_000)]) {
    const { code, out, told } = await sluice(['hash'], input);
    assert.deepEqual([code, out], [4, ''], input);
    assert.match(told, /^sluice: /);
    assert.doesNotMatch(told, /two|xxx/);
  }
  assert.equal((await sluice(['hash', 'secret'])).code, 2);
});

test('the examples of docs/cli.md are what the commands print', { timeout }, async () => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const examples = fileURLToPath(new URL('../../examples/policies', import.meta.url));
  const blocks = [...page.matchAll(/```console\n\$ sluice (.*)\n([^`]*)```/g)];
  assert.ok(blocks.length >= 5);
  for (const [, command = '', printed = ''] of blocks) {
    const { out, told } = await sluice(command.split(' '), '', examples);
    // Lines of three dots stand for any.
    const [start = '', end = ''] = printed.split(/^\.\.\.\n/m);
    const shown = printed.includes('...\n')
      ? start + (told + out).slice(start.length, -end.length || undefined) + end
      : printed;
    assert.equal(told + out, shown, command);
  }
});
