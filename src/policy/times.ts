/** Time windows in their own zones. */
import type { TimeWindow } from './document.ts';

/** What the clock on a wall shows in a zone. */
interface LocalTime {
  /** 0 is Sunday. */
  readonly day: number;
  /** Minutes since midnight. */
  readonly minute: number;
}

const minuteOfTime = 60_000;
const dayMinutes = 24 * 60;

/** Whether a moment, in milliseconds since 1970, lies in one of the windows. */
export function compileTimes(windows: readonly TimeWindow[]): (time: number) => boolean {
  const tests = windows.map((window) => {
    const clock = clockOf(window.zone);
    return (time: number) => lies(window, clock(time));
  });
  return (time) => tests.some((test) => test(time));
}

/** A window past midnight belongs to the day on which it begins. */
function lies({ days, from, to }: TimeWindow, { day, minute }: LocalTime): boolean {
  const on = (wanted: number): boolean => days.length === 0 || days.includes(wanted);
  if (from < to) return on(day) && minute >= from && minute < to;
  if (minute >= from) return on(day);
  return minute < to && on((day + 6) % 7);
}

/** Asking Intl takes microseconds, and its answer holds for a minute. */
function clockOf(zone: string): (time: number) => LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  let asked = Number.NaN;
  let shown: LocalTime = { day: 0, minute: 0 };
  return (time) => {
    const minute = Math.floor(time / minuteOfTime);
    if (minute === asked) return shown;
    asked = minute;
    const parts = new Map(format.formatToParts(time).map(({ type, value }) => [type, value]));
    shown = {
      day: weekdays.indexOf(parts.get('weekday') ?? ''),
      minute: (Number(parts.get('hour')) * 60 + Number(parts.get('minute'))) % dayMinutes,
    };
    return shown;
  };
}

const weekdays: readonly string[] = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
