/**
 * The configuration as the rest of Sluice sees it: complete, checked, sizes in bytes and times in
 * milliseconds. What each setting means is said once, in schema.ts, and printed in docs/configuration.md.
 */

/** Fits `SocketOptions` of net/contract.ts as it is. */
export interface SocketConfig {
  readonly keepAliveIdle: number;
  readonly keepAliveInterval: number;
  readonly keepAliveCount: number;
  readonly userTimeout: number;
  readonly congestionControl: string | undefined;
}

/** With `...socket` it fits `ListenOptions` of net/contract.ts. */
export interface ListenConfig {
  readonly host: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  readonly backlog: number;
  readonly reusePort: boolean;
  readonly maxConnections: number;
  readonly socket: SocketConfig;
}

export interface NodeConfig {
  /** `host:port`, an IPv6 address in brackets. */
  readonly name: string;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Undefined for `http://`. Fits `TlsOptions` of net/contract.ts. */
  readonly tls: NodeTls | undefined;
}

export interface NodeTls {
  readonly serverName: string;
  /** PEM; undefined trusts the system's authorities. */
  readonly ca: string | undefined;
  readonly verify: boolean;
}

export interface ClusterConfig {
  /** At least one, no two of the same name. */
  readonly nodes: readonly NodeConfig[];
  readonly socket: SocketConfig;
  /** Whose Host the nodes are sent. */
  readonly host: 'client' | 'node';
  /** A `maxAge` of Infinity is none. */
  readonly pool: {
    readonly maxIdlePerNode: number;
    readonly idleTimeout: number;
    readonly maxAge: number;
  };
  readonly ejection: {
    readonly baseTime: number;
    readonly maxTime: number;
    readonly failures: number;
    readonly maxPercent: number;
  };
  readonly dns: { readonly refresh: number };
}

/** Paths are absolute. */
export type SourceConfig =
  | { readonly kind: 'path'; readonly path: string }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly interval: number;
      readonly tokenFile: string | undefined;
      readonly caFile: string | undefined;
    }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly prefix: string;
      readonly region: string | undefined;
      readonly endpoint: string | undefined;
      readonly pathStyle: boolean;
      readonly interval: number;
    }
  | {
      readonly kind: 'kubernetes';
      readonly namespace: string | undefined;
      readonly labelSelector: string | undefined;
      readonly kubeconfig: string | undefined;
      readonly context: string | undefined;
    };

export interface PoliciesConfig {
  readonly sources: readonly SourceConfig[];
  readonly default: 'deny' | 'allow';
  readonly onStart: 'wait' | 'deny' | 'allow';
  readonly secrets: { readonly directory: string | undefined };
}

export interface IdentityConfig {
  readonly tokens: readonly TokenIssuerConfig[];
  /** Files of hashes. */
  readonly users: string | undefined;
  readonly apiKeys: string | undefined;
}

export interface TokenIssuerConfig {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly jwks:
    | { readonly kind: 'url'; readonly url: string }
    | { readonly kind: 'file'; readonly file: string };
  readonly algorithms: readonly string[];
  readonly clockTolerance: number;
  readonly subjectClaim: string;
}

export interface Config {
  /** At least one. */
  readonly listen: readonly ListenConfig[];
  readonly admin: { readonly host: string; readonly port: number };
  /** The cluster named `default`. */
  readonly upstream: ClusterConfig;
  /** The others, by name. */
  readonly clusters: Readonly<Record<string, ClusterConfig>>;
  /** Undefined: requests are not judged. */
  readonly policies: PoliciesConfig | undefined;
  readonly identity: IdentityConfig;
  /** A threshold of Infinity is off. */
  readonly preflight: { readonly threshold: number; readonly timeout: number };
  readonly timeouts: {
    readonly head: number;
    readonly idle: number;
    readonly connect: number;
    readonly stall: number;
    /** 0 is for ever. */
    readonly responseHead: number;
    /** How long new connections are still taken after SIGTERM. */
    readonly accept: number;
    readonly drain: number;
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
  /** Networks are blocks (CIDR) or single addresses. */
  readonly forwarded: { readonly trust: 'none' | 'all' | readonly string[] };
  /** The destination is `stdout`, `stderr` or an absolute path. */
  readonly accessLog: { readonly enabled: boolean; readonly destination: string };
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
  readonly transport: 'auto' | 'engine' | 'streams';
}
