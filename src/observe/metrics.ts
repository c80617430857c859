/**
 * Prometheus metrics, listed in docs/metrics.md. What ended exchanges tell is added up as they end (tally.ts); what others
 * know (sockets, nodes, the process) is asked for when somebody scrapes.
 */
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Registry from 'prom-client/lib/registry.js';
import { errors } from '../errors.ts';
import type { Observer } from '../exchange.ts';
import { type PolicySources, registerPolicies } from './policy-metrics.ts';
import { registerProcess } from './process-metrics.ts';
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

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const tally = new Tally();
  registerExchanges(registry, tally);
  registerTransports(registry, sources.transports);
  registerState(registry, sources);
  if (sources.policies !== undefined) registerPolicies(registry, sources.policies);
  registerProcess(registry);
  return {
    ended: (exchange) => tally.add(exchange),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function registerExchanges(registry: Registry, tally: Tally): void {
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
  const registers = [registry];
  new Counter({
    name: 'sluice_requests_total',
    help: 'Exchanges ended, by method and class of the status the client was sent (none: no head was sent).',
    labelNames: ['method', 'status'] as const,
    registers,
    collect() {
      this.reset();
      for (const { method, status, count } of tally.requests()) this.inc({ method, status }, count);
    },
  });
  new Counter({
    name: 'sluice_body_bytes_total',
    help: 'Body bytes of ended exchanges: spliced never entered user space, copied went through it.',
    labelNames: ['direction', 'path'] as const,
    registers,
    collect() {
      this.reset();
      for (const direction of ['request', 'response'] as const) {
        for (const path of ['spliced', 'copied'] as const) {
          this.inc({ direction, path }, tally.bytes[direction][path]);
        }
      }
    },
  });
  new Counter({
    name: 'sluice_failures_total',
    help: 'Exchanges that failed, by error code (docs/errors.md) and whose doing it was.',
    labelNames: ['code', 'side'] as const,
    registers,
    collect() {
      this.reset();
      for (const [code, count] of tally.failures) {
        this.inc({ code, side: errors[code].side }, count);
      }
    },
  });
  new Counter({
    name: 'sluice_upstream_attempts_total',
    help: 'Upstream connections tried for ended exchanges, pooled and new.',
    registers,
    collect() {
      this.reset();
      this.inc(tally.attempts);
    },
  });
  new Counter({
    name: 'sluice_upstream_requests_total',
    help: 'Ended exchanges by the cluster and node that served them, the transport of that leg, and whether it was pooled.',
    labelNames: ['cluster', 'node', 'transport', 'reused'] as const,
    registers,
    collect() {
      this.reset();
      for (const { fresh, reused, ...labels } of tally.served) {
        if (fresh > 0) this.inc({ ...labels, reused: 'false' }, fresh);
        if (reused > 0) this.inc({ ...labels, reused: 'true' }, reused);
      }
    },
  });
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
