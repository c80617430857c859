/** The dependency rule bites: for every rule, a small tree that breaks it is reported under the rule's name. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patience } from './support/deadline.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const rules = join(root, '.dependency-cruiser.mjs');
const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');

/** Which import breaks which rule: `from`, a file of the tree, imports `to`, another or a package. */
const breaches = [
  ['base-imports-nothing-of-ours', 'src/http1/a.ts', '../net/contract.ts'],
  ['base-imports-nothing-of-ours', 'src/exchange.ts', './config/a.ts'],
  ['net-is-below-the-stages', 'src/net/a.ts', '../relay/a.ts'],
  ['listen-knows-no-other-stage', 'src/listen/a.ts', '../upstream/a.ts'],
  ['policy-knows-no-other-stage', 'src/policy/a.ts', '../listen/b.ts'],
  ['policy-knows-no-other-stage', 'src/policy/c.ts', '../config/a.ts'],
  ['policy-reading-sees-config-too', 'src/policy/read/a.ts', '../../admin/contract.ts'],
  ['policies-are-read-apart', 'src/policy/d.ts', './read/b.ts'],
  ['policies-are-read-apart', 'src/proxy/b.ts', '../policy/read/b.ts'],
  ['schemas-and-yaml-are-read-apart', 'src/policy/e.ts', 'zod'],
  ['schemas-and-yaml-are-read-apart', 'src/proxy/c.ts', 'yaml'],
  ['upstream-knows-no-other-stage', 'src/upstream/a.ts', '../net/engine.ts'],
  ['relay-knows-no-other-stage', 'src/relay/a.ts', '../policy/b.ts'],
  ['proxy-imports-stages-only', 'src/proxy/a.ts', '../observe/b.ts'],
  ['observe-sees-the-record-only', 'src/observe/a.ts', '../net/contract.ts'],
  ['config-stands-alone', 'src/config/b.ts', '../errors.ts'],
  ['admin-stands-alone', 'src/admin/a.ts', '../config/a.ts'],
  ['cli-talks-through-the-admin-contract', 'src/cli/a.ts', '../admin/server.ts'],
  ['main-is-imported-by-nobody', 'src/cli/b.ts', '../main.ts'],
  ['engine-is-behind-net', 'src/net/b.ts', '../../engine/a.ts'],
  ['engine-imports-nothing-of-ours', 'engine/b.ts', '../src/errors.ts'],
  ['src-imports-src-only', 'src/config/c.ts', '../../bench/a.ts'],
  ['no-cycle', 'src/relay/c.ts', './d.ts'],
  ['no-development-dependency', 'src/cli/c.ts', 'development'],
  ['imports-resolve', 'src/cli/d.ts', './nowhere.ts'],
] as const;

/** The way back of the cycle, which is reported once. */
const wayBack = ['src/relay/d.ts', './c.ts'] as const;

/** What the design allows; none of it may be reported. */
const allowed = [
  ['src/http1/ok.ts', '../errors.ts'],
  ['src/net/engine.ts', '../../engine/a.ts'],
  ['src/relay/ok.ts', '../net/contract.ts'],
  ['src/proxy/ok.ts', '../listen/b.ts'],
  ['src/observe/ok.ts', '../exchange.ts'],
  ['src/cli/ok.ts', '../admin/contract.ts'],
  ['src/cli/ok-too.ts', '../policy/read/b.ts'],
  ['src/cli/ok-yaml.ts', 'yaml'],
  ['src/policy/ok.ts', '../http1/ok.ts'],
  ['src/policy/read/ok.ts', '../../config/a.ts'],
  ['src/policy/read/ok-zod.ts', 'zod'],
  ['src/config/ok-yaml.ts', 'yaml'],
  ['src/relay/ok.test.ts', '../observe/b.ts'],
  ['src/main.ts', './observe/b.ts'],
] as const;

interface Report {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { name: string } }[];
  };
}

test('every rule of the house is enforced, and what it allows is not reported', {
  timeout: patience,
}, async () => {
  const tree = await mkdtemp(join(tmpdir(), 'sluice-rule-'));
  try {
    await plant(tree);
    const { violations } = (await cruise(tree)).summary;
    const reported = new Set(violations.map(({ from, rule }) => `${rule.name} ${from}`));
    for (const [rule, from, to] of breaches) {
      assert.ok(reported.has(`${rule} ${from}`), `${from} imports ${to}, and ${rule} says nothing`);
    }
    for (const [from] of allowed) {
      assert.ok(!violations.some((violation) => violation.from === from), `${from} is reported, but allowed`);
    }
    const { default: config } = (await import(rules)) as {
      default: { forbidden: { name: string; comment: string }[] };
    };
    for (const { name, comment } of config.forbidden) {
      assert.ok(comment.length > 20, `${name} does not say why`);
      assert.ok(
        breaches.some(([rule]) => rule === name),
        `no breach shows that ${name} bites`,
      );
    }
  } finally {
    await rm(tree, { recursive: true });
  }
});

async function plant(tree: string): Promise<void> {
  const files = new Map<string, string>();
  for (const [from, to] of [...breaches.map(([, from, to]) => [from, to] as const), ...allowed, wayBack]) {
    files.set(from, `import '${to}';\n`);
    const target = join(dirname(from), to);
    if (to.startsWith('.') && to !== './nowhere.ts' && !files.has(target)) files.set(target, 'export {};\n');
  }
  const dependencies = { zod: '1.0.0', yaml: '1.0.0' };
  const manifest = { type: 'module', dependencies, devDependencies: { development: '1.0.0' } };
  files.set('package.json', JSON.stringify(manifest));
  for (const name of ['development', 'zod', 'yaml']) {
    files.set(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' }));
    files.set(`node_modules/${name}/index.js`, '');
  }
  for (const [path, text] of files) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), text);
  }
}

function cruise(tree: string): Promise<Report> {
  const args = [cruiser, 'src', 'engine', '--config', rules, '--output-type', 'json'];
  return new Promise((resolve, reject) => {
    // It ends with the number of violations, so that an exit code of its own is no failure.
    execFile(
      process.execPath,
      args,
      { cwd: tree, maxBuffer: 2 ** 24, timeout: 50_000 },
      (_error, stdout, stderr) => {
        try {
          resolve(JSON.parse(stdout) as Report);
        } catch {
          reject(new Error(`no report: ${stderr}`));
        }
      },
    );
  });
}
