/**
 * The process's own metrics under Prometheus's standard names, read when scraped. prom-client's default set
 * keeps a 10 ms timer running to sample the event loop; its utilization is kept by Node anyway.
 */
import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import type Registry from 'prom-client/lib/registry.js';

export function registerProcess(registry: Registry): void {
  const registers = [registry];
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time, seconds.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge('process_resident_memory_bytes', 'Resident memory, bytes.', () => process.memoryUsage.rss());
  gauge('process_open_fds', 'Open descriptors.', openDescriptors);
  gauge('nodejs_heap_used_bytes', 'JavaScript heap in use, bytes.', () => process.memoryUsage().heapUsed);
  gauge(
    'nodejs_eventloop_utilization_ratio',
    'Share of the time since the last scrape that the event loop was busy.',
    utilization(),
  );
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process began, seconds since 1970.',
    registers,
  }).set(Math.round(performance.timeOrigin) / 1000);
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
