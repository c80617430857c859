/**
 * Prometheus metrics, listed in docs/metrics.md. What ended exchanges tell is added up as they end (tally.ts); what others
 * know (sockets, nodes, the process) is asked for when somebody scrapes.
 */
import type Gauge from 'prom-client/lib/gauge.js';
import Registry from 'prom-client/lib/registry.js';
import { errorCodes, errors } from '../errors.ts';
import type { Observer } from '../exchange.ts';
import { type PolicySources, registerPolicies } from './policy-metrics.ts';
import { registerProcess } from './process-metrics.ts';
import { type Sample, Scraped } from './scraped.ts';
import type { FailedCall } from './shortages.ts';
import { type Distribution, Tally } from './tally.ts';

/** A transport's own counters: since the start, except for the gauges at the end. */
export interface TransportCounters {
  readonly bytesSpliced: number;
  readonly bytesCopied: number;
  readonly bytesDiscarded: number;
  readonly systemCalls: number;
  readonly accepted: number;
  readonly connected: number;
  readonly pipeMisses: number;
  readonly connections: number;
  readonly relays: number;
  readonly pipes: number;
  readonly pipesInUse: number;
}

export interface NodeState {
  readonly cluster: string;
  readonly node: string;
  /** As configured: where it differs from `node`, a name that resolves to it. */
  readonly name: string;
  readonly bytesInFlight: number;
  readonly idleConnections: number;
  readonly ejected: boolean;
}

/** Whom to ask at a scrape. */
export interface MetricSources {
  readonly transports: () => readonly { readonly kind: string; readonly counters: TransportCounters }[];
  readonly ready: () => boolean;
  /** Exchanges begun and not ended. */
  readonly inFlight: () => number;
  /** Lines that the access log could not write; undefined where there is none. */
  readonly lostLines?: (() => number) | undefined;
  readonly nodes?: () => readonly NodeState[];
  readonly version?: string;
  /** Undefined where requests are not judged. */
  readonly policies?: PolicySources | undefined;
  /** Calls that the system refused for want of something of this machine's. */
  readonly failedCalls?: () => Iterable<FailedCall & { readonly count: number }>;
  readonly descriptorLimit?: () => number | undefined;
}

