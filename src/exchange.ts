/**
 * The record of one request, from its first byte to its last. Each stage fills its own part; observers get it
 * once, at the end, also on failure. Times are milliseconds of `performance.now()`, sizes are bytes.
 */
import type { Failure } from './errors.ts';

export type BodyPath = 'spliced' | 'copied' | 'none';

/** One direction's body, as it moved. */
export interface BodyRecord {
  framing: 'none' | 'length' | 'chunked' | 'until-close';
  /** Declared by Content-Length; undefined when it isn't known from the head. */
  declared: number | undefined;
  bytes: number;
  spliced: number;
  copied: number;
}

export interface Exchange {
  readonly id: string;
  /** Whom the request is from: the peer, or whom a believed peer says it speaks for (proxy/trust.ts). */
  clientAddress: string;
  /** The other end of the connection. */
  readonly peerAddress: string;
  readonly peerPort: number;
  method: string;
  /** The path as received, without its query: queries can carry secrets. */
  path: string;
  httpVersion: '1.0' | '1.1';
  userAgent: string;
  /** 0 while no final response head was sent. */
  status: number;
  readonly request: BodyRecord;
  readonly response: BodyRecord;
  /** What the head asks for, as the endpoint table names it: `bulk`; empty where nothing was judged. */
  endpoint: string;
  /** The policy that decided; `default` where none matched, empty where nothing was judged. */
  policy: string;
  /** Policies of action `audit` that would have denied it. */
  audited: readonly string[];
  /** Who sent it, as far as it is known: the kind and the name, `user alice`; claimed ones end in a `?`. */
  principal: string;
  /** Milliseconds that it waited for the policy's limits. */
  queuedFor: number;
  cluster: string;
  /** `address:port` of the node that served it; empty when none did. */
  node: string;
  /** The configured `name:port` that resolved to it; empty where the node is configured by its address. */
  nodeName: string;
  /** Which transport the upstream leg took; empty when there was none. */
  transport: '' | 'engine' | 'streams';
  /** Connections tried, pooled and new. */
  attempts: number;
  /** True when the upstream connection came from the pool. */
  reused: boolean;

  /**
   * When the first byte of the head had come, by `performance.now()`, and by the wall clock; when the request before it
   * on its connection had ended, where that was later.
   */
  readonly startedAt: number;
  readonly startedWall: number;
  /** Durations since `startedAt`; undefined where the stage was not reached. */
  connectedAfter: number | undefined;
  firstByteAfter: number | undefined;
  endedAfter: number;

  /** The client connection's round trip (microseconds) and retransmits, from the kernel. */
  rtt: number | undefined;
  retransmits: number | undefined;

  /** Undefined when both bodies ended exactly at their framing. */
  failure: Failure | undefined;
}

/** Sees each exchange once, when it has ended. Must not throw and must not block. */
export interface Observer {
  ended(exchange: Exchange): void;
}

/**
 * What an observer that writes still has to write, so that who causes the most of it can be made to wait. Bytes are
 * counted from the start; `settled` never exceeds `handed`.
 */
export interface Backlog {
  /** Of all records so far. */
  readonly handed: number;
  /** Written, or given up. */
  readonly settled: number;
  /** What one client may have unsettled now; Infinity while waiting would be in vain. */
  readonly allowance: number;
  /** Resolves when more is settled, or after `timeout` milliseconds. */
  progress(timeout: number): Promise<void>;
}

const none: readonly string[] = [];

/** `age`: milliseconds since the first byte of its head came. */
export function beginExchange(id: string, peerAddress: string, peerPort: number, age = 0): Exchange {
  return {
    id,
    clientAddress: peerAddress,
    peerAddress,
    peerPort,
    method: '',
    path: '',
    httpVersion: '1.1',
    userAgent: '',
    status: 0,
    request: { framing: 'none', declared: undefined, bytes: 0, spliced: 0, copied: 0 },
    response: { framing: 'none', declared: undefined, bytes: 0, spliced: 0, copied: 0 },
    endpoint: '',
    policy: '',
    audited: none,
    principal: '',
    queuedFor: 0,
    cluster: '',
    node: '',
    nodeName: '',
    transport: '',
    attempts: 0,
    reused: false,
    startedAt: performance.now() - age,
    startedWall: Date.now() - Math.round(age),
    connectedAfter: undefined,
    firstByteAfter: undefined,
    endedAfter: 0,
    rtt: undefined,
    retransmits: undefined,
    failure: undefined,
  };
}
