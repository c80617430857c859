/** The nodes that serve the same data: leases a connection to one of them for one exchange. */
import { errors, type Failure, failure } from '../errors.ts';
import { pickNode } from './balance.ts';
import { type DialOptions, dial } from './dial.ts';
import type { OnClusterEvent } from './events.ts';
import { mayEjectOneMore } from './health.ts';
import { Lease, type Outcomes } from './lease.ts';
import { membership } from './members.ts';
import { FollowedName } from './name.ts';
import { isFixed, type NodeAddress, type NodeOptions, UpstreamNode } from './node.ts';
import { pooled } from './pool.ts';
import { type Resolver, systemResolver } from './resolver.ts';
import { exchangeWeight } from './weight.ts';

export interface ClusterOptions extends NodeOptions {
  readonly name: string;
  /** At least one. One configured by name is a node for each address of the name. */
  readonly nodes: readonly NodeAddress[];
  readonly dial: DialOptions;
  /** From one lookup of a name to the next, milliseconds. */
  readonly dns: { readonly refresh: number };
  readonly resolver?: Resolver | undefined;
  readonly onEvent?: OnClusterEvent | undefined;
}

const sweepInterval = 1000;

export class Cluster {
  readonly name: string;
  readonly #options: ClusterOptions;
  readonly #tell: OnClusterEvent;
  readonly #names = new Map<string, FollowedName>();
  readonly #outcomes: Outcomes;
  readonly #sweep: NodeJS.Timeout;
  #nodes: readonly UpstreamNode[] = [];
  /** It has been told that all nodes are ejected. */
  #allEjected = false;
  #open = true;

