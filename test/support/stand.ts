/** The proxy in this process, from its listener to its cluster, with short timeouts, and its records kept. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe } from 'node:test';
import type { Exchange } from '../../src/exchange.ts';
import { Front } from '../../src/listen/front.ts';
import type { Transport, TransportKind } from '../../src/net/contract.ts';
import { createEngineTransport } from '../../src/net/engine.ts';
import { createStreamsTransport } from '../../src/net/streams.ts';
import type { ProxyOptions } from '../../src/proxy/options.ts';
import { createProxy, type Proxy as RunningProxy } from '../../src/proxy/proxy.ts';
import type { TrustSetting } from '../../src/proxy/trust.ts';
import { newPseudonym } from '../../src/proxy/via.ts';
import { Cluster, type ClusterOptions } from '../../src/upstream/cluster.ts';
import type { ClusterEvent } from '../../src/upstream/events.ts';
import type { NodeAddress } from '../../src/upstream/node.ts';
import { Arrivals } from './arrivals.ts';
import { until } from './deadline.ts';
import { descriptors, descriptorsBackTo } from './descriptors.ts';
import { RawPeer } from './raw-peer.ts';
import { sockets } from './wires.ts';

export interface StandOptions {
  /** Ports on 127.0.0.1, or whole addresses. */
  readonly nodes: readonly (number | NodeAddress)[];
  readonly timeouts?: Partial<ProxyOptions['timeouts']> & { readonly connect?: number };
  readonly limits?: Partial<ProxyOptions['limits']>;
  readonly preflight?: Partial<ProxyOptions['preflight']>;
  readonly ejection?: Partial<ClusterOptions['ejection']>;
  readonly pool?: Partial<ClusterOptions['pool']>;
  readonly host?: ClusterOptions['host'];
  readonly dns?: ClusterOptions['dns'];
  readonly resolver?: ClusterOptions['resolver'];
  readonly trust?: TrustSetting;
  /** Undefined: every request passes. */
  readonly judge?: ProxyOptions['judge'];
  /** The nodes of more clusters, by name. */
  readonly clusters?: Readonly<Record<string, readonly (number | NodeAddress)[]>>;
  readonly maxConnections?: number;
  /** Called in the turn in which an exchange ends. */
  readonly onEnded?: (exchange: Exchange) => void;
  /** TCP_USER_TIMEOUT of both legs, milliseconds. */
  readonly userTimeout?: number;
}

const MIB = 1024 * 1024;

/**
 * Runs a suite once on each transport; one that is not built is skipped, and said so. After each test no more
 * sockets and pipes are held than before it.
 */
export function onEachTransport(name: string, suite: (kind: TransportKind) => void): void {
  const engine = createEngineTransport();
  engine?.close();
  for (const kind of ['engine', 'streams'] as const) {
    const skip = kind === 'engine' && !engine ? 'the engine is not built' : false;
    describe(`${name} (${kind})`, { skip }, () => {
      let before: ReturnType<typeof descriptors>;
      beforeEach(() => {
        before = descriptors();
      });
      afterEach(async () => {
        assert.deepEqual(faults.splice(0), []);
        await descriptorsBackTo(before);
      });
      suite(kind);
    });
  }
}

/** What stands had left when they were closed: kept for the end of the test, so as not to hide what failed in it. */
const faults: unknown[] = [];

export function nodeAt(port: number): NodeAddress {
  return { name: `127.0.0.1:${port}`, host: '127.0.0.1', port, tls: undefined };
}

export class Stand {
  readonly port: number;
  /** Its name in Via. */
  readonly pseudonym = newPseudonym();
  readonly front: Front;
  readonly proxy: RunningProxy;
  readonly cluster: Cluster;
  /** The others, by name. */
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** Carries clients and plain upstreams. */
  readonly transport: Transport;
  /** Carries TLS upstreams; the same one where the stand is of streams. */
  readonly secure: Transport;
  /** Every record, in the order in which the exchanges ended. */
  readonly exchanges: Exchange[] = [];
  /** What the clusters told, in order. */
  readonly events: ClusterEvent[] = [];
  readonly #arrived = new Arrivals<Exchange>();
  readonly #clients: RawPeer[] = [];

