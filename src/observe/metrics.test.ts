import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorCodes, errors, failure } from '../errors.ts';
import { beginExchange, type Exchange } from '../exchange.ts';
import { createMetrics, type MetricSources, type TransportCounters } from './metrics.ts';

const counters: TransportCounters = {
  bytesSpliced: 990,
  bytesCopied: 10,
  bytesDiscarded: 5,
  systemCalls: 42,
  accepted: 7,
  connected: 3,
  pipeMisses: 1,
  connections: 4,
  relays: 2,
  pipes: 6,
  pipesInUse: 1,
};

const use = { policy: 'a', streams: 3, waiting: 2, throttled: 1, refused: 4 };
const policies: MetricSources['policies'] = {
  state: () => ({ version: 'v7', policies: 5, since: 2000, accepted: 6, refused: 1, stale: true }),
  hits: () => [
    { policy: 'a', verdict: 'allow', allowed: 7, denied: 0, audited: 8 },
    { policy: 'b', verdict: 'deny', allowed: 0, denied: 0, audited: 0 },
    { policy: 'default', verdict: 'deny', allowed: 0, denied: 9, audited: 0 },
  ],
  use: () => [{ ...use, requestBytes: 100, responseBytes: 11, throttledMs: 1500 }],
  credentialRefusals: () => [{ policy: '', reason: 'wrong-password', count: 3 }],
};

function sources(change: Partial<MetricSources> = {}): MetricSources {
  return {
    transports: () => [{ kind: 'engine', counters }],
    ready: () => true,
    inFlight: () => 9,
    lostLines: () => 11,
    nodes: () => [
      {
        cluster: 'hot',
        node: 'a:9200',
        name: 'es:9200',
        bytesInFlight: 1000,
        idleConnections: 2,
        ejected: true,
      },
    ],
    policies,
    ...change,
  };
}

function exchange(change: Partial<Exchange> = {}): Exchange {
  const made = beginExchange('id', '10.0.0.1', 1);
  Object.assign(made.request, { framing: 'length', bytes: 100, spliced: 90, copied: 10 });
  return Object.assign(made, {
    method: 'POST',
    status: 200,
    cluster: 'hot',
    node: 'a:9200',
    transport: 'engine',
    attempts: 2,
    reused: true,
    firstByteAfter: 4,
    endedAfter: 20,
    ...change,
  });
}

async function lines(metrics: { text(): Promise<string> }): Promise<ReadonlySet<string>> {
  return new Set((await metrics.text()).split('\n'));
}

test('an exchange is counted once, in every metric that tells of it', async () => {
  const metrics = createMetrics(sources());
  metrics.ended(exchange());
  const text = await lines(metrics);
  for (const line of [
    'sluice_requests_total{method="POST",status="2xx"} 1',
    'sluice_request_duration_seconds_bucket{le="0.01"} 0',
    'sluice_request_duration_seconds_bucket{le="0.025"} 1',
    'sluice_request_duration_seconds_sum 0.02',
    'sluice_time_to_first_byte_seconds_count 1',
    'sluice_body_bytes_total{direction="request",path="spliced"} 90',
    'sluice_body_bytes_total{direction="request",path="copied"} 10',
    'sluice_upstream_attempts_total 2',
    'sluice_upstream_requests_total{cluster="hot",node="a:9200",transport="engine",reused="true"} 1',
  ]) {
    assert.ok(text.has(line), line);
  }
});

test('a failure is counted by code and side, also where the client was sent nothing', async () => {
  const metrics = createMetrics(sources());
  metrics.ended(
    exchange({
      status: 0,
      failure: failure('client-gone'),
      firstByteAfter: undefined,
      node: '',
      attempts: 0,
    }),
  );
  const text = await lines(metrics);
  assert.ok(text.has('sluice_requests_total{method="POST",status="none"} 1'));
  assert.ok(text.has('sluice_failures_total{code="client-gone",side="client"} 1'));
  assert.ok(text.has('sluice_time_to_first_byte_seconds_count 0'));
  assert.ok(text.has('sluice_upstream_attempts_total 0'));
});

test('every failure and every answer has its series before the first: a rate sees the first one, too', async () => {
  const text = await lines(createMetrics(sources()));
  for (const code of errorCodes) {
    const line = `sluice_failures_total{code="${code}",side="${errors[code].side}"} 0`;
    assert.ok(text.has(line), line);
  }
  for (const line of [
    'sluice_requests_total{method="POST",status="5xx"} 0',
    'sluice_requests_total{method="other",status="none"} 0',
    'sluice_policy_decisions_total{policy="b",verdict="deny"} 0',
  ]) {
    assert.ok(text.has(line), line);
  }
  assert.ok(
    !text.has('sluice_policy_decisions_total{policy="b",verdict="allow"} 0'),
    'which it never decides',
  );
});

