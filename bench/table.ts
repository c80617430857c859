/**
 * The results as Markdown and pictures. `table.ts --write` fills bench/results/ and the part of the README between
 * its markers; a test keeps that part equal to what the results say.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threeDigits } from './plot.ts';
import { writePlots } from './plots.ts';
import { type Column, cell, type Results, readResults, resultsDir } from './results.ts';

interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  /** Against whom Sluice is divided below the table. */
  readonly against: readonly string[];
}

const cpu = (direction: string, head: string, at: readonly number[]): Column[] =>
  at.map((n) => ({ head: `${head}, ${n}`, scenario: `${direction}-${n}`, figure: 'cpuMsPerGB' }));

const everyone = ['splice-loop', 'haproxy-2.6', 'haproxy-3.0', 'nginx', 'envoy', 'node-pipe'];

const tables: readonly Table[] = [
  {
    title: "The proxy's CPU for bodies of 100 MB with Content-Length, ms per GB, by how many are in flight",
    columns: [...cpu('up', 'up', [4, 32, 128]), ...cpu('down', 'down', [4, 32, 128])],
    against: everyone,
  },
  {
    title: 'The same, chunked',
    columns: [...cpu('up-chunked', 'up', [4, 32, 128]), ...cpu('down-chunked', 'down', [4, 32, 128])],
    against: everyone,
  },
  {
    title: 'Requests of 1 KB, and latencies',
    columns: [
      { head: 'POST, CPU µs', scenario: 'post-1k', figure: 'cpuUsPerRequest' },
      { head: 'GET, CPU µs', scenario: 'get-1k', figure: 'cpuUsPerRequest' },
      { head: 'GET p99 while 32 bodies flow, ms', scenario: 'mixed', figure: 'p99Us', times: 1e-3 },
      { head: 'first byte of a 100 MB body at the server, µs', scenario: 'first-byte', figure: 'p50Us' },
    ],
    against: ['sluice-unjudged', 'haproxy-2.6', 'haproxy-3.0', 'nginx', 'node-pipe'],
  },
  {
    title: 'Resident memory of the process',
    columns: [
      { head: 'at rest, MiB', scenario: 'memory-up', figure: 'restMiB' },
      { head: 'per upload held open (1,000), KiB', scenario: 'memory-up', figure: 'eachKiB' },
      { head: 'per download held open (1,000), KiB', scenario: 'memory-down', figure: 'eachKiB' },
      { head: 'per idle connection (10,000), KiB', scenario: 'memory-idle', figure: 'eachKiB' },
      { head: 'pipes of 1,000 uploads', scenario: 'memory-up', figure: 'pipes', whole: true },
      { head: 'of 1,000 downloads', scenario: 'memory-down', figure: 'pipes', whole: true },
    ],
    against: ['haproxy-2.6', 'nginx'],
  },
];

const underDefault: Table = {
  title: "CPU under the machine's own congestion control, ms per GB",
  columns: [...cpu('up', 'up', [4, 32]), ...cpu('down', 'down', [4, 32])],
  against: everyone,
};

/** The table's text; empty where nothing of it was measured. */
function render(results: Results, table: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const lines = [
    `**${table.title}**`,
    '',
    line(['', ...table.columns.map(({ head }) => head)]),
    line(['---', ...table.columns.map(() => '---:')]),
  ];
  for (const { name, title } of results.peers) {
    const cells = table.columns.map((column) => {
      const value = cell(results, name, column);
      if (value !== undefined) return column.whole ? value.toLocaleString('en-US') : threeDigits(value);
      return results.failures.some((f) => f.peer === name && f.scenario === column.scenario) ? 'failed' : '';
    });
    if (cells.some((text) => text !== ''))
      lines.push(
        line(
          name === 'sluice'
            ? [title, ...cells].map((text) => (text === '' ? '' : `**${text}**`))
            : [title, ...cells],
        ),
      );
  }
  if (lines.length === 4) return '';
  for (const name of table.against) {
    const title = results.peers.find((peer) => peer.name === name)?.title;
    if (title === undefined || !results.peers.some((peer) => peer.name === 'sluice')) continue;
    const ratios = table.columns.map((column) => {
      const [ours, theirs] = [cell(results, 'sluice', column), cell(results, name, column)];
      return ours === undefined || !theirs ? '' : `${(ours / theirs).toFixed(2)} x`;
    });
    lines.push(line([`*Sluice ÷ ${title}*`, ...ratios]));
  }
  return lines.join('\n');
}

