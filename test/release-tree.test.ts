/** What a release holds (no sources) works from anywhere, and says nothing that it was not asked. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patience } from './support/deadline.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice release '));
after(() => rmSync(folder, { recursive: true }));

function run(command: string, args: readonly string[], PATH = process.env.PATH) {
  const env = { ...process.env, PATH };
  return spawnSync(command, args, { cwd: tmpdir(), env, encoding: 'utf8', timeout: patience });
}

test('a release without sources is silent on stderr, in a path with spaces and through a symlink', () => {
  const tree = join(folder, 'the tree');
  mkdirSync(tree);
  for (const name of ['dist', 'package.json', 'sluice']) {
    cpSync(join(checkout, name), join(tree, name), { recursive: true });
  }
  symlinkSync(join(checkout, 'node_modules'), join(tree, 'node_modules'));
  symlinkSync(join(tree, 'sluice'), join(folder, 'link'));
  const config = join(checkout, 'src/config/fixtures/good.no-balancer.yaml');
  for (const command of [join(tree, 'sluice'), join(folder, 'link')]) {
    for (const args of [
      ['--version'],
      ['schema'],
      ['check', '--static', config],
      ['run', '-c', config, '--print-config'],
    ]) {
      const { status, stderr } = run(command, args);
      assert.deepEqual([status, stderr], [0, ''], args.join(' '));
    }
  }
  // Without the engine, which it can't do without when it is told so.
  const { status, stderr } = run(join(tree, 'sluice'), ['run', '-c', config, '--transport', 'engine']);
  assert.equal(status, 5);
  assert.match(stderr, /the native engine is not built/);
});

test('a tree without dependencies says what to do, and ends with 5', () => {
  const tree = join(folder, 'empty');
  mkdirSync(tree);
  cpSync(join(checkout, 'sluice'), join(tree, 'sluice'));
  const { status, stderr } = run(join(tree, 'sluice'), ['--version']);
  assert.equal(status, 5);
  assert.match(stderr, /^sluice: nothing is installed yet: run 'make setup engine' in /);
});
