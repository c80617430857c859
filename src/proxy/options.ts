/** What the proxy is told when it is built. Times are milliseconds, sizes are bytes. */
import type { Failure } from '../errors.ts';
import type { Backlog, Observer } from '../exchange.ts';
import type { Judge } from '../policy/judge.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { TrustSetting } from './trust.ts';

/** What was decided for one request on its way to a node; `id` is the request's. */
export type Decision =
  | { readonly kind: 'sent'; readonly id: string; readonly node: string; readonly reused: boolean }
  /** Another node is tried, if there is one. */
  | { readonly kind: 'not-connected'; readonly id: string; readonly node: string; readonly why: Failure }
  /** `retries`: it may be sent once more. */
  | {
      readonly kind: 'unanswered';
      readonly id: string;
      readonly node: string;
      readonly why: Failure;
      readonly retries: boolean;
    };

export interface ProxyOptions {
  /** Where requests go that no policy routes. */
  readonly cluster: Cluster;
  /** The others, by name. */
  readonly clusters?: ReadonlyMap<string, Cluster>;
  /** Undefined: every request passes. */
  readonly judge?: Pick<Judge, 'judge'> | undefined;
  readonly observers: readonly Observer[];
  /** Undefined where nobody reads them: then none is made. */
  readonly onDecision?: ((decision: Decision) => void) | undefined;
  /** Of the observer that writes; undefined where none does. */
  readonly backlog?: Backlog | undefined;
  /** Whose X-Forwarded-* and X-Proxy-* fields are believed. */
  readonly trust: TrustSetting;
  /** What it is called in Via: a token, another for each process. */
  readonly pseudonym: string;
  /** While it says true every answer ends its connection. */
  readonly draining: () => boolean;
  readonly preflight: {
    /** Bodies of at least so many bytes, and those of unknown length, are asked for first. Infinity: none is. */
    readonly threshold: number;
    /** How long the server may take to say `100 Continue`. */
    readonly timeout: number;
  };
  readonly timeouts: {
    readonly head: number;
    readonly idle: number;
    readonly stall: number;
    /** From the end of the request to the head of the answer; 0 is for ever. */
    readonly responseHead: number;
    readonly linger: number;
  };
  readonly limits: {
    readonly headBytes: number;
    readonly headFields: number;
    readonly targetBytes: number;
    readonly responseHeadBytes: number;
    readonly responseHeadFields: number;
    /** Of a chunked body, either way. */
    readonly trailerBytes: number;
    readonly lingerBytes: number;
    /** Nodes tried for one request, the first included. */
    readonly attempts: number;
  };
}
