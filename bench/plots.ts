/** Which pictures are drawn of the results. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { barChart } from './plot.ts';
import { type Column, cell, median, type Results } from './results.ts';

const plots: readonly {
  file: string;
  title: string;
  unit: string;
  columns: readonly Column[];
  cut?: boolean;
}[] = [
  ...(
    [
      ['up', 'Uploads of 100 MB'],
      ['down', 'Downloads of 100 MB'],
      ['up-chunked', 'Chunked uploads of 100 MB'],
      ['down-chunked', 'Chunked downloads of 100 MB'],
    ] as const
  ).map(([direction, title]) => ({
    file: `cpu-${direction}`,
    title,
    unit: 'CPU of the proxy, ms per GB; less is better',
    columns: [4, 32, 128].map((n) => ({
      head: `${n} at once`,
      scenario: `${direction}-${n}`,
      figure: 'cpuMsPerGB',
    })),
  })),
  {
    file: 'cpu-small',
    title: 'Requests of 1 KB',
    unit: 'CPU of the proxy, µs per request; less is better',
    columns: [
      { head: 'POST', scenario: 'post-1k', figure: 'cpuUsPerRequest' },
      { head: 'GET', scenario: 'get-1k', figure: 'cpuUsPerRequest' },
    ],
  },
  {
    file: 'latency-mixed',
    title: 'Small requests while 32 bodies of 100 MB flow',
    unit: 'p99 latency, ms; less is better',
    columns: [{ head: 'p99', scenario: 'mixed', figure: 'p99Us', times: 1e-3 }],
    cut: true,
  },
  {
    file: 'latency-first-byte',
    title: 'First byte of a 100 MB body at the server',
    unit: 'median after the client began to send, µs; less is better',
    columns: [{ head: 'median', scenario: 'first-byte', figure: 'p50Us' }],
    cut: true,
  },
  {
    file: 'memory-rest',
    title: 'Memory at rest',
    unit: 'resident, MiB; less is better',
    columns: [{ head: 'at rest', scenario: 'memory-up', figure: 'restMiB' }],
  },
  {
    file: 'memory-stream',
    title: 'Memory of a stream held open by a slow peer',
    unit: 'resident, KiB for each of 1,000; less is better',
    columns: [
      { head: 'upload', scenario: 'memory-up', figure: 'eachKiB' },
      { head: 'download', scenario: 'memory-down', figure: 'eachKiB' },
    ],
  },
  {
    file: 'memory-idle',
    title: 'Memory of an idle connection',
    unit: 'resident, KiB for each of 10,000; less is better',
    columns: [{ head: 'idle', scenario: 'memory-idle', figure: 'eachKiB' }],
  },
];

/** Draws every chart that the results have something for. */
export function writePlots(results: Results, dir: string): void {
  for (const { file, title, unit, columns, cut } of plots) {
    const measured = columns.filter(({ scenario }) => results.medians[scenario] !== undefined);
    const rows = results.peers
      .map(({ name, title: label }) => ({
        label,
        highlight: name === 'sluice',
        values: measured.map((column) => cell(results, name, column)),
      }))
      .filter(({ values }) => values.some((value) => value !== undefined));
    if (rows.length === 0) continue;
    const middle = median(rows.flatMap(({ values }) => values.filter((value) => value !== undefined)));
    const chart = { title, subtitle: unit, series: measured.map(({ head }) => head), rows };
    writeFileSync(join(dir, `${file}.svg`), barChart(cut ? { ...chart, cutAt: 5 * middle } : chart));
  }
}
