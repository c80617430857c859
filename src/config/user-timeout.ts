/**
 * TCP_USER_TIMEOUT and `timeouts.stall`. The kernel counts the time in which sent bytes are not acknowledged, and also the
 * time in which a peer that lives acknowledges but has no room (a zero window; tcp(7), and `tcp_probe_timer` in Linux). A
 * reader that pauses is thus cut by whichever of the two is shorter, and only the stall timeout can say who paused.
 */
import type { Settings } from './schema.ts';

type SocketSettings = Settings['upstream']['socket'];

/** The kernel counts from its first probe and looks at each probe only: it shall not be the first, milliseconds. */
const margin = 10_000;

/** In milliseconds. `auto` is what keep-alive comes to, or longer where bodies may stall for longer. */
export function userTimeoutOf({ keepAlive, userTimeout }: SocketSettings, stall: number): number {
  return userTimeout === 'auto' ? Math.max(keepAliveTime(keepAlive), stall + margin) : userTimeout;
}

/** How long a peer that is gone stays unnoticed by keep-alive, milliseconds. */
export function keepAliveTime({ idle, interval, count }: SocketSettings['keepAlive']): number {
  return idle + interval * count;
}
