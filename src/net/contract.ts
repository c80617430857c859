/**
 * What the rest of Sluice knows of the network: connections that read heads, send heads and relay bodies.
 * Two transports implement it, `engine` (native, Linux, plain TCP) and `streams` (node:net, node:tls), and
 * one suite, test/cases/transport.ts, runs on both. Times are milliseconds, sizes are bytes.
 */
import type { ErrorCode } from '../errors.ts';
import type { Framing } from '../http1/framing.ts';

export type TransportKind = 'engine' | 'streams';

/** Keep-alive and congestion settings of one leg; applied to each socket where the system knows them. */
export interface SocketOptions {
  readonly keepAliveIdle: number;
  readonly keepAliveInterval: number;
  readonly keepAliveCount: number;
  /** TCP_USER_TIMEOUT; 0 leaves the system's. */
  readonly userTimeout: number;
  /** TCP_CONGESTION, e.g. `cubic`; undefined leaves the system's. */
  readonly congestionControl?: string | undefined;
}

export interface ListenOptions extends SocketOptions {
  /** An address, not a name: `0.0.0.0`, `127.0.0.1`, `::` (dual stack unless `ipv6Only`). */
  readonly host: string;
  /** 0 asks for any free port; `Listener.port` says which it became. */
  readonly port: number;
  readonly backlog: number;
  /** How many connections over the bound `streams` keeps, since it can't leave them in the backlog; default: as many. */
  readonly waiting?: number;
  readonly reusePort: boolean;
  readonly ipv6Only: boolean;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /**
   * Hands `count` more connections over, and then none until the next call; a bound on connections is built on it.
   * Without a call there is no bound. The others wait in the kernel's backlog, or, where node:net gives no way to
   * that, unread in a list of at most `ListenOptions.waiting` (`streams`).
   */
  admit(count: number): void;
  /** Stops accepting; connections already accepted live on. */
  close(): void;
}

export interface ConnectOptions extends SocketOptions {
  /** An address, not a name. */
  readonly host: string;
  readonly port: number;
  readonly timeout: number;
  readonly tls?: TlsOptions | undefined;
}

export interface TlsOptions {
  /** The name to verify and to send as SNI. */
  readonly serverName: string;
  /** PEM; undefined trusts the system's authorities. */
  readonly ca?: string | undefined;
  readonly verify: boolean;
}

export type ConnectResult =
  | { readonly kind: 'connected'; readonly connection: Connection }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly detail: string };

/**
 * What a peer did to a connection: `end` is its FIN, after which it can still read; `reset` is a RST, or another socket
 * error; `lost` means that its host stopped acknowledging (ETIMEDOUT of TCP_USER_TIMEOUT or of keep-alive, or the way
 * to it is gone), so that nobody knows what became of the peer itself.
 */
export type PeerEnd = 'end' | 'reset' | 'lost';

/** Why nothing more comes from a peer: its own doing, or our deadline or close. */
export type EndKind = PeerEnd | 'timeout' | 'closed';

export type HeadResult = HeadOutcome & {
  /**
   * Milliseconds since its first byte came; since it was asked for, where that byte had come before. 0 where all of it
   * came at once, or nothing.
   */
  readonly took: number;
};

export type HeadOutcome =
  /**
   * The head's bytes are `buffer[start..end)`, the empty line included. They are shown in place: valid until
   * the next `await`, so parse first.
   */
  | { readonly kind: 'head'; readonly buffer: Buffer; readonly start: number; readonly end: number }
  /** More than `maxBytes` without an end. `buffer[start..end)` is what came, for a look at the request line. */
  | { readonly kind: 'too-large'; readonly buffer: Buffer; readonly start: number; readonly end: number }
  /** No head begins like this (`beginsNoHead`). `buffer[start..end)` is what came, for a look at what it is instead. */
  | { readonly kind: 'foreign'; readonly buffer: Buffer; readonly start: number; readonly end: number }
  /** `received` is how many bytes of an unfinished head had come: 0 is a clean end between two messages. */
  | { readonly kind: EndKind; readonly received: number };

export interface HeadOptions {
  readonly maxBytes: number;
  /** How long the first byte may take; 0 is for ever. Ends as `timeout` with `received` 0. */
  readonly idleTimeout: number;
  /** How long the rest may take from the first byte on; 0 is for ever. */
  readonly timeout: number;
}