  private constructor(kind: TransportKind, options: StandOptions) {
    this.secure = createStreamsTransport();
    const transport = kind === 'streams' ? this.secure : createEngineTransport();
    assert.ok(transport);
    this.transport = transport;
    const { timeouts, limits, preflight } = options;
    const socket = { ...sockets, userTimeout: options.userTimeout ?? sockets.userTimeout };
    const openCluster = (name: string, nodes: StandOptions['nodes']): Cluster =>
      new Cluster({
        name,
        nodes: nodes.map((node) => (typeof node === 'number' ? nodeAt(node) : node)),
        host: options.host ?? 'client',
        pool: { maxIdlePerNode: 16, idleTimeout: 60_000, maxAge: Number.POSITIVE_INFINITY, ...options.pool },
        ejection: { baseTime: 100, maxTime: 1000, failures: 5, maxPercent: 50, ...options.ejection },
        dns: options.dns ?? { refresh: 60_000 },
        resolver: options.resolver,
        onEvent: (event) => this.events.push(event),
        dial: { plain: transport, secure: this.secure, timeout: timeouts?.connect ?? 1000, socket },
      });
    this.cluster = openCluster('test', options.nodes);
    this.clusters = new Map(
      Object.entries(options.clusters ?? {}).map(([name, nodes]) => [name, openCluster(name, nodes)]),
    );
    this.proxy = createProxy({
      cluster: this.cluster,
      clusters: this.clusters,
      judge: options.judge,
      observers: [{ ended: (exchange) => this.#ended(exchange, options.onEnded) }],
      trust: options.trust ?? 'none',
      pseudonym: this.pseudonym,
      draining: () => this.front.draining,
      preflight: { threshold: MIB, timeout: 300, ...preflight },
      timeouts: { head: 2000, idle: 30_000, stall: 10_000, responseHead: 0, linger: 5000, ...timeouts },
      limits: {
        headBytes: 16 * 1024,
        headFields: 100,
        targetBytes: 4096,
        responseHeadBytes: 512 * 1024,
        responseHeadFields: 2000,
        trailerBytes: 8192,
        lingerBytes: 256 * MIB,
        attempts: 3,
        ...limits,
      },
    });
    this.front = new Front(transport, this.proxy.serve);
    this.port = 0;
  }

  static async open(kind: TransportKind, options: StandOptions): Promise<Stand> {
    const stand = new Stand(kind, options);
    const { port } = await stand.front.listen({
      ...sockets,
      userTimeout: options.userTimeout ?? sockets.userTimeout,
      host: '127.0.0.1',
      port: 0,
      backlog: 511,
      reusePort: false,
      ipv6Only: false,
      maxConnections: options.maxConnections ?? 1000,
    });
    return Object.assign(stand, { port });
  }

  /** A raw client of the proxy. */
  async client(): Promise<RawPeer> {
    const peer = await RawPeer.connect(this.port);
    this.#clients.push(peer);
    return peer;
  }

  /** Until disposed of, the node at `port` is the heavier one: of two, the balance always tries the other one first. */
  weighDown(port: number): Disposable {
    const node = this.cluster.nodes.find(({ name }) => name === `127.0.0.1:${port}`);
    assert.ok(node);
    node.bytesInFlight += 1;
    return {
      [Symbol.dispose]: () => {
        node.bytesInFlight -= 1;
      },
    };
  }

  /** The next record that nobody has fetched yet. */
  ended(): Promise<Exchange> {
    return this.#arrived.take('the end of an exchange', () => true);
  }

  /** Nothing but the connections in the pool and those of idle clients is left. */
  async settled(): Promise<void> {
    const { transport } = this;
    await until('no exchange and no relay under way', () => {
      return this.proxy.inFlight === 0 && transport.counters().relays === 0;
    });
    assert.equal(transport.counters().pipesInUse, 0);
    // A dial that its client did not wait for weighs until it has ended.
    const nodes = this.#allClusters.flatMap((cluster) => cluster.nodes);
    await until('no node that weighs anything', () =>
      nodes.every(({ bytesInFlight }) => bytesInFlight === 0),
    );
  }

  /** Ends everything, and sees to it that no connection, relay or pipe is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    this.front.stopListening();
    try {
      await until('no client left', () => this.front.connections === 0);
      await this.settled();
      for (const cluster of this.#allClusters) cluster.close();
      for (const { kind, counters } of [this.transport, this.secure].map(countersOf)) {
        await until(`no connection left in ${kind}`, () => counters().connections === 0);
      }
    } catch (fault) {
      faults.push(fault);
    }
    for (const cluster of this.#allClusters) cluster.close();
    this.transport.close();
    this.secure.close();
  }

  get #allClusters(): readonly Cluster[] {
    return [this.cluster, ...this.clusters.values()];
  }

  #ended(exchange: Exchange, tell?: (exchange: Exchange) => void): void {
    this.exchanges.push(exchange);
    this.#arrived.push(exchange);
    tell?.(exchange);
  }
}

function countersOf(transport: Transport) {
  return { kind: transport.kind, counters: () => transport.counters() };
}
