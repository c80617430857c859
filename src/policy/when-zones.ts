/** What the clock on a wall shows in a zone. The library's own answer depends on the machine's zone and takes 40 µs. */

const minute = 60_000;

/**
 * The zone's local time as a moment whose UTC fields show it; undefined for a zone that Intl does not know: an IANA
 * name, or an offset as `+05:30`.
 */
export function compileZone(zone: string): Zone | undefined {
  const known = zones.get(zone);
  if (known !== undefined) return known;
  const format = formatOf(zone);
  if (format === undefined) return undefined;
  // Their formats are large, and policies are compiled again and again.
  if (zones.size >= maxZones) zones.clear();
  const compiled = localTime(format);
  zones.set(zone, compiled);
  return compiled;
}

export type Zone = (time: Date) => Date;

const zones = new Map<string, Zone>();
const maxZones = 64;

function localTime(format: Intl.DateTimeFormat): Zone {
  // Offsets change at whole minutes, and requests come now.
  let asked = Number.NaN;
  let offset = 0;
  return (time) => {
    const current = Math.floor(time.getTime() / minute);
    if (current !== asked) {
      offset = offsetOf(format, time);
      asked = current;
    }
    return new Date(time.getTime() + offset);
  };
}

function formatOf(zone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  } catch {
    return undefined;
  }
}

/** In milliseconds, from `GMT`, `GMT+02:00` or, long ago, `GMT-00:44:30`. */
function offsetOf(format: Intl.DateTimeFormat, time: Date): number {
  const name = format.formatToParts(time).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes, seconds] = /([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(name) ?? [];
  if (sign === undefined) return 0;
  const size = Number(hours) * 3_600_000 + Number(minutes) * minute + Number(seconds ?? 0) * 1000;
  return sign === '-' ? -size : size;
}

const dayLength = 86_400_000;

/** CEL's getters, by name, of the UTC fields of a moment. Months, days of the year and of the month count from 0. */
export const getters = {
  getFullYear: (time) => time.getUTCFullYear(),
  getMonth: (time) => time.getUTCMonth(),
  getDate: (time) => time.getUTCDate(),
  getDayOfMonth: (time) => time.getUTCDate() - 1,
  getDayOfWeek: (time) => time.getUTCDay(),
  getDayOfYear: (time) => Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0)) / dayLength),
  getHours: (time) => time.getUTCHours(),
  getMinutes: (time) => time.getUTCMinutes(),
  getSeconds: (time) => time.getUTCSeconds(),
  getMilliseconds: (time) => time.getUTCMilliseconds(),
} as const satisfies Record<string, (time: Date) => number>;
