/**
 * The process's own metrics under Prometheus's standard names, read when scraped. prom-client's default set
 * keeps a 10 ms timer running to sample the event loop; its utilization is kept by Node anyway.
 */
import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Scraped } from './scraped.ts';

/** `descriptorLimit` gives undefined where it is not known. */
export function registerProcess(scraped: Scraped, descriptorLimit?: () => number | undefined): void {
  scraped.counter('process_cpu_seconds_total', 'User and system CPU time, seconds.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  scraped.gauge('process_resident_memory_bytes', 'Resident memory, bytes.', () => process.memoryUsage.rss());
  scraped.gauge('process_open_fds', 'Open descriptors.', openDescriptors);
  scraped.gauge(
    'process_max_fds',
    'Descriptors that the process may open (RLIMIT_NOFILE).',
    () => descriptorLimit?.() ?? -1,
  );
  scraped.gauge(
    'nodejs_heap_used_bytes',
    'JavaScript heap in use, bytes.',
    () => process.memoryUsage().heapUsed,
  );
  scraped.gauge(
    'nodejs_eventloop_utilization_ratio',
    'Share of the time since the last scrape that the event loop was busy.',
    utilization(),
  );
  const begun = Math.round(performance.timeOrigin) / 1000;
  scraped.gauge('process_start_time_seconds', 'When the process began, seconds since 1970.', () => begun);
}

/** -1 where the system has no /proc. */
function openDescriptors(): number {
  try {
    // The listing holds a descriptor of its own.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return -1;
  }
}

function utilization(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const since = performance.eventLoopUtilization(now, last);
    last = now;
    return since.utilization;
  };
}