function provenance(results: Results): string {
  const { machine, rounds, date, command, congestionControl } = results;
  const lines = [
    `Measured on ${date} by \`${command}\` under ${congestionControl}, ${results.ownNamespace ? 'in a network namespace of its own' : 'without a network namespace (none could be made)'}: Linux ${machine.kernel}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB; loopback; medians of ${rounds} interleaved rounds (128 at once and memory: one round); one worker each, ${results.ownUsers ? 'each as an unprivileged user of its own' : 'all as one user'}; CPU of the proxy's process alone, from the operating system. Sluice writes its access log, the others write none.`,
    `Versions: ${results.peers.map(({ title, version }) => `${title} (${version})`).join(', ')}.`,
  ];
  const fewer = Object.entries(results.medians['memory-idle'] ?? {}).filter(
    ([, { held }]) => held !== 10_000,
  );
  if (fewer.length > 0)
    lines.push(
      `Idle connections, where the limit of open files allowed fewer than 10,000: ${fewer.map(([name, { held }]) => `${name} ${held}`).join(', ')}.`,
    );
  if (results.missing.length > 0)
    lines.push(`Missing: ${results.missing.map(({ title, why }) => `${title} (${why})`).join(', ')}.`);
  return lines.join('\n');
}

/** What Sluice's own counters say of how it did that; empty where it wasn't measured. */
function counted(results: Results): string {
  const figure = (scenario: string, name: string): number | undefined =>
    results.medians[scenario]?.sluice?.[name];
  const each = (name: string, write: (value: number) => string, scenarios: readonly string[]): string[] =>
    scenarios.flatMap((scenario) => {
      const value = figure(scenario, name);
      return value === undefined ? [] : [`${scenario} ${write(value)}`];
    });
  const percent = (share: number): string => `${threeDigits(share * 100)} %`;
  const bodies = ['up-4', 'up-32', 'down-4', 'down-32', 'up-chunked-4', 'down-chunked-4'];
  const lines = [
    ['system calls per GB', each('systemCallsPerGB', threeDigits, bodies)],
    ['system calls per request', each('systemCallsPerRequest', threeDigits, ['post-1k', 'get-1k'])],
    [
      'body bytes copied, all others spliced',
      each('copiedShare', percent, [...bodies, 'memory-up', 'memory-down']),
    ],
  ] as const;
  const told = lines.filter(([, values]) => values.length > 0);
  if (told.length === 0) return '';
  return ["Sluice's own counters:", ...told.map(([what, values]) => `- ${what}: ${values.join(', ')}.`)].join(
    '\n',
  );
}

/** The part of the README; links are relative to the repository's root. */
export function readmePart(reno: Results | undefined, own: Results | undefined): string {
  const parts: string[] = [];
  if (reno) parts.push(...tables.map((table) => render(reno, table)), counted(reno), provenance(reno));
  if (own) parts.push(render(own, underDefault), provenance(own));
  if (parts.length === 0) return 'Not measured yet: `make bench`.';
  parts.push('Raw rounds and plots: [bench/results](bench/results).');
  return parts.filter((part) => part !== '').join('\n\n');
}

const begin = '<!-- bench:begin -->';
const end = '<!-- bench:end -->';

/** What stands between the README's markers, or nothing where it has none. */
export function partOf(readme: string): string | undefined {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  return from < 0 || to < from ? undefined : readme.slice(from + begin.length, to).trim();
}

function write(dir: string, readmePath: string | undefined): void {
  const [reno, own] = [readResults('reno', dir), readResults('default', dir)];
  const part = readmePart(reno, own);
  writeFileSync(join(dir, 'table.md'), `${part}\n`);
  if (reno) writePlots(reno, dir);
  if (!readmePath) return;
  const readme = readFileSync(readmePath, 'utf8');
  if (partOf(readme) === undefined) throw new Error(`${readmePath} has no ${begin} and ${end}`);
  const [before, after] = [
    readme.slice(0, readme.indexOf(begin) + begin.length),
    readme.slice(readme.indexOf(end)),
  ];
  writeFileSync(readmePath, `${before}\n${part}\n${after}`);
}

if (import.meta.main) {
  const [flag, dir] = process.argv.slice(2);
  if (flag === '--write') write(resultsDir, join(import.meta.dirname, '../README.md'));
  else if (flag === '--in' && dir) write(dir, undefined);
  else throw new Error('usage: table.ts --write | --in DIRECTORY');
}
