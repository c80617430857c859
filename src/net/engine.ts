/**
 * The native transport: this side holds promises and ids, the engine holds the sockets. Events come many in
 * one call, as rows of a shared ring; heads are shown in a shared window.
 */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { standardTrailers } from '../http1/chunked.ts';
import { type ByteConnection, isByteConnection, type ReadResult } from './bytes.ts';
import { connectFailure, isOurs } from './connect-failure.ts';
import type {
  Connection,
  ConnectOptions,
  ConnectResult,
  Counters,
  DrainedEnd,
  EndKind,
  HeadOptions,
  HeadResult,
  LingerOptions,
  Listener,
  ListenOptions,
  PeerEnd,
  Relay,
  RelayEnd,
  RelayEndKind,
  RelayOptions,
  SocketOptions,
  TcpInfo,
  Transport,
  TransportOptions,
} from './contract.ts';
import { copyRelay } from './copy-relay.ts';

/** The addon's one class; engine/src/binding.cc says what each argument is. */
interface Engine {
  listen(
    host: string,
    port: number,
    backlog: number,
    reusePort: boolean,
    ipv6Only: boolean,
    ...socket: Socket
  ): number;
  admit(id: number, count: number): void;
  closeListener(id: number): void;
  connect(host: string, port: number, timeout: number, ...socket: Socket): number;
  addresses(id: number): [string, number, string, number];
  readHead(id: number, maxBytes: number, idleTimeout: number, timeout: number): void;
  endIdle(id: number): void;
  endHead(id: number): void;
  readBytes(id: number, maxBytes: number): void;
  cancelRead(id: number): void;
  unread(id: number, bytes: Uint8Array): void;
  tellBroken(id: number, wanted: boolean): void;
  write(id: number, bytes: Uint8Array): 0 | 1 | 2 | 3;
  send(id: number, text: string, more: boolean): boolean;
  drained(id: number): 0 | 1 | 2;
  relay(
    source: number,
    sink: number,
    framing: number,
    length: number,
    output: number,
    stall: number,
    budget: number,
    maxTrailers: number,
  ): boolean;
  grant(source: number, bytes: number): void;
  stopRelay(source: number): void;
  moved(source: number): void;
  watch(id: number, watched: boolean, data: boolean): void;
  isQuiet(id: number): boolean;
  end(id: number): void;
  linger(id: number, bytes: number, timeout: number, delivers: boolean): void;
  close(id: number, reset: boolean): void;
  tcpInfo(id: number): boolean;
  readCounters(): void;
  dispose(): void;
}
type Socket = [idle: number, interval: number, count: number, userTimeout: number, congestionControl: string];
type EngineClass = new (
  onEvents: (count: number) => void,
  ring: Float64Array,
  window: Uint8Array,
  info: Float64Array,
  descriptors: number,
) => Engine;

// The numbers below are those of engine/src/loop.h and connection.h.
const ROW = 6;
const ROWS = 1024;
const WINDOW = 1536 * 1024;
const ACCEPTED = 0;
const CONNECTED = 1;
const HEAD = 2;
const HEAD_TOO_LARGE = 3;
const READ_END = 4;
const DATA = 5;
const RELAY_END = 6;
const RELAY_STARVED = 7;
const LINGER_END = 8;
const GONE = 9;
const DRAINED = 10;
const BROKEN = 11;
const HEAD_FOREIGN = 12;
const headKinds = { [HEAD]: 'head', [HEAD_TOO_LARGE]: 'too-large', [HEAD_FOREIGN]: 'foreign' } as const;
const SHORT = 13;
const calls = ['accept', 'watch', 'transfer'] as const;
const endKinds: readonly EndKind[] = ['end', 'reset', 'lost', 'timeout'];
const goneKinds = ['end', 'reset', 'lost', 'data'] as const;
const relayEndKinds: readonly RelayEndKind[] = [
  'complete',
  'source-end',
  'source-reset',
  'source-lost',
  'source-malformed',
  'source-trailers-too-long',
  'source-stalled',
  'sink-reset',
  'sink-lost',
  'sink-stalled',
  'stopped',
];
const outputs = { same: 0, decoded: 1, kept: 2 } as const;
const framings = { length: 0, chunked: 1, 'until-close': 2, none: 0 } as const;

