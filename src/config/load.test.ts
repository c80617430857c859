import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.ts';
import { formatProblem, type Loaded, loadConfig, parseConfig } from './load.ts';

const fixtures = fileURLToPath(new URL('fixtures/', import.meta.url));
const least = 'upstream: { nodes: [http://10.0.0.1] }\n';

function loaded(result: Loaded): Config {
  if (result.kind === 'invalid') assert.fail(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

function problems(result: Loaded): readonly string[] {
  assert.equal(result.kind, 'invalid');
  return result.kind === 'invalid' ? result.problems.map(formatProblem) : [];
}

for (const name of readdirSync(fixtures)) {
  const file = join(fixtures, name);
  if (name.startsWith('good.')) {
    test(`${name} is accepted`, () => {
      loaded(loadConfig(file));
    });
    continue;
  }
  test(`${name} is refused at its place, with its fix`, () => {
    const expected = [...readFileSync(file, 'utf8').matchAll(/^# problem: (.*)$/gm)].map(([, text]) => text);
    assert.ok(expected.length > 0, 'the fixture says what is expected');
    assert.deepEqual(
      problems(loadConfig(file)).map((text) => text.replace(`${file}:`, '')),
      expected,
    );
  });
}

test('every setting has a default but the nodes', () => {
  const config = loaded(parseConfig(least, 'sluice.yaml'));
  const socket = {
    keepAliveIdle: 60_000,
    keepAliveInterval: 20_000,
    keepAliveCount: 3,
    userTimeout: 120_000,
    congestionControl: undefined,
  };
  assert.deepEqual(config, {
    listen: [
      {
        host: '0.0.0.0',
        port: 9200,
        ipv6Only: false,
        backlog: 4096,
        reusePort: false,
        maxConnections: 20_000,
        socket,
      },
    ],
    admin: { host: '127.0.0.1', port: 9600 },
    upstream: {
      nodes: [{ name: '10.0.0.1:9200', host: '10.0.0.1', port: 9200, tls: undefined }],
      socket,
      host: 'client',
      pool: { maxIdlePerNode: 128, idleTimeout: 60_000, maxAge: 600_000 },
      ejection: { baseTime: 1000, maxTime: 30_000, failures: 5, maxPercent: 50 },
      dns: { refresh: 10_000 },
    },
    clusters: {},
    policies: undefined,
    identity: { tokens: [], users: undefined, apiKeys: undefined },
    preflight: { threshold: 2 ** 20, timeout: 1000 },
    timeouts: {
      head: 10_000,
      idle: 300_000,
      connect: 3000,
      stall: 60_000,
      responseHead: 0,
      accept: 15_000,
      drain: 300_000,
      linger: 30_000,
    },
    limits: {
      headBytes: 16_384,
      headFields: 100,
      targetBytes: 4096,
      responseHeadBytes: 524_288,
      responseHeadFields: 2000,
      trailerBytes: 8192,
      lingerBytes: 2 ** 28,
      attempts: 3,
    },
    forwarded: { trust: 'none' },
    accessLog: { enabled: true, destination: 'stdout' },
    log: { level: 'info' },
    transport: 'auto',
  });
});

test('sizes and durations arrive as bytes and milliseconds, off and none as their numbers', () => {
  const text = `${least}preflight: { threshold: off, timeout: 1.5s }\ntimeouts: { head: 250, responseHead: none }\n`;
  const { preflight, timeouts } = loaded(parseConfig(text, 'sluice.yaml'));
  assert.deepEqual(preflight, { threshold: Number.POSITIVE_INFINITY, timeout: 1500 });
  assert.equal(timeouts.head, 250);
  assert.equal(timeouts.responseHead, 0);
});

test('an https node carries what TLS needs, with the CA already read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  try {
    const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
    writeFileSync(join(folder, 'ca.pem'), pem);
    writeFileSync(
      join(folder, 'sluice.yaml'),
      'upstream: { nodes: ["https://ES.internal", "https://[::1]:9201", http://10.0.0.1], tls: { caFile: ca.pem } }',
    );
    const { nodes } = loaded(loadConfig(join(folder, 'sluice.yaml'))).upstream;
    assert.deepEqual(
      nodes.map(({ name, tls }) => [name, tls]),
      [
        ['es.internal:9200', { serverName: 'es.internal', ca: pem, verify: true }],
        ['[::1]:9201', { serverName: '::1', ca: pem, verify: true }],
        ['10.0.0.1:9200', undefined],
      ],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('flags alone make a configuration', () => {
  const flags = {
    listen: ['127.0.0.1:0', '[::1]:0'],
    upstream: ['http://a:1', 'http://b:2'],
    admin: '127.0.0.1:0',
  };
  const config = loaded(parseConfig('', '', flags));
  assert.deepEqual(
    config.listen.map(({ host, port }) => [host, port]),
    [
      ['127.0.0.1', 0],
      ['::1', 0],
    ],
  );
  assert.deepEqual(
    config.upstream.nodes.map(({ name }) => name),
    ['a:1', 'b:2'],
  );
  assert.equal(config.admin.port, 0);
});

test('flags win over the file and leave the rest of it', () => {
  const text = [
    'listen: { address: 0.0.0.0:9200, backlog: 7 }',
    'upstream: { nodes: [http://a], pool: { maxIdlePerNode: 5 } }',
    'transport: engine',
  ].join('\n');
  const flags = { listen: ['127.0.0.1:1234'], upstream: ['http://b'], transport: 'streams' };
  const { listen, upstream, transport } = loaded(parseConfig(text, 'sluice.yaml', flags));
  assert.deepEqual(
    [listen.length, listen[0]?.host, listen[0]?.port, listen[0]?.backlog],
    [1, '127.0.0.1', 1234, 7],
  );
  assert.deepEqual([upstream.nodes.length, upstream.nodes[0]?.name], [1, 'b:9200']);
  assert.equal(upstream.pool.maxIdlePerNode, 5);
  assert.equal(transport, 'streams');
});

test('a mistake in a flag names the flag, one in the file beside it the file', () => {
  const flags = { listen: ['0.0.0.0:99999'], upstream: ['ftp://a'], admin: '9600', transport: 'fast' };
  assert.deepEqual(problems(parseConfig('log: { level: loud }\n', 'sluice.yaml', flags)), [
    '--listen: listen[0].address: port 99999 does not exist; ports go from 0 (any free one) to 65535',
    '--admin: admin.address: "9600" is not an address to listen on; write HOST:PORT, e.g. 0.0.0.0:9200 or [::]:9200',
    '--upstream: upstream.nodes[0]: is not the URL of a node; write http://HOST:PORT or https://HOST:PORT',
    'sluice.yaml:1:15: log.level: "loud" is not one of debug, info, warn, error; write one of debug, info, warn, error',
    '--transport: transport: "fast" is not one of auto, engine, streams; write one of auto, engine, streams',
  ]);
});

test('without file and flags, it says which flag is missing', () => {
  assert.deepEqual(problems(parseConfig('', '')), [
    'command line: upstream: is missing; pass --upstream http://HOST:9200',
  ]);
});

test('a file that is not there, or is no file, is a problem and no exception', () => {
  assert.deepEqual(problems(loadConfig('/nowhere/sluice.yaml')), [
    '/nowhere/sluice.yaml: does not exist; check the path',
  ]);
  assert.deepEqual(problems(loadConfig(fixtures)), [`${fixtures}: is a directory; check the path`]);
});

test('a password in a node URL is in no message, however the URL is mangled', () => {
  for (const url of [
    'http://u:hunter2@a',
    'http//u:hunter2@a',
    'http://u:hunter2@[a',
    'http://u:hunter2@a:99999/x',
  ]) {
    const told = problems(parseConfig('', '', { upstream: [url] })).join('\n');
    assert.ok(!told.includes('hunter2'), told);
  }
});

test('relative files are looked for beside the configuration', () => {
  const config = loaded(
    parseConfig(`${least}accessLog: { destination: logs/a.log }`, '/etc/sluice/sluice.yaml'),
  );
  assert.equal(config.accessLog.destination, '/etc/sluice/logs/a.log');
});

test('the kernel is left to cut nobody before the stall timeout does', () => {
  const userTimeout = (text: string) => {
    const { listen, upstream } = loaded(
      parseConfig(`upstream: { nodes: [http://10.0.0.1] }\n${text}`, 'a.yaml'),
    );
    return [listen[0]?.socket.userTimeout, upstream.socket.userTimeout];
  };
  assert.deepEqual(userTimeout(''), [120_000, 120_000]);
  assert.deepEqual(userTimeout('timeouts: { stall: 110s }'), [120_000, 120_000]);
  // Also where it comes to more than a balancer forgets after: bytes that wait for room are probed for.
  assert.deepEqual(userTimeout('timeouts: { stall: 10m }'), [610_000, 610_000]);
});
