/**
 * `make bench-policies`: what policies cost and whether they hold under load. Decisions one by one; 32 streams that
 * share a policy's 200 MB/s; 100 reloads a second for 30 seconds under load. Writes bench/results/policies.json and
 * policies.md, or ends with what did not hold.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMachine, resultsDir } from '../results.ts';
import { measureReloads } from './reloads.ts';
import { measureThrottle } from './throttle.ts';

const work = mkdtempSync(join(tmpdir(), 'sluice-bench-policies-'));
try {
  // In a process of its own: what it measures must not share a heap with the rest.
  const file = join(work, 'decisions.json');
  const child = spawnSync(process.execPath, [join(import.meta.dirname, 'decisions.ts'), file], {
    stdio: 'inherit',
  });
  if (child.status !== 0) throw new Error('decisions.ts failed');
  const decisions = JSON.parse(readFileSync(file, 'utf8')).results;
  const throttle = await measureThrottle(join(work, 'throttle'));
  console.table([throttle]);
  const reloads = await measureReloads(join(work, 'reloads'), 30);
  console.table([reloads]);
  const results = {
    date: new Date().toISOString(),
    command: 'make bench-policies',
    node: process.version,
    machine: describeMachine(),
    decisions,
    throttle,
    reloads,
  };
  writeFileSync(join(resultsDir, 'policies.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(resultsDir, 'policies.md'), render(results));
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exit(0);

function render({
  date,
  machine,
  ...results
}: {
  date: string;
  machine: { cpu: string; cores: number; kernel: string };
  decisions: readonly object[];
  throttle: object;
  reloads: object;
}): string {
  const sections: readonly (readonly [string, readonly object[]])[] = [
    ['Decisions, from a parsed head to the verdict, timed one by one', results.decisions],
    ['32 uploads that share a policy with `requestBandwidth: 200MB/s`', [results.throttle]],
    ['100 changes of the policies a second, under load', [results.reloads]],
  ];
  const tables = sections.map(([title, rows]) => `**${title}**\n\n${table(rows)}\n`);
  const where = `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, ${date.slice(0, 10)}`;
  return `# Policies, measured\n\nBy \`make bench-policies\` (${where}).\n\n${tables.join('\n')}`;
}

function table(rows: readonly object[]): string {
  const keys = Object.keys(rows[0] ?? {});
  const line = (cells: readonly unknown[]): string => `| ${cells.join(' | ')} |`;
  const body = rows.map((row) => line(Object.values(row).map((value) => value.toLocaleString('en-US'))));
  return [line(keys.map((key) => key.replaceAll('_', ' '))), line(keys.map(() => '---:')), ...body].join(
    '\n',
  );
}