/**
 * The native transport, or undefined where the addon is not built or does not load. SLUICE_ENGINE names another build of
 * it, such as the sanitized one; that it was asked for and can't be had is an exception.
 */
export function createEngineTransport(options: TransportOptions = {}): Transport | undefined {
  const addon = loadAddon();
  return addon && new EngineTransport(addon, options);
}

function loadAddon(): EngineClass | undefined {
  if (process.platform !== 'linux') return undefined;
  const require = createRequire(import.meta.url);
  const named = process.env.SLUICE_ENGINE;
  if (named) return require(resolve(named)).Engine;
  try {
    return require('../../engine/build/Release/sluice_engine.node').Engine;
  } catch {
    return undefined;
  }
}

class EngineTransport implements Transport {
  readonly kind = 'engine';
  readonly engine: Engine;
  readonly window = Buffer.alloc(WINDOW);
  readonly info = new Float64Array(16);
  readonly connections = new Map<number, EngineConnection>();
  /** Of relays to another kind of transport, which copy through JavaScript. */
  readonly copies = { relays: 0, bytesCopied: 0 };
  readonly #ring = new Float64Array(ROW * ROWS);
  readonly #accepting = new Map<number, (connection: Connection) => void>();
  readonly #connecting = new Map<number, (error: number) => void>();
  readonly #onShortage: TransportOptions['onShortage'];
  #closed = false;

