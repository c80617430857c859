/** Rates as people write them: `50MB/s`, `100/s`, `30/m`. */
import { type Reading, readSize } from '../../config/units.ts';
import { quoted } from './texts.ts';

export const bandwidthPattern = '^\\d+(\\.\\d+)?\\s?(B|kB|KB|MB|GB|KiB|MiB|GiB)/s$';
export const requestRatePattern = '^\\d+(\\.\\d+)?/(s|m|h)$';

const bandwidthFix =
  'write bytes a second with a unit of B, kB, MB, GB (1000) or KiB, MiB, GiB (1024): 50MB/s';
const requestRateFix = 'write requests a second, minute or hour: 100/s, 30/m, 1000/h';
const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Bytes a second. Bits are refused: a policy's limits are all in bytes. */
export function readBandwidth(text: string): Reading<number> {
  const fix = bandwidthFix;
  if (!text.endsWith('/s') || !new RegExp(bandwidthPattern).test(text)) {
    return { kind: 'wrong', wrong: `${quoted(text)} is not a number of bytes a second`, fix };
  }
  const size = readSize(text.slice(0, -2));
  return size.kind === 'value' ? size : { ...size, fix };
}

/** Requests a second, which may be a fraction. */
export function readRequestRate(text: string): Reading<number> {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\/([smh])$/.exec(text) ?? [];
  const per = seconds[unit];
  const rate = Number(number) / (per ?? 1);
  if (per !== undefined && rate <= Number.MAX_SAFE_INTEGER) return { kind: 'value', value: rate };
  return { kind: 'wrong', wrong: `${quoted(text)} is not a rate of requests`, fix: requestRateFix };
}

/** A tenth of a second's worth, and no less than one read of a relay. */
export function defaultBurst(bytesPerSecond: number): number {
  return Math.max(65_536, Math.round(bytesPerSecond / 10));
}

/** One second's worth, in whole requests. */
export function defaultRequestBurst(requestsPerSecond: number): number {
  return Math.max(1, Math.ceil(requestsPerSecond));
}
