/** What a running Sluice tells on its admin address: the paths, and the shapes of the JSON ones. */

export const adminPaths = {
  /** 200 as long as the process answers at all. */
  live: '/livez',
  /** 200 or 503: whether new clients should be sent here. */
  ready: '/readyz',
  /** Prometheus's text format. */
  metrics: '/metrics',
  /** The policies in effect and how often they decided; 404 where requests are not judged. */
  policies: '/policies',
} as const;

export interface Liveness {
  readonly live: true;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words; when ready, what it is doing. */
  readonly reason: string;
  /** Absent where requests are not judged. */
  readonly policies?: PolicySetReport;
}

/** Which set is in effect, and whether it is what its sources hold. */
export interface PolicySetReport {
  /** Empty while no set has been in effect. */
  readonly version: string;
  readonly policies: number;
  /** ISO 8601; empty while no set has been in effect. */
  readonly since: string;
  /** The newest set was refused, or a source can't be read: an older set is in effect. */
  readonly stale: boolean;
  /** Why, one line each. */
  readonly problems: readonly string[];
  readonly sources: readonly PolicySourceReport[];
}

export interface PolicySourceReport {
  readonly source: string;
  readonly reachable: boolean;
  /** Empty when it is. */
  readonly why: string;
}

export interface PolicyReport extends PolicySetReport {
  /** What becomes of a request that no policy matches. */
  readonly default: 'allow' | 'deny';
  /** In the order in which they are asked, then `default`. */
  readonly hits: readonly PolicyHits[];
}

/** Since the proxy began, or the policy of that name did. */
export interface PolicyHits {
  readonly policy: string;
  readonly order: number;
  readonly action: string;
  readonly allowed: number;
  readonly denied: number;
  readonly audited: number;
  /** Now: exchanges under way, and those that wait. */
  readonly streams: number;
  readonly waiting: number;
  /** Turned away by its limits. */
  readonly limited: number;
}

/** Every other answer: 404, 405, 500. */
export interface Refusal {
  readonly error: string;
}
