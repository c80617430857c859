import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ErrorRow, errors, type Side } from './errors.ts';

const page = new URL('../docs/errors.md', import.meta.url);
const rows: [string, ErrorRow][] = Object.entries(errors);

const sides: readonly [Side, string][] = [
  ['client', "The client's doing. Where a head or a body is malformed, the connection is closed."],
  ['proxy', 'Sluice itself.'],
  ['upstream', 'The server, or the way to it.'],
];

function render(): string {
  const sections = sides.map(([side, what]) => {
    const lines = rows
      .filter(([, row]) => row.side === side)
      .map(
        ([code, row]) => `| \`${code}\` | ${row.status} | ${row.retryable ? 'yes' : 'no'} | ${row.reason} |`,
      );
    return `## ${side}\n${what}\n\n| code | status | other nodes tried | reason |\n|---|---|---|---|\n${lines.join('\n')}\n`;
  });
  return `# Errors

Every way an exchange can fail. The code stands in the access log and in the metrics, and in answers of Sluice's own
as \`error.type\`, with \`sluice_\` before it and \`_\` for \`-\`. The status is what the client is answered with while no
response head has been sent to it; after that, a failure cuts the connection, so that a truncated body can't pass
for a whole one. 499 is only logged: there is nobody left to answer. Other nodes are tried only while no byte of the
body has left for a server.

Written from \`src/errors.ts\` by \`UPDATE=1 node --test src/errors.test.ts\`, and kept equal to it by that test.

${sections.join('\n')}`;
}

test('docs/errors.md lists every error code with its status, and nothing else', () => {
  if (process.env.UPDATE === '1') writeFileSync(page, render());
  assert.equal(readFileSync(page, 'utf8'), render());
});

test('every row can be answered: a client error is 4xx or a refusal to support, another is 5xx', () => {
  for (const [code, row] of rows) {
    assert.match(code, /^[a-z]+(-[a-z]+)*$/);
    assert.match(row.reason, /^[A-Z][ -~]*\.$/, code);
    const range = row.side === 'client' && ![501, 505].includes(row.status) ? [400, 499] : [500, 599];
    assert.ok(row.status >= range[0]! && row.status <= range[1]!, code);
  }
});

test('only failures to reach a server are retryable: nothing of a body has left then', () => {
  for (const [code, row] of rows) assert.ok(!row.retryable || row.side !== 'client', code);
});