  constructor(options: ClusterOptions) {
    this.name = options.name;
    this.#options = options;
    this.#tell = options.onEvent ?? (() => {});
    this.#outcomes = {
      succeeded: (node, begunAt) => this.#succeeded(node, begunAt),
      failed: (node, begunAt, cause) => this.#failed(node, begunAt, cause),
    };
    for (const { host } of options.nodes.filter((node) => !isFixed(node))) {
      if (!this.#names.has(host)) this.#names.set(host, this.#follow(host));
    }
    this.#update();
    this.#sweep = setInterval(() => {
      const now = performance.now();
      for (const node of this.#nodes) node.pool.closeExpired(now);
    }, sweepInterval).unref();
  }

  /** One for each address that is known now. */
  get nodes(): readonly UpstreamNode[] {
    return this.#nodes;
  }

  /** A node that is not in `tried`, or undefined when there is none left. */
  pick(tried: ReadonlySet<UpstreamNode>): UpstreamNode | undefined {
    return pickNode(this.#nodes, tried, performance.now(), Math.random);
  }

  /**
   * For when `pick` gives none: waits, within the connect timeout, for names that are being looked up for the first
   * time. A failure where no address of any name is known; undefined where all nodes have been tried.
   */
  async awaitNode(tried: ReadonlySet<UpstreamNode>): Promise<UpstreamNode | Failure | undefined> {
    for (;;) {
      const node = this.pick(tried);
      if (node !== undefined) return node;
      const pending = [...this.#names.values()].filter((name) => name.pending);
      if (pending.length === 0) break;
      await Promise.race(pending.map(({ known }) => known));
    }
    if (this.#nodes.length > 0) return undefined;
    const unresolved = [...this.#names.values()].map(({ host, fault }) => `${host}: ${fault ?? 'closed'}`);
    return failure('upstream-name-unresolved', unresolved.join(', '));
  }

  /**
   * A connection to `node` for one exchange: an idle one, unless `fresh`, or a new one; an idle one all the same where
   * this machine lacks what a new one takes. `weight` is that of the request's body. The lease must be ended by `reuse`
   * or `drop`. At once where one is idle.
   */
  lease(node: UpstreamNode, weight: number, fresh: boolean): Lease | Promise<Lease | Failure> {
    const begunAt = performance.now();
    const whole = weight + exchangeWeight;
    node.health.begin(begunAt);
    const idle = fresh ? undefined : node.pool.take(begunAt);
    // Counted also while it is dialled, so that a burst does not go to one node.
    node.bytesInFlight += whole;
    if (!idle?.connection.open) return this.#leaseNew(node, whole, begunAt);
    return new Lease(this.#outcomes, node, { pooled: idle, begunAt, reused: true }, whole);
  }

  async #leaseNew(node: UpstreamNode, weight: number, begunAt: number): Promise<Lease | Failure> {
    const result = await dial(node, this.#options.dial);
    const now = performance.now();
    if (result.kind === 'connected') {
      const fresh = pooled(result.connection, this.#options.pool.maxAge, now, Math.random);
      return new Lease(this.#outcomes, node, { pooled: fresh, begunAt, reused: false }, weight);
    }
    if (errors[result.code].side === 'upstream') {
      this.#eject(node, begunAt, result.detail);
      // The address may be one that the name has left.
      this.#names.get(node.configured.host)?.recheck(now);
    } else {
      // Nothing is known against the node: what lies idle, or came back meanwhile, is as good as it gets, even where
      // a fresh one was wanted.
      const idle = node.pool.take(now);
      if (idle !== undefined)
        return new Lease(this.#outcomes, node, { pooled: idle, begunAt, reused: true }, weight);
    }
    node.bytesInFlight -= weight;
    return { code: result.code, detail: result.detail };
  }

  /** Nothing is pooled from here on; what is leased is left to its exchange. */
  close(): void {
    this.#open = false;
    clearInterval(this.#sweep);
    for (const name of this.#names.values()) name.close();
    for (const node of this.#nodes) node.pool.close();
  }

  // ---- health

  #succeeded(node: UpstreamNode, begunAt: number): void {
    if (!node.health.recover(begunAt)) return;
    this.#allEjected = false;
    this.#tell({ kind: 'back', node: node.name });
  }

  #failed(node: UpstreamNode, begunAt: number, cause: string): void {
    if (!node.health.fail(begunAt)) return;
    const now = performance.now();
    const { failures, maxPercent } = this.#options.ejection;
    const may = node.isEjected(now) || mayEjectOneMore(this.#nodes, maxPercent, now);
    if (may) this.#eject(node, begunAt, cause);
    else if (node.health.failures === failures) this.#tell({ kind: 'kept', node: node.name, cause });
  }

  #eject(node: UpstreamNode, begunAt: number, cause: string): void {
    const now = performance.now();
    const ejection = node.health.eject(now, begunAt);
    if (ejection === undefined) return;
    // What lies idle was made before the failure: most likely as dead as the attempt.
    node.pool.closeIdle();
    // Of a node that has left the cluster nobody wants to hear.
    if (!this.#nodes.includes(node)) return;
    this.#tell({ kind: 'ejected', node: node.name, cause, ...ejection });
    if (this.#allEjected || !this.#nodes.every((one) => one.isEjected(now))) return;
    this.#allEjected = true;
    this.#tell({ kind: 'all-ejected', nodes: this.#nodes.length });
  }

  // ---- names

  #follow(host: string): FollowedName {
    const { resolver = systemResolver, dns, dial } = this.#options;
    const onChange = (name: FollowedName): void => this.#renamed(name);
    return new FollowedName({ host, resolver, refresh: dns.refresh, timeout: dial.timeout, onChange });
  }

  #renamed({ host: name, addresses, fault }: FollowedName): void {
    if (!this.#open) return;
    if (fault !== undefined) {
      this.#tell({ kind: 'unresolved', name, cause: fault, addresses });
      return;
    }
    const { joined, left } = this.#update();
    this.#tell({ kind: 'resolved', name, addresses, joined, left });
  }

  /** A node that leaves gets no new exchange; those under way end in peace, and their connections with them. */
  #update(): { readonly joined: readonly string[]; readonly left: readonly string[] } {
    const placed = this.#options.nodes.map((configured) => {
      const fixed = isFixed(configured);
      const addresses = fixed ? [configured.host] : (this.#names.get(configured.host)?.addresses ?? []);
      return { configured, addresses };
    });
    const changed = membership(
      placed,
      this.#nodes,
      (configured, address) => new UpstreamNode(configured, address, this.#options),
    );
    this.#nodes = changed.nodes;
    if (changed.joined.length > 0) this.#allEjected = false;
    for (const node of changed.left) node.pool.close();
    return { joined: changed.joined.map(nameOf), left: changed.left.map(nameOf) };
  }
}

function nameOf({ name }: UpstreamNode): string {
  return name;
}
