/**
 * A connection on a node:net or node:tls socket. It reads ahead, up to a block, so that a FIN or a reset is seen
 * while nobody reads; beyond that the socket is paused and the peer waits.
 */
import type { Socket } from 'node:net';
import type { Framing } from '../http1/framing.ts';
import { BLOCK, type ByteConnection, isByteConnection, type ReadResult } from './bytes.ts';
import {
  type Connection,
  type Counters,
  type DrainedEnd,
  type HeadOptions,
  type HeadOutcome,
  type HeadResult,
  type LingerOptions,
  maxQueued,
  type PeerEnd,
  type Relay,
  type RelayEnd,
  type RelayOptions,
} from './contract.ts';
import { copyRelay, discardBody } from './copy-relay.ts';
import { Inbox } from './inbox.ts';

/** What the transport keeps for all of its connections. */
export interface StreamHost {
  readonly counters: Counters;
  readonly connections: Set<Connection>;
}

type OnGone = (why: PeerEnd | 'data') => void;

interface Watcher {
  readonly onGone: OnGone;
  readonly data: boolean;
  /** It is told of each once. */
  toldEnd: boolean;
}

/** How often a socket is asked for a reset behind an end, milliseconds. */
const askInterval = 1000;

/** Nobody said no: the kernel gave up because nothing was acknowledged, or because there is no way any more. */
const lostCodes: ReadonlySet<string | undefined> = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);

export class StreamConnection implements ByteConnection {
  readonly transport = 'streams';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;

  readonly #socket: Socket;
  /** The TCP socket under `#socket`: the same one, unless that is TLS. */
  readonly #tcp: Socket;
  readonly #host: StreamHost;
  readonly #inbox = new Inbox();
  #holdAtMost = BLOCK;
  #open = true;
  /** What the peer did; an end can still be followed by one of the others, which are final. */
  #gone: PeerEnd | undefined;
  /** Tries to satisfy the reader that waits. */
  #attempt: (() => void) | undefined;
  #cancelled = false;
  /** A head of which nothing has come is no longer waited for. */
  #idleEnds = false;
  /** Nor is one that is not whole yet. */
  #headEnds = false;
  /** Relays and discards that read from here; what they are told, the watcher is not. */
  #readers = 0;
  #watcher: Watcher | undefined;
  /** Runs while a watcher that was told of an end is there. */
  #probe: NodeJS.Timeout | undefined;
  #onBroken: (() => void) | undefined;
  /** Text sent with `more`, and the turn's end at which it leaves even alone. */
  #held = '';
  /** FIN was sent, or is queued. */
  #ended = false;
  #flushing: NodeJS.Immediate | undefined;

