import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patience } from '../../test/support/deadline.ts';
import { jsonSchema } from '../config/schema.ts';
import { reviveConfig } from './execute.ts';
import { version } from './version.ts';

const main = fileURLToPath(new URL('../start.ts', import.meta.url));
const fixtures = fileURLToPath(new URL('../config/fixtures/', import.meta.url));
const timeout = patience;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly told: string;
}

function sluice(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { timeout, maxBuffer: 2 ** 24 };
    execFile(process.execPath, [main, ...args], options, (error, out, told) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, told });
    });
  });
}

test('what is wrong with the command line is said in a line, and the exit code is 2', {
  timeout,
}, async () => {
  for (const [args, told] of [
    [['run', '--lisen', 'x'], /unknown option '--lisen'\n\(Did you mean --listen\?\)/],
    [['run', '--listen'], /--listen <host:port>' argument missing/],
    [['run'], /upstream: is missing; pass --upstream/],
    [
      ['run', '--upstream', 'http://a', '--listen', 'b:1'],
      /^--listen: listen\[0\]\.address: "b:1" is a name/,
    ],
    [['check'], /missing required argument 'file'/],
    [['chek', 'x'], /unknown command 'chek'\n\(Did you mean check\?\)/],
    [['schema', 'a'], /too many arguments/],
  ] as const) {
    const ended = await sluice(...args);
    assert.equal(ended.code, 2, args.join(' '));
    assert.match(ended.told, told);
    assert.equal(ended.out, '');
  }
});

test('check ends with 0 for a right file, and with 4 and every mistake for another', {
  timeout,
}, async () => {
  const right = await sluice('check', `${fixtures}good.no-balancer.yaml`);
  assert.deepEqual([right.code, right.told], [0, '']);
  assert.match(
    right.out,
    /good\.no-balancer\.yaml: right \(listeners: 1, clusters: 1, nodes: 1, warnings: 0\)\n$/,
  );
  const wrong = await sluice('check', `${fixtures}bad.unknown-key.yaml`);
  assert.equal(wrong.code, 4);
  assert.match(wrong.told, /bad\.unknown-key\.yaml:5:3: upstream\.pol: .*\n.*:6:1: limit: /);
});

test('run with a file at fault ends with 4 and starts nothing', { timeout }, async () => {
  const { code, out, told } = await sluice('run', '-c', `${fixtures}bad.type.yaml`);
  assert.deepEqual([code, out], [4, '']);
  assert.match(told, /bad\.type\.yaml:4:18: upstream\.tls\.verify/);
});

test('schema prints the JSON Schema, --version the version', { timeout }, async () => {
  assert.deepEqual(JSON.parse((await sluice('schema')).out), jsonSchema());
  assert.equal((await sluice('--version')).out, `${version}\n`);
  assert.equal(
    version,
    JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
  );
});

test('a configuration survives its way from the child that read it', { timeout }, async () => {
  const { out, code } = await sluice(
    'run',
    '-c',
    `${fixtures}good.no-balancer.yaml`,
    '--transport',
    'streams',
    '--print-config',
  );
  assert.equal(code, 0);
  const config = reviveConfig(out);
  assert.equal(config.listen[0]?.socket.keepAliveIdle, 3_600_000);
  assert.equal(config.transport, 'streams');
  assert.equal(
    reviveConfig('{"preflight":{"threshold":null}}').preflight.threshold,
    Number.POSITIVE_INFINITY,
  );
});
