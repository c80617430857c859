/** Every command of the documentation runs as it is written, or is held here with the reason why it can't. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patience } from './support/deadline.ts';
import { commandsIn, fencedIn } from './support/fenced.ts';
import { SluiceProcess } from './support/sluice-process.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const stage = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
after(() => rmSync(stage, { recursive: true }));

/** Why a command does not run here. `make` is looked at below: a target may take minutes, or be this test. */
const held: readonly (readonly [command: RegExp, why: string])[] = [
  [/^make /, 'its targets are compared with the Makefile'],
  [/sluice run /, 'it serves until it is told to stop, on fixed ports: its configuration is checked instead'],
  [/^curl /, 'it needs servers: test/opensearch/cases/shipped-example.ts asks the same'],
  [
    /^sluice check policies --cluster cold$/,
    'it shows a mistake: test/e2e/policy-commands.test.ts compares what is told',
  ],
];

const pages = globSync(['*.md', 'docs/*.md', 'examples/**/*.md'], { cwd: checkout }).toSorted();
const commandsOf = (page: string) => fencedIn(readFileSync(join(checkout, page), 'utf8')).flatMap(commandsIn);

function shell(script: string, environment: Readonly<Record<string, string>> = {}, cwd = stage) {
  const env = { ...process.env, ...environment, PATH: `${stage}:${process.env.PATH}` };
  return spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd,
    env,
    input: 'a password\n',
    encoding: 'utf8',
    timeout: patience,
  });
}

describe('the commands of the documentation', { timeout: 4 * patience }, () => {
  let proxy: SluiceProcess;
  before(async () => {
    cpSync(join(checkout, 'examples'), join(stage, 'examples'), { recursive: true });
    const config = { policies: { sources: [{ path: join(stage, 'examples/policies/policies') }] } };
    const clusters = { hot: { nodes: ['http://127.0.0.1:9'] } };
    proxy = await SluiceProcess.start([9], JSON.stringify({ ...config, clusters, ...identity() }));
    // Asked where the documentation has the default address, which somebody else may use here.
    const asking = `[ "$1" != policies ] || set -- "$@" --admin ${proxy.admin}`;
    const script = `#!/bin/sh\n${asking}\nexec ${join(checkout, 'sluice')} "$@"\n`;
    writeFileSync(join(stage, 'sluice'), script, { mode: 0o755 });
  });
  after(async () => await proxy[Symbol.asyncDispose]());

  for (const page of pages) {
    const run = commandsOf(page).filter((command) => !held.some(([pattern]) => pattern.test(command)));
    if (run.length === 0) continue;
    it(`run as they are written in ${page}`, () => {
      const inExample = page.startsWith('docs/');
      const ended = shell(
        run.join('\n'),
        { KEY: 'key' },
        inExample ? join(stage, 'examples/policies') : stage,
      );
      assert.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`);
    });
  }

  it('that run a proxy have a configuration that is right', () => {
    const runs = pages.flatMap((page) => commandsOf(page).filter((command) => / run /.test(command)));
    assert.ok(runs.length >= 2);
    for (const command of runs) {
      const example = command.startsWith('../') ? join(stage, 'examples/policies') : stage;
      const ended = shell(`${command.replace(/ &$/, '')} --print-config`, {}, example);
      assert.equal(ended.status, 0, ended.stderr);
    }
  });

  const jq = spawnSync('jq', ['--version']).status === 0;
  it('that read the access log do, with jq', {
    skip: jq ? false : 'there is no jq: apt-get install jq',
  }, () => {
    const page = readFileSync(join(checkout, 'docs/access-log.md'), 'utf8');
    const commands = [...page.matchAll(/`(jq [^`]+)`/g)].map(([, command]) => command);
    assert.ok(commands.length > 0);
    const line = { request: { bytes: 5 }, side: 'client', end: 'client-gone', path: '/_bulk' };
    const file = join(stage, 'access.log');
    writeFileSync(file, `${JSON.stringify(line)}\n${JSON.stringify({ ...line, end: 'complete' })}\n`);
    for (const command of commands) {
      const ended = shell(`${command} ${file}`);
      assert.deepEqual(
        [ended.status, ended.stderr, ended.stdout],
        [0, '', '["client","client-gone","/_bulk"]\n'],
      );
    }
  });

  it('make: every target is there, and `make help` tells each', () => {
    const makefile = readFileSync(join(checkout, 'Makefile'), 'utf8');
    const targets = /^\.PHONY: (.*)$/m.exec(makefile)?.[1]?.split(' ').toSorted();
    const help = shell('make -s help', {}, checkout).stdout.trimEnd().split('\n');
    assert.deepEqual(help.map((line) => line.split(' ')[0]).toSorted(), targets);
    const written = pages.flatMap(commandsOf).filter((command) => command.startsWith('make '));
    const named = written.flatMap((command) =>
      command
        .replace(/ #.*| [A-Z_]+=.*/, '')
        .split(/\s+/)
        .slice(1),
    );
    assert.deepEqual(
      named.filter((name) => name !== '' && !targets?.includes(name)),
      [],
    );
  });
});

/** Policies of the example ask for the user that its file holds. */
function identity() {
  const file = join(stage, 'admins');
  writeFileSync(file, `admin:$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}\n`);
  return { identity: { users: { file } } };
}
