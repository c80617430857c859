/** Bar charts as SVG text: rows of peers, one bar per series, the value beside it. */

export interface ChartRow {
  readonly label: string;
  /** One per series; undefined leaves a gap. */
  readonly values: readonly (number | undefined)[];
  readonly highlight: boolean;
}

export interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly series: readonly string[];
  readonly rows: readonly ChartRow[];
  /** Bars beyond it are cut, visibly; their values still stand beside them. */
  readonly cutAt?: number;
}

const width = 760;
const labelWidth = 190;
const valueWidth = 70;
const barHeight = 12;
const rowGap = 10;
const top = 74;
const shades = {
  highlight: ['#0b7285', '#3bafc4', '#99d9e4'],
  plain: ['#868e96', '#adb5bd', '#d0d4d9'],
};

const quoted = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Three digits, no exponent: 0.123, 1.23, 12.3, 1,234. */
export function threeDigits(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Math.min(digits, 3),
    maximumFractionDigits: Math.min(digits, 3),
  });
}

export function barChart({ title, subtitle, series, rows, cutAt = Number.POSITIVE_INFINITY }: Chart): string {
  const rowHeight = series.length * (barHeight + 1) + rowGap;
  const height = top + rows.length * rowHeight + 8;
  const all = rows.flatMap(({ values }) => values.filter((value) => value !== undefined));
  const scale = (width - labelWidth - valueWidth - 24) / Math.min(Math.max(...all, 1e-9), cutAt);
  const parts = rows.map((row, index) => drawRow(row, top + index * rowHeight, scale, cutAt));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${quoted(title)}">`,
    '<style>text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#343a40}.t{font-size:17px;font-weight:600}.s,.v{font-size:12px;fill:#6c757d}.h{font-weight:600}</style>',
    `<rect width="${width}" height="${height}" rx="8" fill="#fff"/>`,
    `<text class="t" x="16" y="28">${quoted(title)}</text>`,
    `<text class="s" x="16" y="48">${quoted(subtitle)}</text>`,
    ...(series.length > 1 ? legend(series) : []),
    ...parts.flat(),
    '</svg>',
    '',
  ].join('\n');
}

function legend(series: readonly string[]): string[] {
  return series.flatMap((name, i) => {
    const x = width - 16 - (series.length - i) * 92;
    return [
      `<rect x="${x}" y="18" width="12" height="12" rx="2" fill="${shades.highlight[i % 3]}"/>`,
      `<text class="s" x="${x + 18}" y="28">${quoted(name)}</text>`,
    ];
  });
}

function drawRow(row: ChartRow, y: number, scale: number, cutAt: number): string[] {
  const middle = y + (row.values.length * (barHeight + 1)) / 2 + 4;
  const label = `<text${row.highlight ? ' class="h"' : ''} x="${labelWidth - 10}" y="${middle}" text-anchor="end">${quoted(row.label)}</text>`;
  const bars = row.values.flatMap((value, i) => {
    const at = y + i * (barHeight + 1);
    if (value === undefined) return [];
    const length = Math.max(1, Math.min(value, cutAt) * scale);
    const color = shades[row.highlight ? 'highlight' : 'plain'][i % 3];
    const end = labelWidth + length;
    const bar = `<rect x="${labelWidth}" y="${at}" width="${length.toFixed(1)}" height="${barHeight}" rx="2" fill="${color}"/>`;
    const cut = `<path d="M${(end - 16).toFixed(1)} ${at + barHeight}l6 -${barHeight}m4 0l-6 ${barHeight}" stroke="#fff" stroke-width="2"/>`;
    const text = `<text class="v" x="${(end + 6).toFixed(1)}" y="${at + barHeight - 2}">${threeDigits(value)}</text>`;
    return value > cutAt ? [bar, cut, text] : [bar, text];
  });
  return [label, ...bars];
}
