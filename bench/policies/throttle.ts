/** 32 uploads at once under one policy's bandwidth: what they get together, and each of them. */
import { load, startOrigin } from '../measure/generators.ts';
import { cpuNanoseconds } from '../measure/proc.ts';
import { startSluice } from './sluice.ts';

const streams = 32;
const seconds = 10;
const rate = 200e6;

const policy = `apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: shared}
spec:
  match: {paths: ['/**']}
  action: allow
  limits: {requestBandwidth: 200MB/s}
`;

/** Each sends what its share comes to in ten seconds: were the shares unequal, some would end early, others late. */
export async function measureThrottle(folder: string) {
  const origin = await startOrigin();
  const sluice = await startSluice(folder, policy, [origin.port, origin.port]);
  const bytes = (rate / streams) * seconds;
  const before = cpuNanoseconds(sluice.pid);
  const groups = Array.from({ length: streams }, () => `up:conns=1,requests=1,bytes=${bytes}`);
  const reports = await load(sluice.port, groups);
  const cpu = cpuNanoseconds(sluice.pid) - before;
  const throttled = await sluice.metric('sluice_policy_throttled_seconds_total');
  await sluice.stop();
  await origin.stop();

  const longest = Math.max(...reports.map((report) => report.seconds));
  const shares = reports.map((report) => report.bytes / report.seconds / (rate / streams));
  const percent = (share: number): number => Math.round(share * 1000) / 10;
  return {
    streams,
    seconds: Math.round(longest * 100) / 100,
    sum_percent_of_limit: percent(reports.reduce((sum, report) => sum + report.bytes, 0) / longest / rate),
    smallest_share_percent: percent(Math.min(...shares)),
    largest_share_percent: percent(Math.max(...shares)),
    stream_seconds_throttled: Math.round(throttled),
    cpu_ms_per_GB: Math.round((cpu / 1e6 / (bytes * streams)) * 1e9 * 10) / 10,
  };
}
