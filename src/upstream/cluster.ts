/** The nodes that serve the same data: leases a connection to one of them for one exchange. */
import type { Failure } from '../errors.ts';
import type { Connection } from '../net/contract.ts';
import { pickNode } from './balance.ts';
import { type DialOptions, dial } from './dial.ts';
import { type EjectionOptions, type NodeAddress, type PoolOptions, UpstreamNode } from './node.ts';

export interface ClusterOptions {
  readonly name: string;
  readonly nodes: readonly NodeAddress[];
  readonly pool: PoolOptions;
  readonly ejection: EjectionOptions;
  readonly dial: DialOptions;
}

const sweepInterval = 1000;

export class Cluster {
  readonly name: string;
  readonly nodes: readonly UpstreamNode[];
  readonly #dial: DialOptions;
  readonly #sweep: NodeJS.Timeout;

  constructor(options: ClusterOptions) {
    this.name = options.name;
    this.nodes = options.nodes.map((address) => new UpstreamNode(address, options.pool, options.ejection));
    this.#dial = options.dial;
    this.#sweep = setInterval(() => {
      const now = performance.now();
      for (const node of this.nodes) node.closeExpired(now);
    }, sweepInterval).unref();
  }

  /** A node that is not in `tried`, or undefined when there is none left. */
  pick(tried: ReadonlySet<UpstreamNode>): UpstreamNode | undefined {
    return pickNode(this.nodes, tried, performance.now(), Math.random);
  }

  /**
   * A connection to `node` for one exchange: an idle one, unless `fresh`, or a new one. `weight` is the bytes that
   * the request declares. The lease must be ended by `reuse` or `drop`. At once where one is idle.
   */
  lease(node: UpstreamNode, weight: number, fresh: boolean): Lease | Promise<Lease | Failure> {
    const idle = fresh ? undefined : node.takeIdle();
    return idle?.open ? new Lease(node, idle, true, weight) : this.#leaseNew(node, weight);
  }

  async #leaseNew(node: UpstreamNode, weight: number): Promise<Lease | Failure> {
    // Counted while it is dialled, so that a burst does not go to one node.
    node.bytesInFlight += weight;
    const result = await dial(node.address, this.#dial);
    node.bytesInFlight -= weight;
    if (result.kind === 'connected') return new Lease(node, result.connection, false, weight);
    node.failed(performance.now());
    return { code: result.code, detail: result.detail };
  }

  /** Nothing is pooled from here on; what is leased is left to its exchange. */
  close(): void {
    clearInterval(this.#sweep);
    for (const node of this.nodes) node.closeIdle();
  }
}

/** One connection for one exchange. */
export class Lease {
  readonly node: UpstreamNode;
  readonly connection: Connection;
  /** It had served before: it may have died without our knowing. */
  readonly reused: boolean;
  #weight: number;

  constructor(node: UpstreamNode, connection: Connection, reused: boolean, weight: number) {
    this.node = node;
    this.connection = connection;
    this.reused = reused;
    this.#weight = weight;
    node.bytesInFlight += weight;
  }

  /** The response declares so many bytes more. */
  weigh(bytes: number): void {
    this.#weight += bytes;
    this.node.bytesInFlight += bytes;
  }

  /** Both directions ended exactly at their framing: the next exchange may have the connection. */
  reuse(): void {
    this.#settle();
    this.node.keepIdle(this.connection, performance.now());
  }

  /** Anything else: nobody can know what the connection would carry next. */
  drop(): void {
    this.#settle();
    this.connection.close();
  }

  #settle(): void {
    this.node.bytesInFlight -= this.#weight;
    this.#weight = 0;
  }
}
