/**
 * `make bench-flood`: what clients that pipeline requests which policies refuse at once, or send worse, do to everybody
 * else. Writes bench/results/flood.json and flood.md. With BEFORE=DIRECTORY, a built checkout of another state, that
 * one is measured in the same run, in turn; without it the page keeps the figures of the last such run. NOTE=TEXT goes
 * onto the page, for what was particular about the run; ROUNDS=0 measures nothing and writes the page anew.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMachine, median, readResults, resultsDir } from '../results.ts';
import { type Flood, type FloodFigures, measureFlood } from './measure.ts';

const seconds = Number(process.env.SECONDS_EACH ?? 4);
const rounds = Number(process.env.ROUNDS ?? 3);

const floods: readonly (Flood | undefined)[] = [
  undefined,
  { connections: 1, kind: 'reads' },
  { connections: 8, kind: 'reads' },
  { connections: 1, kind: 'does-not-read' },
  { connections: 8, kind: 'does-not-read' },
  { connections: 1, kind: 'empty-lines' },
  { connections: 1, kind: 'head-requests' },
];

interface Row extends FloodFigures {
  readonly transport: string;
  readonly flood: string;
}

interface Kept {
  readonly date: string;
  readonly machine: ReturnType<typeof describeMachine>;
  readonly rounds: number;
  readonly seconds: number;
  readonly note: string;
  readonly rows: readonly Row[];
}

const here = join(import.meta.dirname, '../..');
const roots: Record<string, string> = process.env.BEFORE
  ? { before: process.env.BEFORE, after: here }
  : { after: here };
const samples = new Map<string, FloodFigures[]>();
const work = mkdtempSync(join(tmpdir(), 'sluice-bench-flood-'));
try {
  for (let round = 0; round < rounds; round++) {
    for (const transport of ['engine', 'streams'] as const) {
      for (const flood of floods) {
        for (const [when, root] of Object.entries(roots)) {
          const name = JSON.stringify([when, transport, title(flood)]);
          const folder = join(work, `${samples.size}-${round}`);
          const figures = await measureFlood(folder, { root, transport, flood, seconds });
          rmSync(folder, { recursive: true });
          samples.set(name, [...(samples.get(name) ?? []), figures]);
          console.log(name, JSON.stringify(rounded(figures)));
        }
      }
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

const kept = readResults('flood') as unknown as Partial<Record<'before' | 'after', Kept>> | undefined;
const measured = rounds === 0 ? [] : Object.keys(roots);
const results = { ...kept, ...Object.fromEntries(measured.map((when) => [when, keep(when)])) };
if (process.env.SKIP_PAGE === undefined) {
  writeFileSync(join(resultsDir, 'flood.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(resultsDir, 'flood.md'), render(results));
}
process.exit(0);

function title(flood: Flood | undefined): string {
  if (flood === undefined) return 'none';
  const { connections, kind } = flood;
  const what = {
    reads: 'refused requests, answers read',
    'does-not-read': 'refused requests, answers not read',
    'empty-lines': 'nothing but empty lines',
    'head-requests': 'HEAD requests that pass',
  }[kind];
  return `${connections} x ${what}`;
}

/** The medians of the rounds. */
function keep(when: string): Kept {
  const rows = [...samples].flatMap(([name, all]): Row[] => {
    const [of, transport, flood] = JSON.parse(name) as [string, string, string];
    if (of !== when) return [];
    const keys = Object.keys(all[0] ?? {}) as (keyof FloodFigures)[];
    const figures = Object.fromEntries(keys.map((key) => [key, median(all.map((one) => one[key]))]));
    return [{ transport, flood, ...rounded(figures as unknown as FloodFigures) }];
  });
  const note = process.env.NOTE ?? '';
  return { date: new Date().toISOString(), machine: describeMachine(), rounds, seconds, note, rows };
}

function rounded(figures: FloodFigures): FloodFigures {
  const to = (digits: number, value: number): number => Number(value.toFixed(digits));
  return Object.fromEntries(
    Object.entries(figures).map(([key, value]) => [key, to(value < 100 ? 2 : 0, value)]),
  ) as unknown as FloodFigures;
}

function render({ before, after }: { before?: Kept; after?: Kept }): string {
  const part = (name: string, kept: Kept | undefined): string => {
    if (kept === undefined) return '';
    const { machine, date, note } = kept;
    const where = `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, ${date.slice(0, 10)}`;
    const how = `medians of ${kept.rounds} runs of ${kept.seconds} s`;
    return `\n## ${name}\n\n${where}; ${how}.${note === '' ? '' : ` ${note}`}\n\n${table(kept.rows)}\n`;
  };
  return `# A flood beside ordinary clients, measured

By \`make bench-flood\`. A real \`./sluice run\` with a policy that allows one endpoint, access
log to a file. Four ordinary clients ask for that endpoint, one request at a time, with pauses of 4 ms; their times are
shown. Beside them a process pipelines requests that are refused at once, HEAD requests that pass, or empty lines, as
fast as they are taken. It runs at the lowest priority, so that the proxy is measured and not who gets the processors.
${part('Before', before)}${part('After', after)}`;
}

function table(rows: readonly Row[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  const number = (value: number): string => value.toLocaleString('en-US');
  const heads = ['transport', 'flood', 'p50 ms', 'p99 ms', 'slowest ms', 'answered'];
  const more = ['exchanges/s', 'lines lost', 'resident MiB', 'grown MiB'];
  const body = rows.map((row) =>
    line([
      row.transport,
      row.flood,
      ...[row.p50, row.p99, row.slowest, row.answered].map(number),
      ...[row.exchangesPerSecond, row.linesLost, row.residentMiB, row.grownMiB].map(number),
    ]),
  );
  const all = [...heads, ...more];
  return [line(all), line(all.map((_, at) => (at < 2 ? '---' : '---:'))), ...body].join('\n');
}