test('no client can make new series', async () => {
  const metrics = createMetrics(sources());
  const before = (await lines(metrics)).size;
  for (let number = 0; number < 200; number++) {
    metrics.ended(
      exchange({ method: `M${number}`, path: `/${number}`, userAgent: `a${number}`, status: 200 + number }),
    );
  }
  assert.equal((await lines(metrics)).size, before + 1, 'that of the node');
});

test('what transports and nodes know is asked for at each scrape, and is not added up', async () => {
  let moved = 100;
  const metrics = createMetrics(
    sources({ transports: () => [{ kind: 'engine', counters: { ...counters, bytesSpliced: moved } }] }),
  );
  await metrics.text();
  moved = 250;
  const text = await lines(metrics);
  for (const line of [
    'sluice_moved_bytes_total{transport="engine",path="spliced"} 250',
    'sluice_engine_system_calls_total{transport="engine"} 42',
    'sluice_pipe_misses_total{transport="engine"} 1',
    'sluice_pipes{transport="engine"} 6',
    'sluice_connections{transport="engine"} 4',
    'sluice_requests_in_flight 9',
    'sluice_access_log_lost_lines_total 11',
    'sluice_ready 1',
    'sluice_upstream_bytes_in_flight{cluster="hot",node="a:9200",name="es:9200"} 1000',
    'sluice_upstream_ejected{cluster="hot",node="a:9200",name="es:9200"} 1',
  ]) {
    assert.ok(text.has(line), line);
  }
});

test('the process tells CPU and memory under the standard names', async () => {
  const text = await createMetrics(sources()).text();
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  assert.ok(value('process_cpu_seconds_total') > 0);
  assert.ok(value('process_resident_memory_bytes') > 2 ** 20);
  assert.ok(value('process_open_fds') > 2);
  assert.ok(Math.abs(value('process_start_time_seconds') - Date.now() / 1000) < 3600);
});

test('docs/metrics.md lists every metric with its type, and no other', async () => {
  const text = await createMetrics(sources()).text();
  const exported = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `([a-z_]+)` +\| (counter|gauge|histogram)/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  );
  assert.deepEqual(documented.toSorted(), exported.toSorted());
});

test('what policies decided and hold back is told by policy, and the set by its version', async () => {
  const metrics = createMetrics(sources());
  await metrics.text();
  const text = await lines(metrics);
  for (const line of [
    'sluice_policies 5',
    'sluice_policy_set_stale 1',
    'sluice_policy_set_timestamp_seconds 2',
    'sluice_policy_set_info{version="v7"} 1',
    'sluice_policy_reloads_total{outcome="accepted"} 6',
    'sluice_policy_reloads_total{outcome="refused"} 1',
    'sluice_policy_decisions_total{policy="a",verdict="allow"} 7',
    'sluice_policy_decisions_total{policy="a",verdict="audit"} 8',
    'sluice_policy_decisions_total{policy="default",verdict="deny"} 9',
    'sluice_policy_credentials_refused_total{policy="",reason="wrong-password"} 3',
    'sluice_policy_streams{policy="a"} 3',
    'sluice_policy_queued{policy="a"} 2',
    'sluice_policy_throttled_streams{policy="a"} 1',
    'sluice_policy_limited_total{policy="a"} 4',
    'sluice_policy_metered_bytes_total{policy="a"} 111',
    'sluice_policy_throttled_seconds_total{policy="a"} 1.5',
  ]) {
    assert.ok(text.has(line), line);
  }
});

test('nodes that come and go for weeks leave no series behind, and none of their counts is lost', async () => {
  const served = (node: string, count: number) =>
    `sluice_upstream_requests_total{cluster="hot",node="${node}",transport="engine",reused="true"} ${count}`;
  const metrics = createMetrics(sources());
  metrics.ended(exchange());
  metrics.ended(exchange({ node: 'gone:9200' }));
  let text = await lines(metrics);
  for (const node of ['a:9200', 'gone:9200']) assert.ok(text.has(served(node, 1)), node);
  metrics.ended(exchange({ node: 'gone:9200' }));
  assert.ok((await lines(metrics)).has(served('gone:9200', 2)));
  text = await lines(metrics);
  assert.deepEqual([text.has(served('a:9200', 1)), text.has(served('gone:9200', 2))], [true, false]);

  for (let node = 0; node < 5000; node++) metrics.ended(exchange({ node: `10.0.0.1:${node}` }));
  const rows = [...(await lines(metrics))].filter((line) =>
    line.startsWith('sluice_upstream_requests_total{'),
  );
  assert.equal(rows.length, 1000);
  assert.ok(rows.includes(served('10.0.0.1:4999', 1)));
});
