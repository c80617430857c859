/** The side that faces the clients: listeners, the connections they accepted, and how both come to an end. */
import type { Connection, Listener, ListenOptions, PeerEnd, Transport } from '../net/contract.ts';

export interface FrontOptions extends ListenOptions {
  /** At so many open connections new ones are left in the kernel's backlog. */
  readonly maxConnections: number;
}

/** What a client did while nobody read from it, or that a drain cuts its exchange. */
export type Departure = PeerEnd | 'cut';

/** One accepted connection. */
export interface Client {
  readonly connection: Connection;
  /** `idle`: a drain may close it. `exchange`: a drain that cuts it loses a stream. `ending`: its last answer is out. */
  phase: 'idle' | 'exchange' | 'ending';
  /** False once the drain has closed the idle ones: nobody is to become idle again. */
  readonly mayWait: () => boolean;
  /** As `Connection.watch`; a drain that cuts the exchange is told as well. */
  readonly watch: (onGone: ((why: Departure) => void) | null) => void;
  /** Ends the head that is awaited, or tells the watcher, who ends the exchange; resets the connection where there is neither. */
  readonly cut: () => void;
  /** A drain has come to its end before this client has. */
  readonly isCut: boolean;
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
  readonly #onFull: ((listener: FrontOptions) => () => void) | undefined;
  readonly #listeners = new Set<Listener>();
  readonly #clients = new Set<Client>();
  readonly #hurried = Promise.withResolvers<void>();
  #closing = false;
  #emptied: (() => void) | undefined;

  /** `onFull` is called when a listener has as many connections as it may; what it gives, when it has fewer again. */
  constructor(transport: Transport, serve: Serve, onFull?: (listener: FrontOptions) => () => void) {
    this.#transport = transport;
    this.#serve = serve;
    this.#onFull = onFull;
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** Rejects when the address can't be bound. The port it got is in the listener. */
  async listen(options: FrontOptions): Promise<Listener> {
    const { maxConnections } = options;
    let open = 0;
    // How many more the listener may hand over, told to it only when it has none left: most connections cost no call.
    let room = maxConnections;
    let freed: (() => void) | undefined;
    const admit = (): void => {
      room = maxConnections - open;
      if (room === 0) {
        freed ??= this.#onFull?.(options);
        return;
      }
      freed?.();
      freed = undefined;
      if (this.#listeners.has(listener)) listener.admit(room);
    };
    const listener = await this.#transport.listen(options, async (connection) => {
      const client = newClient(connection, () => !this.#closing);
      this.#clients.add(client);
      open += 1;
      room -= 1;
      if (room === 0) admit();
      await this.#serve(client);
      connection.close();
      this.#clients.delete(client);
      open -= 1;
      if (room === 0) admit();
      if (this.#clients.size === 0) this.#emptied?.();
    });
    this.#listeners.add(listener);
    listener.admit(room);
    return listener;
  }

  /**
   * Ends without losing an exchange: for `accept` milliseconds new connections are still taken, since a load
   * balancer may not know yet; then idle ones are closed and the rest may finish. Resolves with how many exchanges had
   * to be cut at the deadline (milliseconds from now), or when `hurry` was called.
   */
  async drain(accept: number, deadline: number): Promise<number> {
    this.draining = true;
    const accepting = Math.min(accept, deadline);
    if (accepting > 0) await atMost(accepting, this.#hurried.promise);
    this.stopListening();
    this.#closing = true;
    for (const { phase, connection } of this.#clients) if (phase === 'idle') connection.endIdle();
    await this.#untilEmpty(deadline - accepting, this.#hurried.promise);
    const cut = [...this.#clients].filter(({ phase }) => phase === 'exchange');
    for (const client of this.#clients) {
      // A head that is not whole is no exchange that was lost, but its sender is told, too.
      if (client.phase === 'ending') client.connection.close();
      else client.cut();
    }
    // What was cut ends in a turn or two: its record must be written before the process ends.
    await this.#untilEmpty(cutTime);
    return cut.length;
  }

  /** A drain, under way or to come, waits no longer: what has not ended is cut. */
  hurry(): void {
    this.#hurried.resolve();
  }

  #untilEmpty(milliseconds: number, or?: Promise<void>): Promise<void> {
    if (this.#clients.size === 0) return Promise.resolve();
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    return atMost(milliseconds, or ? Promise.race([emptied, or]) : emptied);
  }

  stopListening(): void {
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
  }
}

/** Resolves when `event` does, or so many milliseconds later. */
async function atMost(milliseconds: number, event: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, milliseconds));
  });
  await Promise.race([over, event]);
  clearTimeout(timer);
}

function newClient(connection: Connection, mayWait: () => boolean): Client {
  let watcher: ((why: Departure) => void) | null = null;
  let isCut = false;
  // One for all requests. Unasked bytes are the next request's.
  const tell = (why: Departure | 'data') => {
    if (why !== 'data') watcher?.(why);
  };
  const client: Client = {
    connection,
    phase: 'idle',
    mayWait,
    get isCut() {
      return isCut;
    },
    watch(onGone) {
      watcher = onGone;
      connection.watch(onGone && tell);
      if (isCut && onGone) queueMicrotask(() => tell('cut'));
    },
    cut() {
      isCut = true;
      if (client.phase === 'idle') connection.endHead();
      else if (watcher) watcher('cut');
      else connection.reset();
    },
    measuredAt: Number.NEGATIVE_INFINITY,
  };
  return client;
}