  constructor(socket: Socket, tcp: Socket, host: StreamHost) {
    this.#socket = socket;
    this.#tcp = tcp;
    this.#host = host;
    this.remoteAddress = unmapped(tcp.remoteAddress);
    this.remotePort = tcp.remotePort ?? 0;
    this.localAddress = unmapped(tcp.localAddress);
    this.localPort = tcp.localPort ?? 0;
    host.connections.add(this);
    host.counters.connections += 1;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('end', () => this.#lost('end'));
    socket.on('error', (error) => this.#failed(error));
    // Behind FINs of both sides a close is no failure.
    socket.on('close', () => {
      if (!this.#ended || this.#gone !== 'end') this.#lost('reset');
    });
    socket.resume();
  }

  get open(): boolean {
    return this.#open;
  }

  get lost(): boolean {
    return this.#gone === 'lost';
  }

  async readHead({ maxBytes, idleTimeout, timeout }: HeadOptions): Promise<HeadResult> {
    if (this.#inbox.length > 0) await this.#nextTurn();
    this.#holdAtMost = Math.max(this.#holdAtMost, maxBytes + 1);
    let timer: NodeJS.Timeout | undefined;
    let phase: 'new' | 'idle' | 'begun' | 'expired' = 'new';
    let since: number | undefined;
    this.#idleEnds = false;
    this.#headEnds = false;
    const enter = (next: 'idle' | 'begun', milliseconds: number) => {
      phase = next;
      clearTimeout(timer);
      if (milliseconds === 0) return;
      timer = setTimeout(() => {
        phase = 'expired';
        this.#attempt?.();
      }, milliseconds);
    };
    const outcome = await this.#wait((ended): HeadOutcome | undefined => {
      const found = this.#open ? this.#inbox.takeHead(maxBytes) : undefined;
      if (found) return found;
      const received = this.#inbox.length;
      if (ended) return { kind: ended, received };
      const isOver = phase === 'expired' || this.#headEnds || (this.#idleEnds && received === 0);
      if (isOver) return { kind: 'timeout', received };
      if (received > 0 && phase !== 'begun') {
        since = performance.now();
        enter('begun', timeout);
      } else if (phase === 'new') enter('idle', idleTimeout);
      return undefined;
    });
    clearTimeout(timer);
    return { ...outcome, took: since === undefined ? 0 : performance.now() - since };
  }

  endIdle(): void {
    afterPoll(() => {
      this.#idleEnds = true;
      this.#attempt?.();
    });
  }

  endHead(): void {
    afterPoll(() => {
      this.#headEnds = true;
      this.#attempt?.();
    });
  }

  read(maxBytes: number): Promise<ReadResult> {
    return this.#wait((ended): ReadResult | undefined => {
      if (this.#open && this.#inbox.length > 0) return { kind: 'data', bytes: this.#inbox.take(maxBytes) };
      return ended && { kind: ended };
    });
  }

  cancelRead(): void {
    if (!this.#attempt) return;
    this.#cancelled = true;
    this.#attempt();
    this.#cancelled = false;
  }

  unread(bytes: Uint8Array): void {
    if (this.#open) this.#inbox.unread(bytes);
  }

  send(text: string, more = false): void {
    if (!this.#writable) return;
    this.#held += text;
    if (!more) this.#flush();
    else this.#flushing ??= setImmediate(() => this.#flush());
  }

  get congested(): boolean {
    return this.#open && this.#socket.writableLength + this.#held.length > maxQueued;
  }

  drained(timeout: number): Promise<DrainedEnd> {
    this.#flush();
    if (!this.#writable) return Promise.resolve('gone');
    if (!this.#socket.writableNeedDrain) return Promise.resolve('drained');
    return new Promise((resolve) => {
      const end = (how: DrainedEnd): void => {
        clearTimeout(deadline);
        this.#socket.off('drain', drained);
        this.#socket.off('close', gone);
        resolve(how);
      };
      const drained = () => end('drained');
      const gone = () => end('gone');
      const deadline = timeout > 0 ? setTimeout(() => end('stalled'), timeout) : undefined;
      this.#socket.on('drain', drained);
      this.#socket.on('close', gone);
    });
  }

  write(bytes: Uint8Array): Promise<boolean> {
    if (!this.#writable) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#socket.cork();
      this.#flush();
      this.#socket.write(bytes, (error) => {
        if (error) this.#failed(error);
        resolve(!error);
      });
      this.#socket.uncork();
    });
  }

  onBroken(listener: (() => void) | null): void {
    this.#onBroken = listener ?? undefined;
    if (listener && !this.#writable) setImmediate(() => this.#tellBroken());
  }

  relay(sink: Connection, options: RelayOptions): Relay {
    if (!isByteConnection(sink))
      throw new TypeError('The sink of a relay must be a connection of a transport');
    const relay = copyRelay(this, sink, options, this.#host.counters);
    this.#reading(relay.done);
    return relay;
  }

  async discard(framing: Framing, limit: number, stallTimeout: number): Promise<RelayEnd> {
    const done = discardBody(this, framing, limit, stallTimeout);
    this.#reading(done);
    const end = await done;
    this.#host.counters.bytesDiscarded += end.bytes;
    return end;
  }

  watch(onGone: OnGone | null, data = false): void {
    clearInterval(this.#probe);
    this.#watcher = onGone ? { onGone, data, toldEnd: false } : undefined;
    this.#tellWatcher();
  }

  get quiet(): boolean {
    return this.#open && this.#inbox.length === 0 && this.#gone === undefined;
  }

  tcpInfo(): undefined {
    return undefined;
  }

  end(): void {
    if (!this.#writable) return;
    this.#flush();
    this.#ended = true;
    this.#socket.end();
  }

  async linger({ until, bytes, timeout }: LingerOptions): Promise<void> {
    if (!this.#open) return;
    const deadline = setTimeout(() => this.close(), timeout);
    this.watch(null);
    this.cancelRead();
    this.#flush();
    this.#ended = true;
    const sent = new Promise<void>((resolve) => {
      this.#socket.end(() => resolve());
    });
    let delivered = false;
    const deliver = () => {
      delivered = true;
      this.cancelRead();
    };
    // What has come by then is read first, else the close would be a reset.
    if (until === 'delivery') void sent.then(() => afterPoll(deliver));
    for (let left = bytes; left >= 0; ) {
      if (delivered && this.#inbox.length === 0) break;
      const next = await this.read(BLOCK);
      if (next.kind !== 'data') break;
      left -= next.bytes.length;
      this.#host.counters.bytesDiscarded += next.bytes.length;
    }
    if (this.#gone === 'end') await sent;
    clearTimeout(deadline);
    this.close();
  }

  close(): void {
    if (this.#shut()) this.#socket.destroy();
  }

  reset(): void {
    if (!this.#shut()) return;
    // Under TLS the reset belongs to the socket below; the one above only lets go of its memory.
    this.#tcp.resetAndDestroy();
    this.#socket.destroy();
  }

  get #writable(): boolean {
    return this.#open && !this.#isBroken && !this.#ended && this.#socket.writable;
  }

  /** Nothing goes either way any more. */
  get #isBroken(): boolean {
    return this.#gone === 'reset' || this.#gone === 'lost';
  }

  /** Comes when the events of all other connections have been looked at once. */
  async #nextTurn(): Promise<void> {
    this.#readers += 1;
    await new Promise((resolve) => setImmediate(resolve));
    this.#readers -= 1;
  }

  /** Runs `attempt` now, and again at each event until it gives something. */
  #wait<T>(attempt: (ended: PeerEnd | 'closed' | undefined) => T | undefined): Promise<T> {
    const tryOnce = () => {
      const outcome = attempt(this.#open && !this.#cancelled ? this.#gone : 'closed');
      if (this.#open && this.#inbox.length < this.#holdAtMost && this.#socket.isPaused())
        this.#socket.resume();
      return outcome;
    };
    const now = tryOnce();
    if (now !== undefined) return Promise.resolve(now);
    return new Promise((resolve) => {
      this.#attempt = () => {
        const outcome = tryOnce();
        if (outcome === undefined) return;
        this.#attempt = undefined;
        resolve(outcome);
      };
    });
  }

  #received(chunk: Buffer): void {
    if (!this.#open) return;
    this.#inbox.push(chunk);
    this.#attempt?.();
    if (this.#inbox.length >= this.#holdAtMost) this.#socket.pause();
    this.#tellWatcher();
  }

  #failed({ code }: NodeJS.ErrnoException): void {
    this.#lost(lostCodes.has(code) ? 'lost' : 'reset');
  }

  #lost(how: PeerEnd): void {
    if (this.#isBroken || this.#gone === how || !this.#open) return;
    this.#gone = how;
    if (this.#isBroken) clearInterval(this.#probe);
    const reader = this.#attempt;
    reader?.();
    if (this.#isBroken) this.#tellBroken();
    if (!reader) this.#tellWatcher();
  }

  #tellBroken(): void {
    const listener = this.#writable ? undefined : this.#onBroken;
    if (!listener) return;
    this.#onBroken = undefined;
    listener();
  }

  /** Always in a later turn, and only if the same watcher is still there and nobody reads by then. */
  #tellWatcher(): void {
    const watcher = this.#watcher;
    if (!watcher || !this.#news(watcher)) return;
    setImmediate(() => {
      const news = this.#watcher === watcher ? this.#news(watcher) : undefined;
      if (!news) return;
      if (news === 'end') {
        watcher.toldEnd = true;
        this.#probe = setInterval(() => this.#ask(), askInterval);
      } else {
        this.#watcher = undefined;
      }
      watcher.onGone(news);
    });
  }

  #news({ data, toldEnd }: Watcher): PeerEnd | 'data' | undefined {
    if (!this.#open || this.#readers > 0 || this.#attempt) return undefined;
    if (data && this.#inbox.length > 0) return 'data';
    return this.#gone === 'end' && toldEnd ? undefined : this.#gone;
  }

  /**
   * Behind an end libuv no longer looks at the socket. A write of nothing sends nothing, and fails where the peer has
   * reset the connection.
   */
  #ask(): void {
    if (this.#writable) this.#socket.write('');
  }

  #reading(done: Promise<unknown>): void {
    this.#readers += 1;
    void done.then(() => {
      this.#readers -= 1;
      this.#tellWatcher();
    });
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const text = this.#held;
    this.#held = '';
    if (text !== '' && this.#writable) this.#socket.write(text, 'latin1');
  }

  /** Everything of a close but the socket's own; false when it was closed before. */
  #shut(): boolean {
    if (!this.#open) return false;
    this.#open = false;
    clearImmediate(this.#flushing);
    clearInterval(this.#probe);
    this.#watcher = undefined;
    this.#host.connections.delete(this);
    this.#host.counters.connections -= 1;
    this.#attempt?.();
    this.#tellBroken();
    return true;
  }
}

/** Calls it when what the kernel has by now has been read: two turns of the loop, since the first may be half over. */
function afterPoll(callback: () => void): void {
  setImmediate(() => setImmediate(callback));
}

/** IPv4 inside IPv6 is shown as the IPv4 address it is. Undefined when the peer was gone before it was seen. */
function unmapped(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
}