/**
 * What becomes of the chunked coding; of no meaning to other framings. All of them decode it, and what they write has
 * canonical size lines and no extensions.
 *
 * - `same`: it goes on chunked, in chunks of the relay's own: RFC 9112, section 7.1, lets every hop choose.
 * - `kept`: it goes on in the chunks it came in, for a peer to whom their bounds mean something. A chunk's size line goes
 *   on as soon as it has come, its end as soon as its data is through.
 * - `decoded`: the coding is dropped, for an HTTP/1.0 client.
 */
export type BodyOutput = 'same' | 'kept' | 'decoded';

export interface RelayOptions {
  /** How the source delimits the body. */
  readonly framing: Framing;
  /** How it is delimited for the sink. Default: `same`. */
  readonly output?: BodyOutput;
  /** Bytes of a chunked body's trailers; more end the relay. Default: 8 KiB. */
  readonly maxTrailers?: number;
  /** No byte moved for so long ends the relay; time spent without budget does not count. 0 is for ever. */
  readonly stallTimeout: number;
  /** Body bytes it may move before it waits for `grant`. Default: no bound. */
  readonly budget?: number;
  /**
   * Called each time the budget is used up and more of the body is to come (`until-close`: may be to come), never
   * before `relay` has returned.
   */
  readonly onBudget?: (relay: Relay) => void;
}

/**
 * How a relay ended. `source-*` speaks of the connection read from, `sink-*` of the one written to. `stopped` is our
 * own doing: `stop`, or either of the two closed here.
 */
export type RelayEndKind =
  | 'complete'
  | 'source-end'
  | 'source-reset'
  | 'source-lost'
  | 'source-malformed'
  /** More trailers than `maxTrailers`. */
  | 'source-trailers-too-long'
  | 'source-stalled'
  | 'sink-reset'
  | 'sink-lost'
  | 'sink-stalled'
  | 'stopped';

export interface RelayEnd {
  readonly kind: RelayEndKind;
  /** Body bytes handed to the sink, without chunk framing. */
  readonly bytes: number;
  /** Of these, how many never entered user space, and how many were copied through it. */
  readonly spliced: number;
  readonly copied: number;
}

export interface LingerOptions {
  /**
   * What it waits for. `peer`: that the peer ends its side, because bytes of its message can still come. `delivery`: no
   * longer than until the peer's host has acknowledged everything, because its message was read whole. `streams` can't
   * see that: there it closes once the kernel has everything.
   */
  readonly until: 'peer' | 'delivery';
  /** At most so many bytes of the peer's are thrown away. */
  readonly bytes: number;
  readonly timeout: number;
}

export interface Relay {
  readonly done: Promise<RelayEnd>;
  /** Body bytes handed to the sink so far. */
  readonly moved: number;
  /** Adds to the budget. */
  grant(bytes: number): void;
  /** Ends it now as `stopped`. Both connections are then in mid message: close them. */
  stop(): void;
}

/** How a wait for the peer to read ended: it has read, nothing more can reach it, or it has not read in time. */
export type DrainedEnd = 'drained' | 'gone' | 'stalled';

/** A connection is congested when more bytes than this wait for its peer. */
export const maxQueued = 64 * 1024;

/** Old clients send one behind a body. */
export const maxEmptyLines = 8;

/** Measured by the kernel; undefined where the transport can't say. */
export interface TcpInfo {
  /** Smoothed round trip, microseconds. */
  readonly rtt: number;
  /** Segments retransmitted since the connection began. */
  readonly retransmits: number;
}

/**
 * One TCP connection. At most one reader at a time (readHead, a relay from it, discard) and one writer (send, a
 * relay to it); a relay in and a relay out may run at once. A call on a connection that is closed is
 * harmless: reads end as `closed`, writes are dropped.
 */
export interface Connection {
  readonly transport: TransportKind;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** False once closed by either `close`, `reset`, or the end of a `linger`. */
  readonly open: boolean;

  /**
   * Waits for a whole head. `maxEmptyLines` empty lines before it are skipped (RFC 9112, section 2.2); one more is given
   * as a head, for the parser to refuse. A line may end in a bare LF, so that such a head comes at once, for the parser
   * to refuse, and not as a timeout. So does what begins no head, whole or not. A head that the peer has sent ahead is given in a later turn: first, events of
   * other connections are looked at, so that a peer that pipelines does not keep them waiting. What came before a FIN or a reset
   * is given first; then every call repeats how it ended. After `timeout` it may be called again.
   */
  readHead(options: HeadOptions): Promise<HeadResult>;

  /**
   * Ends a `readHead` for which nothing has come, as its `idleTimeout` would. One for which something has come, were it
   * only as far as the kernel, goes on.
   */
  endIdle(): void;

