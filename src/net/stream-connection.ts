/**
 * A connection on a node:net or node:tls socket. It reads ahead, up to a block, so that a FIN or a reset is seen
 * while nobody reads; beyond that the socket is paused and the peer waits.
 */
import type { Socket } from 'node:net';
import type { Framing } from '../http1/framing.ts';
import { BLOCK, type ByteConnection, isByteConnection, type ReadResult } from './bytes.ts';
import type {
  Connection,
  Counters,
  HeadOptions,
  HeadOutcome,
  HeadResult,
  Relay,
  RelayEnd,
  RelayOptions,
} from './contract.ts';
import { copyRelay, discardBody } from './copy-relay.ts';
import { Inbox } from './inbox.ts';

/** What the transport keeps for all of its connections. */
export interface StreamHost {
  readonly counters: Counters;
  readonly connections: Set<Connection>;
}

type OnGone = (why: 'end' | 'reset' | 'data') => void;

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
  /** What the peer did; a reset is final, an end can still be followed by one. */
  #gone: 'end' | 'reset' | undefined;
  /** Tries to satisfy the reader that waits. */
  #attempt: (() => void) | undefined;
  #cancelled = false;
  /** Relays and discards that read from here; what they are told, the watcher is not. */
  #readers = 0;
  #watcher: { readonly onGone: OnGone; readonly data: boolean } | undefined;
  #onBroken: (() => void) | undefined;
  /** Text sent with `more`, and the turn's end at which it leaves even alone. */
  #held = '';
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
    socket.on('error', () => this.#lost('reset'));
    socket.on('close', () => this.#lost('reset'));
    socket.resume();
  }

  get open(): boolean {
    return this.#open;
  }

  async readHead({ maxBytes, idleTimeout, timeout }: HeadOptions): Promise<HeadResult> {
    this.#holdAtMost = Math.max(this.#holdAtMost, maxBytes + 1);
    let timer: NodeJS.Timeout | undefined;
    let phase: 'new' | 'idle' | 'begun' | 'expired' = 'new';
    let since: number | undefined;
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
      if (phase === 'expired') return { kind: 'timeout', received };
      if (received > 0 && phase !== 'begun') {
        since = performance.now();
        enter('begun', timeout);
      } else if (phase === 'new') enter('idle', idleTimeout);
      return undefined;
    });
    clearTimeout(timer);
    return { ...outcome, took: since === undefined ? 0 : performance.now() - since };
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

  write(bytes: Uint8Array): Promise<boolean> {
    if (!this.#writable) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#socket.cork();
      this.#flush();
      this.#socket.write(bytes, (error) => resolve(!error));
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
    this.#watcher = onGone ? { onGone, data } : undefined;
    this.#tellWatcher();
  }

  get quiet(): boolean {
    return this.#open && this.#inbox.length === 0 && this.#gone === undefined;
  }

  tcpInfo(): undefined {
    return undefined;
  }

  async linger(bytes: number, timeout: number): Promise<void> {
    if (!this.#open) return;
    const deadline = setTimeout(() => this.close(), timeout);
    this.watch(null);
    this.cancelRead();
    this.#flush();
    const sent = new Promise<void>((resolve) => {
      this.#socket.end(() => resolve());
    });
    for (let left = bytes; left >= 0; ) {
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
    return this.#open && this.#gone !== 'reset' && this.#socket.writable;
  }

  /** Runs `attempt` now, and again at each event until it gives something. */
  #wait<T>(attempt: (ended: 'end' | 'reset' | 'closed' | undefined) => T | undefined): Promise<T> {
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

  #lost(how: 'end' | 'reset'): void {
    if (this.#gone === 'reset' || this.#gone === how || !this.#open) return;
    this.#gone = how;
    const reader = this.#attempt;
    reader?.();
    if (how === 'reset') this.#tellBroken();
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
    if (!watcher || !this.#news(watcher.data)) return;
    setImmediate(() => {
      const news = this.#watcher === watcher ? this.#news(watcher.data) : undefined;
      if (!news) return;
      this.#watcher = undefined;
      watcher.onGone(news);
    });
  }

  #news(data: boolean): 'end' | 'reset' | 'data' | undefined {
    if (!this.#open || this.#readers > 0 || this.#attempt) return undefined;
    return data && this.#inbox.length > 0 ? 'data' : this.#gone;
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
    this.#watcher = undefined;
    this.#host.connections.delete(this);
    this.#host.counters.connections -= 1;
    this.#attempt?.();
    this.#tellBroken();
    return true;
  }
}

/** IPv4 inside IPv6 is shown as the IPv4 address it is. Undefined when the peer was gone before it was seen. */
function unmapped(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
}
