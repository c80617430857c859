/** One upstream node, at one address: what is under way to it, what lies idle, and whether it is trusted. */
import { isIP } from 'node:net';
import { type EjectionOptions, Health } from './health.ts';
import { Pool, type PoolOptions } from './pool.ts';

/** A node as it is configured. */
export interface NodeAddress {
  /** `host:port`, an IPv6 address in brackets. */
  readonly name: string;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Undefined for plain HTTP. */
  readonly tls:
    | { readonly serverName: string; readonly ca: string | undefined; readonly verify: boolean }
    | undefined;
}

/** After this a node that let an expectation pass unanswered, or refused it, is asked again. */
const forgetIgnoredExpect = 600_000;

export interface NodeOptions {
  readonly pool: PoolOptions;
  readonly ejection: EjectionOptions;
  /** The Host that it is sent: the client's, or the one of the node's own URL. */
  readonly host: 'client' | 'node';
}

export class UpstreamNode {
  readonly configured: NodeAddress;
  /** The address that it is dialled at. */
  readonly host: string;
  /** `address:port`, as it is shown in logs and metrics. */
  readonly name: string;
  /**
   * What the node is called in its URL, as a Host; a scheme's own port is left out (RFC 9110, section 4.2.3).
   */
  readonly authority: string;
  readonly hostOf: NodeOptions['host'];
  readonly health: Health;
  readonly pool: Pool;
  /** What the exchanges under way weigh, bytes. What the balance goes by. */
  bytesInFlight = 0;
  #ignoresExpectUntil = 0;

  constructor(configured: NodeAddress, host: string, options: NodeOptions) {
    this.configured = configured;
    this.host = host;
    this.name = isFixed(configured) ? configured.name : `${bracketed(host)}:${configured.port}`;
    this.authority = authorityOf(configured);
    this.hostOf = options.host;
    this.pool = new Pool(options.pool);
    this.health = new Health(options.ejection);
  }

  /** The configured `name:port` that the address comes from; empty where the address itself is configured. */
  get resolvedFrom(): string {
    return isFixed(this.configured) ? '' : this.configured.name;
  }

  get idleConnections(): number {
    return this.pool.size;
  }

  isEjected(now: number): boolean {
    return this.health.isEjected(now);
  }

  get onTrial(): boolean {
    return this.health.onTrial;
  }

  /** It did not answer `Expect: 100-continue` in time, or refused it: the round trip is not worth asking for. */
  ignoredExpect(now: number): void {
    this.#ignoresExpectUntil = now + forgetIgnoredExpect;
  }

  heedsExpect(now: number): boolean {
    return now >= this.#ignoresExpectUntil;
  }
}

/** Configured by address: there is nothing to resolve. */
export function isFixed({ host }: NodeAddress): boolean {
  return isIP(host) !== 0;
}

function authorityOf({ host, port, tls }: NodeAddress): string {
  return port === (tls ? 443 : 80) ? bracketed(host) : `${bracketed(host)}:${port}`;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
