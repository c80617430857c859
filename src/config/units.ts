/** Sizes and durations as people write them, read into bytes and milliseconds. */

/** What a unit's reader answers: the value, or what is wrong with the text and how to mend it. */
export type Reading<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'wrong'; readonly wrong: string; readonly fix: string };

const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3 };

/** For editors: the same grammar as a JSON Schema pattern. */
export const sizePattern = '^\\d+(\\.\\d+)?\\s?(B|kB|KB|MB|GB|KiB|MiB|GiB)$';
export const durationPattern = '^\\d+(\\.\\d+)?\\s?(ms|s|m|h)$';

const sizeFix = 'write a number of bytes, or a unit of B, kB, MB, GB (1000) or KiB, MiB, GiB (1024): 64KiB';
const durationFix = 'write a number of milliseconds, or a unit of ms, s, m or h: 60s';

/** `64KiB` to 65536. Units are case sensitive: elsewhere `mb` has meant both, so it is refused. */
export function readSize(text: string): Reading<number> {
  return readQuantity(text, sizeUnits, { what: 'a size', fix: sizeFix, base: 'bytes' });
}

/** `1.5s` to 1500. */
export function readDuration(text: string): Reading<number> {
  return readQuantity(text, durationUnits, { what: 'a duration', fix: durationFix, base: 'milliseconds' });
}

function readQuantity(
  text: string,
  units: Readonly<Record<string, number>>,
  as: { what: string; fix: string; base: string },
): Reading<number> {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s?([A-Za-z]+)$/.exec(text.trim()) ?? [];
  const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (digits === undefined || factor === undefined) {
    return { kind: 'wrong', wrong: `${JSON.stringify(text)} is not ${as.what}`, fix: as.fix };
  }
  const exact = Number(digits) * factor;
  const value = Math.round(exact);
  // 0.1s is 100 ms, though the product of the two is a little off it.
  if (!Number.isSafeInteger(value) || Math.abs(exact - value) > 1e-6) {
    return {
      kind: 'wrong',
      wrong: `${JSON.stringify(text)} is not a whole number of ${as.base}`,
      fix: as.fix,
    };
  }
  return { kind: 'value', value };
}

/** The shortest exact spelling, for messages and the reference table. */
export function writeDuration(milliseconds: number): string {
  if (milliseconds % 1e3 !== 0) return `${milliseconds}ms`;
  return `${milliseconds / 1e3}s`;
}

export function writeSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    const factor = sizeUnits[unit];
    if (factor !== undefined && bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}
