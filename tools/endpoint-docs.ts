/** The tables of docs/endpoints.md, each between its markers. */

import { dangers } from './endpoint-groups.ts';
import type { EndpointRow } from './endpoint-row.ts';

type Server = EndpointRow['server'];

const servers: readonly Server[] = ['both', 'elasticsearch', 'opensearch'];
const code = (name: string): string => `\`${name}\``;

/** `docs` with its tables made anew from `rows`; `query` are the parameters of queries that name indices. */
export function printDocs(docs: string, rows: readonly EndpointRow[], query: readonly string[]): string {
  const of = (group: string, server: Server): readonly EndpointRow[] =>
    rows.filter((row) => row.group === group && row.server === server);
  const groups = dangers.map((group) =>
    tableRow([code(group), ...servers.map((server) => String(of(group, server).length))]),
  );
  const bodies = dangers.flatMap((group) => {
    // Of the others of OpenSearch, whatever takes a body: the text says so.
    const listed = group === 'read' || group === 'write' ? servers : servers.slice(0, 2);
    const names = listed.flatMap((server) => of(group, server).filter(({ bodyIndices }) => bodyIndices));
    return group === 'security'
      ? []
      : [tableRow([code(group), names.map(({ name }) => code(name)).join(', ')])];
  });
  const withGroups = between(docs, 'groups', groups);
  const withBodies = between(withGroups, 'bodies', bodies);
  return between(withBodies, 'query', [`${query.map(code).join(', ')}.`]);
}

const tableRow = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** Puts `lines` after the head of the table, or the line, that follows the marker. */
function between(docs: string, marker: string, lines: readonly string[]): string {
  const begin = `<!-- ${marker} -->\n`;
  const start = docs.indexOf(begin) + begin.length;
  const end = docs.indexOf(`<!-- /${marker} -->`);
  if (start < begin.length || end < start)
    throw new Error(`docs/endpoints.md lacks the markers of ${marker}`);
  const head = docs.slice(start, end).match(/^\|.*\n\|[-:|]+\|\n/)?.[0] ?? '';
  return `${docs.slice(0, start)}${head}${lines.join('\n')}\n${docs.slice(end)}`;
}
