/** The side that faces the clients: listeners, the connections they accepted, and how both come to an end. */
import type { Connection, Listener, ListenOptions, Transport } from '../net/contract.ts';

export interface FrontOptions extends ListenOptions {
  /** At so many open connections new ones are left in the kernel's backlog. */
  readonly maxConnections: number;
}

/** One accepted connection. */
export interface Client {
  readonly connection: Connection;
  /** No exchange is under way: a drain may close it. */
  idle: boolean;
  /** False once the drain has closed the idle ones: nobody is to become idle again. */
  readonly mayWait: () => boolean;
  /** As `Connection.watch`; `onGone` is called as well when a drain cuts it. */
  readonly watch: (onGone: (() => void) | null) => void;
  /** Resets it. An exchange that waits, and neither reads nor writes, would not notice by itself. */
  readonly cut: () => void;
  /** When the kernel was last asked about it, by `performance.now()`. */
  measuredAt: number;
}

/** How long exchanges that were cut may take to end, milliseconds. */
const cutTime = 1000;

/** Serves a connection to its end; the front closes what is left open. Must not reject. */
export type Serve = (client: Client) => Promise<void>;

export class Front {
  /** While true every answer says `Connection: close`. */
  draining = false;
  readonly #transport: Transport;
  readonly #serve: Serve;
  readonly #listeners = new Set<Listener>();
  readonly #clients = new Set<Client>();
  #closing = false;
  #emptied: (() => void) | undefined;

  constructor(transport: Transport, serve: Serve) {
    this.#transport = transport;
    this.#serve = serve;
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** Rejects when the address can't be bound. The port it got is in the listener. */
  async listen(options: FrontOptions): Promise<Listener> {
    let open = 0;
    let paused = false;
    const listener = await this.#transport.listen(options, async (connection) => {
      const client = newClient(connection, () => !this.#closing);
      this.#clients.add(client);
      open += 1;
      if (open >= options.maxConnections && !paused) {
        paused = true;
        listener.pause();
      }
      await this.#serve(client);
      connection.close();
      this.#clients.delete(client);
      open -= 1;
      if (paused && open < options.maxConnections) {
        paused = false;
        if (this.#listeners.has(listener)) listener.resume();
      }
      if (this.#clients.size === 0) this.#emptied?.();
    });
    this.#listeners.add(listener);
    return listener;
  }

  /**
   * Ends without losing an exchange: for `accept` milliseconds new connections are still taken, since a load
   * balancer may not know yet; then idle ones are closed and the rest may finish. Resolves with how many
   * connections had to be cut at the deadline (milliseconds from now).
   */
  async drain(accept: number, deadline: number): Promise<number> {
    this.draining = true;
    if (accept > 0) await new Promise((resolve) => setTimeout(resolve, accept));
    this.stopListening();
    this.#closing = true;
    for (const client of this.#clients) if (client.idle) client.connection.close();
    await this.#untilEmpty(deadline - accept);
    const cut = this.#clients.size;
    for (const client of this.#clients) client.cut();
    // What was cut ends in a turn or two: its record must be written before the process ends.
    await this.#untilEmpty(cutTime);
    return cut;
  }

  #untilEmpty(milliseconds: number): Promise<void> {
    if (this.#clients.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, milliseconds));
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  stopListening(): void {
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
  }
}

function newClient(connection: Connection, mayWait: () => boolean): Client {
  let watcher: (() => void) | null = null;
  return {
    connection,
    idle: true,
    mayWait,
    watch(onGone) {
      watcher = onGone;
      connection.watch(onGone);
    },
    cut() {
      connection.reset();
      watcher?.();
    },
    measuredAt: Number.NEGATIVE_INFINITY,
  };
}