  /** Ends a `readHead` that has not got the whole head, as its `timeout` would. */
  endHead(): void;

  /**
   * Queues a head (a latin1 string) for the peer. With `more` it waits for what follows, so that a head and
   * the start of its body leave in one segment; when nothing follows it leaves alone, within a quarter of a second.
   * What the kernel does not take at once is kept and sent later. Answers to requests that were sent ahead may leave
   * together, at the end of the turn.
   */
  send(text: string, more?: boolean): void;

  /**
   * More than `maxQueued` bytes of what was sent wait here because the peer does not read. No more work should be done
   * for it: wait for `drained` before the next `readHead`.
   */
  readonly congested: boolean;

  /** Waits until the kernel has taken all that was sent, at most `timeout` (0 is for ever). One caller at a time. */
  drained(timeout: number): Promise<DrainedEnd>;

  /** Moves one body from here to `sink`. The only way a body moves. Never rejects. */
  relay(sink: Connection, options: RelayOptions): Relay;

  /**
   * Reads one body and throws it away, at most `limit` bytes of it; over the limit ends as `stopped`. `bytes` of its
   * end are those thrown away.
   */
  discard(framing: Framing, limit: number, stallTimeout: number): Promise<RelayEnd>;

  /**
   * Says that the peer ended or lost the connection while nobody read from it, or, as `data`, that it sent something
   * unasked (asked for only with `data` true, on pooled connections). What a reader is told, the watcher is not. After
   * `end` the watcher stays, since a `reset` may follow; each is told once. Null stops watching. What has happened
   * already is told again to a new watcher, in a later turn. `streams` sees nothing behind 64 KiB that nobody reads, and
   * looks for a reset behind an end once a second.
   */
  watch(onGone: ((why: PeerEnd | 'data') => void) | null, data?: boolean): void;

  /** Nothing unread lies here and the peer has not gone, as far as can be told now: fit to carry another message. */
  readonly quiet: boolean;

  tcpInfo(): TcpInfo | undefined;

  /**
   * Ends our side: FIN behind what is queued. The peer can still send, and what it sends can be read; what is sent from
   * here on is dropped. Not while a relay writes to here. Over TLS a close_notify goes before the FIN, and servers may
   * take it for the end of both sides.
   */
  end(): void;

  /**
   * A polite end after a last answer: sends what is queued, then FIN, throws away what still arrives, then closes.
   * Without it the kernel answers late bytes with a reset that can destroy the answer on its way (RFC 9112, section
   * 9.6).
   */
  linger(options: LingerOptions): Promise<void>;

  /** Closes at once; bytes already with the kernel are still delivered unless the peer keeps sending. */
  close(): void;
  /** Closes with RST, so that the peer can't take what it has for the whole. */
  reset(): void;
}

/** Since the start, except those called gauges. */
export interface Counters {
  bytesSpliced: number;
  bytesCopied: number;
  bytesDiscarded: number;
  systemCalls: number;
  accepted: number;
  connected: number;
  /** Times a relay copied because no pipe was to be had. */
  pipeMisses: number;
  /** Gauges. */
  connections: number;
  relays: number;
  pipes: number;
  pipesInUse: number;
}

/**
 * A call that the system refused for want of something of this machine's, not for anything a peer did. `accept`: a
 * client waits, or was turned away; `watch`: an accepted client had to be reset; `connect`: an upstream connection
 * could not be made; `transfer`: no memory to move bytes, tried again.
 */
export interface Shortage {
  readonly transport: TransportKind;
  readonly call: 'accept' | 'watch' | 'connect' | 'transfer';
  /** The name of an errno, such as `EMFILE`. */
  readonly errno: string;
}

export interface TransportOptions {
  /**
   * The first descriptor number that connections and pipes leave to the rest of the process: a connection that would
   * have it or a higher one fails as with EMFILE. The system gives out the lowest free number. Default: no bound.
   */
  readonly descriptors?: number;
  /** Called for each such call, in the turn in which it failed. */
  readonly onShortage?: (shortage: Shortage) => void;
}

export interface Transport {
  readonly kind: TransportKind;
  /** Rejects when the address can't be bound: start-up, so an exception. */
  listen(options: ListenOptions, onConnection: (connection: Connection) => void): Promise<Listener>;
  /** Never rejects. */
  connect(options: ConnectOptions): Promise<ConnectResult>;
  counters(): Counters;
  /** Closes every listener and connection. */
  close(): void;
}
