/**
 * Prometheus metrics, listed in docs/metrics.md. What ended exchanges tell is counted as they end; what others
 * know (sockets, nodes, the process) is asked for when somebody scrapes.
 */
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import { errors } from '../errors.ts';
import type { Exchange, Observer } from '../exchange.ts';
import { type PolicySources, registerPolicies } from './policy-metrics.ts';
import { registerProcess } from './process-metrics.ts';

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
  readonly nodes?: () => readonly NodeState[];
  readonly version?: string;
  /** Undefined where requests are not judged. */
  readonly policies?: PolicySources | undefined;
}

export interface Metrics extends Observer {
  /** The exposition text; `contentType` goes with it. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** From a small request on loopback to an upload over a slow line, in seconds. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600];

/** Anything else is `other`: clients must not be able to make new series. */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);
const statusClasses = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const ended = registerExchanges(registry);
  registerTransports(registry, sources.transports);
  registerState(registry, sources);
  if (sources.policies !== undefined) registerPolicies(registry, sources.policies);
  registerProcess(registry);
  return { ended, text: () => registry.metrics(), contentType: registry.contentType };
}

function registerExchanges(registry: Registry): (exchange: Exchange) => void {
  const registers = [registry];
  const requests = new Counter({
    name: 'sluice_requests_total',
    help: 'Exchanges ended, by method and class of the status the client was sent (none: no head was sent).',
    labelNames: ['method', 'status'] as const,
    registers,
  });
  const duration = new Histogram({
    name: 'sluice_request_duration_seconds',
    help: 'From the first byte of the request head to the end of the exchange.',
    buckets,
    registers,
  });
  const firstByte = new Histogram({
    name: 'sluice_time_to_first_byte_seconds',
    help: 'From the first byte of the request head to the response head.',
    buckets,
    registers,
  });
  const bodyBytes = new Counter({
    name: 'sluice_body_bytes_total',
    help: 'Body bytes of ended exchanges: spliced never entered user space, copied went through it.',
    labelNames: ['direction', 'path'] as const,
    registers,
  });
  const failures = new Counter({
    name: 'sluice_failures_total',
    help: 'Exchanges that failed, by error code (docs/errors.md) and whose doing it was.',
    labelNames: ['code', 'side'] as const,
    registers,
  });
  const attempts = new Counter({
    name: 'sluice_upstream_attempts_total',
    help: 'Upstream connections tried for ended exchanges, pooled and new.',
    registers,
  });
  const served = new Counter({
    name: 'sluice_upstream_requests_total',
    help: 'Ended exchanges by the cluster and node that served them, the transport of that leg, and whether it was pooled.',
    labelNames: ['cluster', 'node', 'transport', 'reused'] as const,
    registers,
  });

  const count = (direction: string, { spliced, copied }: Exchange['request']): void => {
    if (spliced > 0) bodyBytes.inc({ direction, path: 'spliced' }, spliced);
    if (copied > 0) bodyBytes.inc({ direction, path: 'copied' }, copied);
  };
  return (exchange) => {
    const { method, status, failure, firstByteAfter, cluster, node, transport, reused } = exchange;
    requests.inc({
      method: methods.has(method) ? method : 'other',
      status: statusClasses[Math.trunc(status / 100)] ?? 'none',
    });
    duration.observe(exchange.endedAfter / 1000);
    if (firstByteAfter !== undefined) firstByte.observe(firstByteAfter / 1000);
    count('request', exchange.request);
    count('response', exchange.response);
    if (exchange.attempts > 0) attempts.inc(exchange.attempts);
    if (node !== '') served.inc({ cluster, node, transport, reused: String(reused) });
    if (failure !== undefined) failures.inc({ code: failure.code, side: errors[failure.code].side });
  };
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

function registerTransports(registry: Registry, transports: MetricSources['transports']): void {
  const registers = [registry];
  const labelNames = ['transport'] as const;
  for (const [name, help, read] of transportCounters) {
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const { kind, counters } of transports()) this.inc({ transport: kind }, read(counters));
      },
    });
  }
  for (const [name, help, read] of transportGauges) {
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        for (const { kind, counters } of transports()) this.set({ transport: kind }, read(counters));
      },
    });
  }
  new Counter({
    name: 'sluice_moved_bytes_total',
    help: 'Body bytes moved so far, also of exchanges still in flight, by transport and path.',
    labelNames: ['transport', 'path'] as const,
    registers,
    collect() {
      this.reset();
      for (const { kind, counters } of transports()) {
        this.inc({ transport: kind, path: 'spliced' }, counters.bytesSpliced);
        this.inc({ transport: kind, path: 'copied' }, counters.bytesCopied);
        this.inc({ transport: kind, path: 'discarded' }, counters.bytesDiscarded);
      }
    },
  });
}

function registerState(registry: Registry, { ready, inFlight, nodes, version }: MetricSources): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge('sluice_ready', '1 while /readyz answers 200.', () => (ready() ? 1 : 0));
  gauge('sluice_requests_in_flight', 'Exchanges begun and not ended.', inFlight);
  const nodeGauge = (name: string, help: string, read: (state: NodeState) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['cluster', 'node'] as const,
      registers,
      collect() {
        for (const state of nodes?.() ?? [])
          this.set({ cluster: state.cluster, node: state.node }, read(state));
      },
    });
  };
  nodeGauge(
    'sluice_upstream_bytes_in_flight',
    'Body bytes the balancer counts for a node.',
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
  new Gauge({
    name: 'sluice_build_info',
    help: 'Always 1; the version of Sluice and of Node.',
    labelNames: ['version', 'node'] as const,
    registers,
  }).set({ version: version ?? 'unknown', node: process.version }, 1);
}
