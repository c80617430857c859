/**
 * What the process's limit of open descriptors (RLIMIT_NOFILE, `ulimit -n`) leaves for traffic. Each exchange needs two
 * sockets, the client's and the server's; some descriptors are kept for the rest of the process: admin connections,
 * name resolution, log files, the processes that read policies.
 */
import { readFileSync } from 'node:fs';

/** What a process holds that serves nobody, with room for watchers of policies: 28 were measured without policies. */
const own = 40;

/** The soft limit, which Node raises to the hard one when it starts. Undefined where the system has no /proc. */
export function descriptorLimit(): number | undefined {
  try {
    const [, limit] = /^Max open files +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    if (limit === undefined) return undefined;
    return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return undefined;
  }
}

/** The first descriptor number that traffic leaves to the rest of the process. */
export function trafficBound(limit: number): number {
  return limit - reserve(limit);
}

function reserve(limit: number): number {
  return Math.min(64, Math.max(16, Math.floor(limit / 16)));
}

/** Of a listener: how many connections it serves, and how many more wait unread where the kernel can't keep them. */
export interface Room {
  readonly maxConnections: number;
  readonly waiting: number;
}

export type Fit =
  | { readonly kind: 'fits'; readonly rooms: readonly Room[] }
  /** `needed` descriptors for what was asked for; `rooms` is what the limit leaves, in the same proportions. */
  | { readonly kind: 'short'; readonly rooms: readonly Room[]; readonly needed: number };

/**
 * Shares out what `limit` leaves: two descriptors for each connection served, one for each that waits. Every listener
 * may serve one connection at least.
 */
export function fitListeners(listeners: readonly Room[], limit: number): Fit {
  // Pipes are held to a sixteenth by the engine (engine/src/pipe-pool.h), 128 at most.
  const other = own + reserve(limit) + Math.min(128, Math.floor(limit / 16));
  const traffic = listeners.reduce(
    (sum, { maxConnections, waiting }) => sum + 2 * maxConnections + waiting,
    0,
  );
  if (other + traffic <= limit) return { kind: 'fits', rooms: listeners };
  const share = Math.max(0, limit - other) / traffic;
  const rooms = listeners.map(({ maxConnections, waiting }) => ({
    maxConnections: Math.max(1, Math.floor(maxConnections * share)),
    waiting: Math.floor(waiting * share),
  }));
  return { kind: 'short', rooms, needed: other + traffic };
}
