/** The idle connections of one node. Times are milliseconds of `performance.now()`. */
import type { Connection } from '../net/contract.ts';

export interface PoolOptions {
  readonly maxIdlePerNode: number;
  /** Milliseconds. */
  readonly idleTimeout: number;
  /** Milliseconds from its dial after which a connection serves no further exchange; Infinity for no limit. */
  readonly maxAge: number;
}

/** A connection to a node, from its dial to its close. */
export interface Pooled {
  readonly connection: Connection;
  /** It serves no further exchange from then on. */
  readonly expiresAt: number;
}

interface Idle extends Pooled {
  readonly since: number;
}

/**
 * Ages differ by a tenth either way, so that what was dialled in one burst does not end in one. `random` gives
 * [0, 1).
 */
export function pooled(connection: Connection, maxAge: number, now: number, random: () => number): Pooled {
  return { connection, expiresAt: now + maxAge * (0.9 + 0.2 * random()) };
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #idle: Idle[] = [];
  #open = true;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#idle.length;
  }

  /** The connection used last: the others can grow old and go. */
  take(now: number): Pooled | undefined {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      idle.connection.watch(null);
      if (idle.connection.quiet && now < idle.expiresAt) return idle;
      // Too old; or gone or dirty in this very turn: its watcher was about to say so.
      idle.connection.close();
    }
    return undefined;
  }

  /** Only after an exchange that ended exactly. A byte or an end that comes while it lies here closes it. */
  keep({ connection, expiresAt }: Pooled, now: number): void {
    const full = this.#idle.length >= this.#options.maxIdlePerNode;
    // What lies unread there already would pass for the answer to the next request.
    if (!this.#open || full || now >= expiresAt || !connection.quiet) {
      connection.close();
      return;
    }
    const idle = { connection, expiresAt, since: now };
    this.#idle.push(idle);
    connection.watch(() => {
      const at = this.#idle.indexOf(idle);
      if (at !== -1) this.#idle.splice(at, 1);
      connection.close();
    }, true);
  }

  closeIdle(): void {
    for (const { connection } of this.#idle.splice(0)) connection.close();
  }

  closeExpired(now: number): void {
    const oldest = now - this.#options.idleTimeout;
    for (let at = this.#idle.length - 1; at >= 0; at--) {
      const idle = this.#idle[at];
      if (idle === undefined || (idle.since > oldest && now < idle.expiresAt)) continue;
      this.#idle.splice(at, 1);
      idle.connection.close();
    }
  }

  /** What is idle is closed, and so is whatever is given back from here on. */
  close(): void {
    this.#open = false;
    this.closeIdle();
  }
}