  constructor(addon: EngineClass, { descriptors = Number.POSITIVE_INFINITY, onShortage }: TransportOptions) {
    const dispatch = (count: number) => this.#dispatch(count);
    this.engine = new addon(dispatch, this.#ring, this.window, this.info, descriptors);
    this.#onShortage = onShortage;
  }

  async listen(options: ListenOptions, onConnection: (connection: Connection) => void): Promise<Listener> {
    const { host, port, backlog, reusePort, ipv6Only } = options;
    const id = this.engine.listen(host, port, backlog, reusePort, ipv6Only, ...socketArguments(options));
    if (id === 0) {
      const code = getSystemErrorName(-(this.info[0] ?? 0));
      throw Object.assign(new Error(`cannot listen on ${host}:${port}: ${code}`), { code });
    }
    this.#accepting.set(id, onConnection);
    return {
      host,
      port: this.info[0] ?? port,
      admit: (count) => this.engine.admit(id, count),
      close: () => {
        this.#accepting.delete(id);
        this.engine.closeListener(id);
      },
    };
  }

  connect(options: ConnectOptions): Promise<ConnectResult> {
    const { host, port, timeout } = options;
    if (options.tls) throw new TypeError('the engine has no TLS: connect with the streams transport');
    const id = this.engine.connect(host, port, timeout, ...socketArguments(options));
    if (id === 0) return Promise.resolve(this.#failed(this.info[0] ?? 0, options));
    return new Promise((resolve) => {
      this.#connecting.set(id, (error) => {
        if (error === 0) resolve({ kind: 'connected', connection: this.#adopt(id) });
        else resolve(this.#failed(error, options));
      });
    });
  }

  #failed(code: number, { host, port }: ConnectOptions): ConnectResult {
    const errno = getSystemErrorName(-code);
    if (isOurs(errno)) this.#onShortage?.({ transport: this.kind, call: 'connect', errno });
    return { kind: 'failed', ...connectFailure(errno, `${host}:${port}`) };
  }

  counters(): Counters {
    const { info } = this;
    if (!this.#closed) this.engine.readCounters();
    const at = (index: number) => info[index] ?? 0;
    return {
      bytesSpliced: at(0),
      bytesCopied: at(1) + this.copies.bytesCopied,
      bytesDiscarded: at(2),
      systemCalls: at(3),
      accepted: at(4),
      connected: at(5),
      pipeMisses: at(6),
      connections: at(7),
      relays: at(8) + this.copies.relays,
      pipes: at(9),
      pipesInUse: at(10),
    };
  }

  close(): void {
    if (this.#closed) return;
    for (const connection of [...this.connections.values()]) connection.close();
    this.#closed = true;
    this.engine.dispose();
  }

  #adopt(id: number): EngineConnection {
    const connection = new EngineConnection(this, id);
    this.connections.set(id, connection);
    return connection;
  }

  #dispatch(count: number): void {
    const ring = this.#ring;
    for (let row = 0; row < count * ROW; row += ROW) {
      const kind = ring[row] as number;
      const id = ring[row + 1] as number;
      const a = ring[row + 2] as number;
      const b = ring[row + 3] as number;
      if (kind === ACCEPTED) {
        const accept = this.#accepting.get(a);
        if (accept) accept(this.#adopt(id));
        else this.engine.close(id, true);
      } else if (kind === CONNECTED) {
        const connected = this.#connecting.get(id);
        this.#connecting.delete(id);
        connected?.(a);
      } else if (kind === SHORT) {
        const errno = getSystemErrorName(-b);
        this.#onShortage?.({ transport: this.kind, call: calls[a] ?? 'accept', errno });
      } else {
        this.connections.get(id)?.event(kind, a, b, ring[row + 4] as number);
      }
    }
  }
}

function socketArguments(options: SocketOptions): Socket {
  const { keepAliveIdle, keepAliveInterval, keepAliveCount, userTimeout, congestionControl } = options;
  return [keepAliveIdle, keepAliveInterval, keepAliveCount, userTimeout, congestionControl ?? ''];
}

/** What a connection waits for. One reader at a time, so one field holds whichever it is. */
type Waiting =
  | { readonly for: 'head'; readonly resolve: (result: HeadResult) => void }
  | { readonly for: 'bytes'; readonly resolve: (result: ReadResult) => void }
  | { readonly for: 'linger'; readonly resolve: () => void }
  | { readonly for: 'relay'; readonly relay: EngineRelay };

class EngineConnection implements ByteConnection {
  readonly transport = 'engine';
  readonly owner: EngineTransport;
  readonly id: number;
  open = true;
  lost = false;
  congested = false;
  /** The relay that writes to here. */
  incoming: EngineRelay | null = null;
  #waiting: Waiting | null = null;
  /** What the engine looks out for: it says so once, and then has to be asked again. */
  #watched: 'no' | 'end' | 'data' = 'no';
  #onGone: ((why: PeerEnd | 'data') => void) | null = null;
  #onBroken: (() => void) | null = null;
  #onDrained: ((taken: boolean) => void) | null = null;
  readonly #addresses: [string, number, string, number];

  constructor(owner: EngineTransport, id: number) {
    this.owner = owner;
    this.id = id;
    this.#addresses = owner.engine.addresses(id);
  }

  get remoteAddress(): string {
    return this.#addresses[0];
  }
  get remotePort(): number {
    return this.#addresses[1];
  }
  get localAddress(): string {
    return this.#addresses[2];
  }
  get localPort(): number {
    return this.#addresses[3];
  }

  readHead({ maxBytes, idleTimeout, timeout }: HeadOptions): Promise<HeadResult> {
    if (!this.open) return Promise.resolve({ kind: 'closed', received: 0, took: 0 });
    this.owner.engine.readHead(this.id, maxBytes, idleTimeout, timeout);
    return new Promise((resolve) => {
      this.#waiting = { for: 'head', resolve };
    });
  }

  endIdle(): void {
    if (this.open && this.#waiting?.for === 'head') this.owner.engine.endIdle(this.id);
  }

  endHead(): void {
    if (this.open && this.#waiting?.for === 'head') this.owner.engine.endHead(this.id);
  }

  send(text: string, more = false): void {
    if (this.open) this.congested = this.owner.engine.send(this.id, text, more);
  }

  drained(timeout: number): Promise<DrainedEnd> {
    this.congested = false;
    const taken = this.open ? this.owner.engine.drained(this.id) : 0;
    if (taken !== 2) return Promise.resolve(taken === 1 ? 'drained' : 'gone');
    return new Promise((resolve) => {
      const deadline = timeout > 0 ? setTimeout(() => resolve('stalled'), timeout) : undefined;
      this.#whenDrained((all) => {
        clearTimeout(deadline);
        resolve(all ? 'drained' : 'gone');
      });
    });
  }

  relay(sink: Connection, options: RelayOptions): Relay {
    if (!(sink instanceof EngineConnection) || sink.owner !== this.owner) {
      if (!isByteConnection(sink)) throw new TypeError('a relay needs a connection that can be written to');
      return copyRelay(this, sink, options, this.owner.copies);
    }
    return this.#startRelay(sink, options);
  }

  discard(framing: RelayOptions['framing'], limit: number, stallTimeout: number): Promise<RelayEnd> {
    return this.#startRelay(null, { framing, stallTimeout, budget: limit }).done;
  }

  #startRelay(sink: EngineConnection | null, options: RelayOptions): EngineRelay {
    const { framing, output = 'same', stallTimeout, onBudget } = options;
    const { budget = Number.POSITIVE_INFINITY, maxTrailers = standardTrailers } = options;
    const relay = new EngineRelay(this, sink, onBudget);
    if (!this.open || (sink && !sink.open)) {
      relay.ended('stopped', 0, 0);
      return relay;
    }
    const { engine, info } = this.owner;
    const length = framing.kind === 'length' ? framing.length : 0;
    const kind = framings[framing.kind];
    const to = sink?.id ?? 0;
    if (engine.relay(this.id, to, kind, length, outputs[output], stallTimeout, budget, maxTrailers)) {
      relay.ended('complete', info[0] ?? 0, info[1] ?? 0);
      return relay;
    }
    this.#waiting = { for: 'relay', relay };
    if (sink) sink.incoming = relay;
    return relay;
  }

  /** Called by a relay from here when it has ended: the reader's place is free. */
  relayEnded(): void {
    this.#waiting = null;
  }

  /** The engine goes on watching when nobody listens, so that most requests cost no call for it. */
  watch(onGone: ((why: PeerEnd | 'data') => void) | null, data = false): void {
    this.#onGone = onGone;
    const wanted = data ? 'data' : 'end';
    if (onGone === null || this.#watched === wanted || !this.open) return;
    this.#watched = wanted;
    this.owner.engine.watch(this.id, true, data);
  }

  get quiet(): boolean {
    return this.open && this.owner.engine.isQuiet(this.id);
  }

  tcpInfo(): TcpInfo | undefined {
    const { engine, info } = this.owner;
    if (!this.open || !engine.tcpInfo(this.id)) return undefined;
    return { rtt: info[0] ?? 0, retransmits: info[1] ?? 0 };
  }

  end(): void {
    if (this.open) this.owner.engine.end(this.id);
  }

  linger({ until, bytes, timeout }: LingerOptions): Promise<void> {
    if (!this.open) return Promise.resolve();
    this.#stopRelays();
    return new Promise((resolve) => {
      this.#waiting = { for: 'linger', resolve };
      this.owner.engine.linger(this.id, bytes, timeout, until === 'delivery');
    });
  }

  close(): void {
    this.#close(false);
  }

  reset(): void {
    this.#close(true);
  }

  read(maxBytes: number): Promise<ReadResult> {
    if (!this.open) return Promise.resolve({ kind: 'closed' });
    this.owner.engine.readBytes(this.id, maxBytes);
    return new Promise((resolve) => {
      this.#waiting = { for: 'bytes', resolve };
    });
  }

  cancelRead(): void {
    if (this.#waiting?.for !== 'bytes') return;
    if (this.open) this.owner.engine.cancelRead(this.id);
    this.#finishReading('closed');
  }

  unread(bytes: Uint8Array): void {
    if (this.open) this.owner.engine.unread(this.id, bytes);
  }

  write(bytes: Uint8Array): Promise<boolean> {
    const taken = this.open ? this.owner.engine.write(this.id, bytes) : 0;
    if (taken === 3) this.lost = true;
    if (taken !== 2) return Promise.resolve(taken === 1);
    return new Promise((resolve) => this.#whenDrained(resolve));
  }

  onBroken(listener: (() => void) | null): void {
    this.#onBroken = listener;
    if (this.open) this.owner.engine.tellBroken(this.id, listener !== null);
    else if (listener) queueMicrotask(() => this.#broken());
  }

  event(kind: number, a: number, b: number, c: number): void {
    const waiting = this.#waiting;
    const buffer = this.owner.window;
    switch (kind) {
      case HEAD:
      case HEAD_TOO_LARGE:
      case HEAD_FOREIGN:
        if (waiting?.for !== 'head') return;
        this.#waiting = null;
        waiting.resolve({ kind: headKinds[kind], buffer, start: a, end: b, took: c });
        return;
      case DATA:
        if (waiting?.for !== 'bytes') return;
        this.#waiting = null;
        // The window is written again in the next turn; a reader may hold on to its bytes for longer.
        waiting.resolve({ kind: 'data', bytes: Buffer.from(buffer.subarray(a, b)) });
        return;
      case READ_END:
        this.#finishReading(endKinds[a] ?? 'reset', b, c);
        return;
      case RELAY_END:
        if (waiting?.for === 'relay') waiting.relay.ended(relayEndKinds[a] ?? 'stopped', b, c);
        return;
      case RELAY_STARVED:
        if (waiting?.for === 'relay') waiting.relay.starved();
        return;
      case LINGER_END:
        this.#close(false);
        return;
      case GONE: {
        const why = goneKinds[a] ?? 'reset';
        const onGone = this.#onGone;
        // After an end the engine goes on watching; the next watcher has to be told of it again.
        if (why !== 'end') this.#onGone = null;
        this.#watched = 'no';
        onGone?.(why);
        return;
      }
      case DRAINED:
        if (b === 1) this.lost = true;
        this.#drained(a === 1);
        return;
      case BROKEN:
        if (b === 1) this.lost = true;
        this.#broken();
        return;
    }
  }

  #close(reset: boolean): void {
    if (!this.open) return;
    this.#stopRelays();
    this.open = false;
    this.owner.connections.delete(this.id);
    this.owner.engine.close(this.id, reset);
    this.#onGone = null;
    const waiting = this.#waiting;
    if (waiting?.for === 'linger') waiting.resolve();
    else this.#finishReading('closed');
    this.#drained(false);
    if (this.#onBroken) queueMicrotask(() => this.#broken());
  }

  #stopRelays(): void {
    if (this.#waiting?.for === 'relay') this.#waiting.relay.stop();
    this.incoming?.stop();
  }

  #finishReading(kind: EndKind, received = 0, took = 0): void {
    const waiting = this.#waiting;
    if (waiting?.for !== 'head' && waiting?.for !== 'bytes') return;
    this.#waiting = null;
    waiting.resolve({ kind, received, took });
  }

  /** Behind whoever waits already: a relay that was stopped may have left its last block. */
  #whenDrained(listener: (taken: boolean) => void): void {
    const others = this.#onDrained;
    this.#onDrained = (taken) => {
      others?.(taken);
      listener(taken);
    };
  }

  #drained(taken: boolean): void {
    const onDrained = this.#onDrained;
    this.#onDrained = null;
    onDrained?.(taken);
  }

  #broken(): void {
    const onBroken = this.#onBroken;
    this.#onBroken = null;
    onBroken?.();
  }
}

class EngineRelay implements Relay {
  readonly done: Promise<RelayEnd>;
  readonly #source: EngineConnection;
  readonly #sink: EngineConnection | null;
  readonly #onBudget: ((relay: Relay) => void) | undefined;
  #resolve!: (end: RelayEnd) => void;
  #end: RelayEnd | null = null;

  constructor(
    source: EngineConnection,
    sink: EngineConnection | null,
    onBudget: ((relay: Relay) => void) | undefined,
  ) {
    this.#source = source;
    this.#sink = sink;
    this.#onBudget = onBudget;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get moved(): number {
    if (this.#end) return this.#end.bytes;
    const { engine, info } = this.#source.owner;
    engine.moved(this.#source.id);
    return (info[0] ?? 0) + (info[1] ?? 0);
  }

  grant(bytes: number): void {
    if (!this.#end) this.#source.owner.engine.grant(this.#source.id, bytes);
  }

  stop(): void {
    if (this.#end) return;
    const { engine, info } = this.#source.owner;
    engine.stopRelay(this.#source.id);
    this.ended('stopped', info[0] ?? 0, info[1] ?? 0);
  }

  starved(): void {
    if (!this.#end) this.#onBudget?.(this);
  }

  ended(kind: RelayEndKind, spliced: number, copied: number): void {
    this.#source.relayEnded();
    if (this.#sink?.incoming === this) this.#sink.incoming = null;
    this.#end = { kind, bytes: spliced + copied, spliced, copied };
    this.#resolve(this.#end);
  }
}