export interface Metrics extends Observer {
  /** The exposition text; `contentType` goes with it. */
  text(): Promise<string>;
  readonly contentType: string;
}

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const tally = new Tally();
  const scraped = new Scraped(registry);
  registerDistribution(
    registry,
    'sluice_request_duration_seconds',
    'From the first byte of the request head to the end of the exchange.',
    tally.duration,
  );
  registerDistribution(
    registry,
    'sluice_time_to_first_byte_seconds',
    'From the first byte of the request head to the response head.',
    tally.firstByte,
  );
  registerExchanges(scraped, tally, sources.nodes);
  if (sources.lostLines !== undefined) {
    scraped.counter(
      'sluice_access_log_lost_lines_total',
      'Lines of the access log given up because its destination took none, or took them too slowly.',
      sources.lostLines,
    );
  }
  registerTransports(scraped, sources.transports);
  registerState(scraped, sources);
  registerFailedCalls(scraped, sources.failedCalls);
  if (sources.policies !== undefined) registerPolicies(scraped, sources.policies);
  registerProcess(scraped, sources.descriptorLimit);
  return {
    ended: (exchange) => tally.add(exchange),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function registerExchanges(scraped: Scraped, tally: Tally, nodes: MetricSources['nodes']): void {
  scraped.counters(
    'sluice_requests_total',
    'Exchanges ended, by method and class of the status the client was sent (none: no head was sent).',
    ['method', 'status'],
    () => [...tally.requests()].map(({ method, status, count }) => [{ method, status }, count]),
  );
  scraped.counters(
    'sluice_body_bytes_total',
    'Body bytes of ended exchanges: spliced never entered user space, copied went through it.',
    ['direction', 'path'],
    () =>
      (['request', 'response'] as const).flatMap((direction) =>
        (['spliced', 'copied'] as const).map(
          (path): Sample => [{ direction, path }, tally.bytes[direction][path]],
        ),
      ),
  );
  scraped.counters(
    'sluice_failures_total',
    'Exchanges that failed, by error code (docs/errors.md) and whose doing it was.',
    ['code', 'side'],
    // Every code from the start: a rate does not see the failure with which its series begins.
    () => errorCodes.map((code) => [{ code, side: errors[code].side }, tally.failures.get(code) ?? 0]),
  );
  scraped.counter(
    'sluice_upstream_attempts_total',
    'Upstream connections tried for ended exchanges, pooled and new.',
    () => tally.attempts,
  );
  scraped.counters(
    'sluice_upstream_requests_total',
    'Ended exchanges by the cluster and node that served them, the transport of that leg, and whether it was pooled.',
    ['cluster', 'node', 'transport', 'reused'],
    () => {
      const there = nodes && new Set(nodes().map(({ cluster, node }) => `${cluster} ${node}`));
      const isThere = (cluster: string, node: string) => there?.has(`${cluster} ${node}`) ?? true;
      return [...tally.served(isThere)].flatMap(({ cluster, node, transport, fresh, reused }) => {
        const labels = { cluster, node, transport };
        const both: readonly Sample[] = [
          [{ ...labels, reused: 'false' }, fresh],
          [{ ...labels, reused: 'true' }, reused],
        ];
        return both.filter(([, count]) => count > 0);
      });
    },
  );
}

/** The library has no histogram that is filled from elsewhere; what it prints is what `get` of a metric gives. */
function registerDistribution(registry: Registry, name: string, help: string, of: Distribution): void {
  const get = () => {
    let count = 0;
    const rows = [...of.counts].map((inBucket, bucket) => {
      count += inBucket;
      return { metricName: `${name}_bucket`, labels: { le: of.bounds[bucket] ?? '+Inf' }, value: count };
    });
    const sum = { metricName: `${name}_sum`, labels: {}, value: of.sum };
    const all = { metricName: `${name}_count`, labels: {}, value: count };
    return { name, help, type: 'histogram', values: [...rows, sum, all] };
  };
  registry.registerMetric({ name, help, get } as unknown as Gauge);
}

/** One metric of every transport: its name, its help, what it reads. */
type TransportRow = readonly [name: string, help: string, read: (counters: TransportCounters) => number];

const transportCounters: readonly TransportRow[] = [
  ['sluice_connections_accepted_total', 'Client connections accepted.', (from) => from.accepted],
  ['sluice_connections_opened_total', 'Upstream connections established.', (from) => from.connected],
  [
    'sluice_engine_system_calls_total',
    'System calls made for sockets and pipes.',
    (from) => from.systemCalls,
  ],
  [
    'sluice_pipe_misses_total',
    'Times a relay copied because no pipe was to be had (fs.pipe-user-pages-soft).',
    (from) => from.pipeMisses,
  ],
];

const transportGauges: readonly TransportRow[] = [
  ['sluice_connections', 'Connections open, clients and upstream.', (from) => from.connections],
  ['sluice_relays', 'Bodies in flight.', (from) => from.relays],
  ['sluice_pipes', 'Pipes held, in use and pooled.', (from) => from.pipes],
  ['sluice_pipes_in_use', 'Pipes with body bytes inside.', (from) => from.pipesInUse],
];

function registerTransports(scraped: Scraped, transports: MetricSources['transports']): void {
  const each = (read: (counters: TransportCounters) => number) => () =>
    transports().map(({ kind, counters }): Sample => [{ transport: kind }, read(counters)]);
  for (const [name, help, read] of transportCounters) scraped.counters(name, help, ['transport'], each(read));
  for (const [name, help, read] of transportGauges) scraped.gauges(name, help, ['transport'], each(read));
  scraped.counters(
    'sluice_moved_bytes_total',
    'Body bytes moved so far, also of exchanges still in flight, by transport and path.',
    ['transport', 'path'],
    () =>
      transports().flatMap(({ kind: transport, counters }): readonly Sample[] => [
        [{ transport, path: 'spliced' }, counters.bytesSpliced],
        [{ transport, path: 'copied' }, counters.bytesCopied],
        [{ transport, path: 'discarded' }, counters.bytesDiscarded],
      ]),
  );
}

function registerFailedCalls(scraped: Scraped, failedCalls: MetricSources['failedCalls']): void {
  scraped.counters(
    'sluice_failed_calls_total',
    'System calls for connections refused for want of descriptors, ports, memory or permission.',
    ['transport', 'call', 'errno'],
    () =>
      [...(failedCalls?.() ?? [])].map(
        ({ count, transport, call, errno }): Sample => [{ transport, call, errno }, count],
      ),
  );
}

function registerState(scraped: Scraped, { ready, inFlight, nodes, version }: MetricSources): void {
  scraped.gauge('sluice_ready', '1 while /readyz answers 200.', () => (ready() ? 1 : 0));
  scraped.gauge('sluice_requests_in_flight', 'Exchanges begun and not ended.', inFlight);
  const nodeGauge = (name: string, help: string, read: (state: NodeState) => number): void => {
    scraped.gauges(name, help, ['cluster', 'node', 'name'], () =>
      (nodes?.() ?? []).map((state) => [
        { cluster: state.cluster, node: state.node, name: state.name },
        read(state),
      ]),
    );
  };
  nodeGauge(
    'sluice_upstream_bytes_in_flight',
    'What the exchanges under way to a node weigh in the balance.',
    (state) => state.bytesInFlight,
  );
  nodeGauge(
    'sluice_upstream_idle_connections',
    'Pooled connections of a node.',
    (state) => state.idleConnections,
  );
  nodeGauge('sluice_upstream_ejected', '1 while a node is left alone after failures.', (state) =>
    Number(state.ejected),
  );
  const build = { version: version ?? 'unknown', node: process.version };
  scraped.gauges(
    'sluice_build_info',
    'Always 1; the version of Sluice and of Node.',
    ['version', 'node'],
    () => [[build, 1]],
  );
}
