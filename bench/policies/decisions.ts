/**
 * What a decision costs with so many policies loaded: from a parsed head to the verdict (identity, path, endpoint,
 * indices, set). One process, no sockets; medians and p99 of single decisions, timed one by one.
 */
import { writeFileSync } from 'node:fs';
import { beginExchange } from '../../src/exchange.ts';
import { parseRequestHead, type RequestHead } from '../../src/http1/request-head.ts';
import { buildSet } from '../../src/policy/build.ts';
import { createIdentity } from '../../src/policy/identity/identify.ts';
import { Judge } from '../../src/policy/judge.ts';
import { createLimiters } from '../../src/policy/limits/limiter.ts';
import { readSet } from '../../src/policy/read/reading.ts';
import { manyPolicies } from './many.ts';

/** What teams of a large site send; every team in turn, so that no decision finds the last one's caches alone. */
function requestsOf(teams: number): { readonly head: RequestHead; readonly source: string }[] {
  const lines = (team: number): readonly string[] => [
    `POST /logs-${team}-2026.11.23/_bulk`,
    `GET /logs-${team}-*/_search`,
    `PUT /metrics-${team}/_doc/abc%20def`,
    `GET /logs-${team}-a,logs-${team}-b,logs-${team}-c/_count`,
    `GET /_cluster/health`,
    `DELETE /logs-${team}-2026.11.23`,
    `GET /%3Clogs-${team}-%7Bnow%2Fd%7D%3E/_search`,
  ];
  return Array.from({ length: teams }, (_, team) =>
    lines(team).map((line) => ({ head: headOf(line, team), source: `10.${team >> 8}.${team & 255}.7` })),
  ).flat();
}

function headOf(line: string, team: number): RequestHead {
  const text =
    `${line} HTTP/1.1\r\nHost: search.internal:9200\r\nUser-Agent: elasticsearch-js/9.4.3\r\n` +
    'Accept: application/vnd.elasticsearch+json; compatible-with=9\r\n' +
    `Authorization: Basic ${Buffer.from(`team-${team}:secret`).toString('base64')}\r\n` +
    'Content-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n';
  const buffer = Buffer.from(text, 'latin1');
  const head = parseRequestHead(buffer, 0, buffer.length, { maxTarget: 4096, maxFields: 100 });
  if ('code' in head) throw new Error(head.detail);
  return head;
}

async function measure(policies: number) {
  const started = performance.now();
  const texts = manyPolicies(policies).map((text, index) => ({ name: `${index}.yaml`, text }));
  const read = await readSet(texts, { clusters: ['default', 'hot'], verifies: undefined });
  if (read.kind === 'invalid') throw new Error(JSON.stringify(read.problems[0]));
  const readAfter = performance.now() - started;
  const built = await buildSet(read.policies, {
    version: 'bench',
    fallback: 'deny',
    secrets: { directory: undefined, environment: {} },
  });
  if (built.kind === 'wrong') throw new Error(built.problems[0]?.wrong);
  const buildAfter = performance.now() - started - readAfter;
  const identity = await createIdentity({ tokens: [], users: undefined, apiKeys: undefined }, () => {});
  const judge = new Judge({
    identify: (head, source) => identity.identify(head, source),
    challenge: '',
    limiters: createLimiters(),
  });
  judge.use(built.set);

  const requests = requestsOf(Math.max(1, Math.ceil(policies / 3)));
  const taken: number[] = [];
  const verdicts = { allowed: 0, refused: 0 };
  const rounds = Math.max(4, Math.ceil(400_000 / requests.length));
  for (let round = 0; round < rounds; round++) {
    for (const { head, source } of requests) {
      const exchange = beginExchange('id', source, 1);
      const before = process.hrtime.bigint();
      const judgement = judge.judge(head, exchange);
      const after = process.hrtime.bigint();
      if (judgement instanceof Promise) throw new Error('not at once');
      verdicts[judgement.kind] += 1;
      // The first quarter warms the compiler up.
      if (round >= rounds / 4) taken.push(Number(after - before));
    }
  }
  identity.close();
  taken.sort((a, b) => a - b);
  const at = (share: number): number => Math.round((taken[Math.floor(taken.length * share)] ?? 0) / 10) / 100;
  return {
    policies,
    decisions: taken.length,
    median_us: at(0.5),
    p90_us: at(0.9),
    p99_us: at(0.99),
    p999_us: at(0.999),
    ...verdicts,
    read_ms: Math.round(readAfter),
    compile_ms: Math.round(buildAfter),
  };
}

const results = [];
for (const policies of [0, 100, 1000, 10_000]) results.push(await measure(policies));
console.table(results);
const [, , file] = process.argv;
if (file !== undefined)
  writeFileSync(file, `${JSON.stringify({ node: process.version, results }, null, 2)}\n`);
process.exit(0);
