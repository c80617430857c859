/** What the demo reads of the proxy from outside: CPU time and memory of the process, and its metrics. */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU seconds of all threads of a process, to the nanosecond: /proc/PID/stat counts in hundredths of a second,
 * which is the whole cost of 100 MB. Undefined where there is no /proc.
 */
export function cpuSeconds(pid: number): number | undefined {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const spent = tasks.map((task) => {
      const [nanoseconds] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
      return Number(nanoseconds);
    });
    return spent.reduce((sum, one) => sum + one, 0) / 1e9;
  } catch {
    return undefined;
  }
}

/** The most memory it ever had resident, bytes. */
export function peakMemory(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

/** The sum of a metric's samples whose labels hold `label`; 0 when there is none. */
export function sample(exposition: string, name: string, label = ''): number {
  let sum = 0;
  for (const line of exposition.split('\n')) {
    const [, found, labels = '', value] = /^([a-z_:]+)(\{[^}]*\})? (\S+)$/i.exec(line) ?? [];
    if (found === name && labels.includes(label)) sum += Number(value);
  }
  return sum;
}
