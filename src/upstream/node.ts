/** One upstream node: what is under way to it, what lies idle, and whether it is trusted at the moment. */
import type { Connection } from '../net/contract.ts';

export interface NodeAddress {
  /** `host:port`, as it is shown in logs and metrics. */
  readonly name: string;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Undefined for plain HTTP. */
  readonly tls:
    | { readonly serverName: string; readonly ca: string | undefined; readonly verify: boolean }
    | undefined;
}

export interface EjectionOptions {
  /** How long the first failure keeps a node out, milliseconds; doubled with each that follows. */
  readonly baseTime: number;
  readonly maxTime: number;
}

export interface PoolOptions {
  readonly maxIdlePerNode: number;
  /** Milliseconds. */
  readonly idleTimeout: number;
}

interface Idle {
  readonly connection: Connection;
  readonly since: number;
}

/** After this a node that let an expectation pass unanswered, or refused it, is asked again. */
const forgetIgnoredExpect = 600_000;

export class UpstreamNode {
  readonly address: NodeAddress;
  /** Body bytes of the exchanges under way, as far as their heads declared them. What the balance goes by. */
  bytesInFlight = 0;
  readonly #pool: PoolOptions;
  readonly #ejection: EjectionOptions;
  readonly #idle: Idle[] = [];
  #failures = 0;
  #ejectedUntil = 0;
  #ignoresExpectUntil = 0;

  constructor(address: NodeAddress, pool: PoolOptions, ejection: EjectionOptions) {
    this.address = address;
    this.#pool = pool;
    this.#ejection = ejection;
  }

  get name(): string {
    return this.address.name;
  }

  get idleConnections(): number {
    return this.#idle.length;
  }

  isEjected(now: number): boolean {
    return now < this.#ejectedUntil;
  }

  /** It could not be connected to, or closed without an answer: kept out, twice as long each time in a row. */
  failed(now: number): void {
    const { baseTime, maxTime } = this.#ejection;
    this.#ejectedUntil = now + Math.min(baseTime * 2 ** this.#failures, maxTime);
    this.#failures = Math.min(this.#failures + 1, 30);
    // What lies idle was made before the failure: most likely as dead as the attempt.
    this.closeIdle();
  }

  answered(): void {
    this.#failures = 0;
    this.#ejectedUntil = 0;
  }

  /** It did not answer `Expect: 100-continue` in time, or refused it: the round trip is not worth asking for. */
  ignoredExpect(now: number): void {
    this.#ignoresExpectUntil = now + forgetIgnoredExpect;
  }

  heedsExpect(now: number): boolean {
    return now >= this.#ignoresExpectUntil;
  }

  /** The connection used last: the others can grow old and go. */
  takeIdle(): Connection | undefined {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      idle.connection.watch(null);
      if (idle.connection.quiet) return idle.connection;
      // Gone, or dirty, in this very turn: its watcher was about to say so.
      idle.connection.close();
    }
    return undefined;
  }

  /** Only after an exchange that ended exactly. A byte or an end that comes while it lies here closes it. */
  keepIdle(connection: Connection, now: number): void {
    // What lies unread there already would pass for the answer to the next request.
    if (!connection.quiet || this.#idle.length >= this.#pool.maxIdlePerNode) {
      connection.close();
      return;
    }
    const idle = { connection, since: now };
    this.#idle.push(idle);
    connection.watch(() => {
      const at = this.#idle.indexOf(idle);
      if (at !== -1) this.#idle.splice(at, 1);
      connection.close();
    }, true);
  }

  closeIdle(olderThan = Number.POSITIVE_INFINITY): void {
    // The oldest stand first.
    while (this.#idle[0] !== undefined && this.#idle[0].since <= olderThan) {
      this.#idle.shift()?.connection.close();
    }
  }

  closeExpired(now: number): void {
    this.closeIdle(now - this.#pool.idleTimeout);
  }
}
