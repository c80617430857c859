/** What a computation costs, however busy the machine is: the processor time of this thread alone. */

/** Milliseconds. For bounds far above what is needed, which tell linear from exponential and not fast from slow. */
export function cpuOf(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
