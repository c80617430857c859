/** What a running Sluice tells on its admin address: the paths, and the shapes of the JSON ones. */

export const adminPaths = {
  /** 200 as long as the process answers at all. */
  live: '/livez',
  /** 200 or 503: whether new clients should be sent here. */
  ready: '/readyz',
  /** Prometheus's text format. */
  metrics: '/metrics',
} as const;

export interface Liveness {
  readonly live: true;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words; when ready, what it is doing. */
  readonly reason: string;
}

/** Every other answer: 404, 405, 500. */
export interface Refusal {
  readonly error: string;
}
