/** What the operating system says of one process. All of it by /proc, so it costs the process nothing. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * CPU time of all its threads so far, in nanoseconds: the scheduler's own count, or, on a kernel without it,
 * clock ticks of 10 ms. A thread that has ended is counted by the ticks alone; no peer ends threads in a run.
 */
export function cpuNanoseconds(pid: number): number {
  let total = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  if (total > 0) return total;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000_000;
}

function statusKiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? Number.NaN);
}

/** Resident memory now, in KiB. */
export const residentKiB = (pid: number): number => statusKiB(pid, 'VmRSS');

/** The most resident memory it ever had, in KiB. */
export const peakResidentKiB = (pid: number): number => statusKiB(pid, 'VmHWM');

/** How many pipes it holds open. */
export function pipes(pid: number): number {
  const found = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      if (target.startsWith('pipe:')) found.add(target);
    } catch {
      // Closed since the listing.
    }
  }
  return found.size;
}

/** How many files this process, and so each it starts, may hold open. */
export function openFilesLimit(): number {
  const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Number(line?.[1] ?? 1024);
}
