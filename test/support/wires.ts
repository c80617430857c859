/** Connections of the transports under test, each with a raw peer at its far end; closed after every test. */
import assert from 'node:assert/strict';
import type {
  Connection,
  ConnectOptions,
  Listener,
  ListenOptions,
  Transport,
} from '../../src/net/contract.ts';
import { Arrivals } from './arrivals.ts';
import { until, within } from './deadline.ts';
import { RawPeer, RawServer } from './raw-peer.ts';

export interface Transports {
  /** Accepts. */
  readonly server: Transport;
  /** Connects; may be the same one. */
  readonly client: Transport;
}

/** A connection under test and the raw peer at its far end. */
export interface Wire {
  readonly peer: RawPeer;
  readonly connection: Connection;
}

/** What a body runs through: raw peer, source, sink, raw peer. */
export interface Path {
  readonly sender: RawPeer;
  readonly source: Connection;
  readonly sink: Connection;
  readonly receiver: RawPeer;
}

/** `up` runs from an accepted connection to a dialled one, `down` the other way round. */
export type Direction = 'up' | 'down';
export const directions: readonly Direction[] = ['up', 'down'];

export const sockets = {
  keepAliveIdle: 60_000,
  keepAliveInterval: 20_000,
  keepAliveCount: 3,
  userTimeout: 0,
};
export const listening: ListenOptions = {
  ...sockets,
  host: '127.0.0.1',
  port: 0,
  backlog: 511,
  reusePort: false,
  ipv6Only: false,
};

export class Wires {
  readonly #make: () => Transports;
  #transports: Transports | undefined;
  #listener: Listener | undefined;
  #raw: RawServer | undefined;
  readonly #arrived = new Arrivals<Connection>();
  readonly #peers: RawPeer[] = [];
  readonly #connections: Connection[] = [];

  constructor(make: () => Transports) {
    this.#make = make;
  }

  get server(): Transport {
    return this.#opened(this.#transports).server;
  }

  get client(): Transport {
    return this.#opened(this.#transports).client;
  }

  /** Each transport once. */
  get transports(): ReadonlySet<Transport> {
    return new Set([this.server, this.client]);
  }

  /** Bodies between the two run through the kernel alone. */
  get splices(): boolean {
    return this.server === this.client && this.server.kind === 'engine';
  }

  async open(): Promise<void> {
    this.#transports = this.#make();
    this.#raw = await RawServer.listen();
    this.#listener = await this.server.listen(listening, (connection) => this.#arrived.push(connection));
  }

  /** A raw peer that connected to the server transport. */
  async accepted(): Promise<Wire> {
    const peer = await RawPeer.connect(this.#opened(this.#listener).port);
    const connection = await this.#arrived.take(
      'an accept',
      ({ remotePort }) => remotePort === peer.socket.localPort,
    );
    return this.#keep({ peer, connection });
  }

  /** A raw peer that the client transport connected to. */
  async dialled(): Promise<Wire> {
    const raw = this.#opened(this.#raw);
    const result = await within('a connect', this.client.connect(this.dialling(raw.port)));
    assert.equal(result.kind, 'connected');
    return this.#keep({
      peer: await raw.accepted(result.connection.localPort),
      connection: result.connection,
    });
  }

  dialling(port: number, options: Partial<ConnectOptions> = {}): ConnectOptions {
    return { ...sockets, host: '127.0.0.1', port, timeout: 5000, ...options };
  }

  async path(direction: Direction = 'up'): Promise<Path> {
    const accepted = await this.accepted();
    const dialled = await this.dialled();
    const [from, to] = direction === 'up' ? [accepted, dialled] : [dialled, accepted];
    return { sender: from.peer, source: from.connection, sink: to.connection, receiver: to.peer };
  }

  /** Closes what the test opened, and sees to it that no relay and no connection is left. */
  async release(): Promise<void> {
    for (const peer of this.#peers.splice(0)) peer.destroy();
    for (const connection of [...this.#connections.splice(0), ...this.#arrived.rest()]) connection.close();
    for (const transport of this.transports) {
      const left = () => transport.counters().relays + transport.counters().connections;
      await until(`no relay and no connection left in ${transport.kind}`, () => left() === 0);
      assert.equal(transport.counters().pipesInUse, 0);
    }
  }

  close(): void {
    this.#listener?.close();
    this.#raw?.close();
    for (const transport of this.transports) transport.close();
  }

  #keep(wire: Wire): Wire {
    this.#peers.push(wire.peer);
    this.#connections.push(wire.connection);
    return wire;
  }

  #opened<T>(value: T | undefined): T {
    if (value === undefined) throw new Error('the wires are not open');
    return value;
  }
}

/** For a test that wants transports of its own. */
export async function withWires(make: () => Transports, use: (wires: Wires) => Promise<void>): Promise<void> {
  const wires = new Wires(make);
  await wires.open();
  try {
    await use(wires);
    await wires.release();
  } finally {
    wires.close();
  }
}
