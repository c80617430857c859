/** The building blocks of the schema: values with units, bounds and a fix in every refusal. */
import { z } from 'zod';
import {
  durationPattern,
  type Reading,
  readDuration,
  readSize,
  sizePattern,
  writeDuration,
  writeSize,
} from './units.ts';

/** Milliseconds. */
export const hour = 3_600_000;
export const day = 24 * hour;

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** What a refusal carries beside zod's own fields: how to mend it. explain.ts shows it. */
export interface Refusal {
  readonly wrong: string;
  readonly fix: string;
  readonly path?: readonly (string | number)[];
  /** In a text: so many of its characters come before the fault. */
  readonly into?: number | undefined;
}

/** The part of zod's check context that a refusal needs. */
interface Issues {
  readonly value: unknown;
  readonly issues: unknown[];
}

export function refuse(context: Issues, refusal: Refusal): void {
  context.issues.push({
    code: 'custom',
    message: refusal.wrong,
    params: { fix: refusal.fix, into: refusal.into },
    path: [...(refusal.path ?? [])],
    input: context.value,
  });
}

const isMapping = ({ value }: { readonly value: unknown }): boolean =>
  typeof value === 'object' && value !== null;

/**
 * A check of a whole that is made although parts of it are wrong by themselves, where zod would leave it out and so hide
 * what it finds. Of a part that is wrong, `context.value` may hold anything.
 */
export function always<T>(check: (context: z.core.ParsePayload<T>) => void): z.core.$ZodCheck<T> {
  return { _zod: { def: { check: 'custom', when: isMapping }, check, onattach: [] } };
}

/** A string read by one of our own readers, which says what is wrong and how to mend it. */
export function read<T>(reader: (text: string) => Reading<T>) {
  return z.string().transform((text, context): T => {
    const reading = reader(text);
    if (reading.kind === 'value') return reading.value;
    refuse({ value: text, issues: context.issues }, reading);
    return z.NEVER;
  });
}

export function duration(bounds: Bounds) {
  return z
    .union([z.number(), read(readDuration).meta({ pattern: durationPattern })])
    .check((context) => within(context, bounds, writeDuration))
    .meta({ examples: ['60s'] });
}

/** Linux counts keep-alive in whole seconds. */
export function seconds(bounds: Bounds) {
  return duration(bounds).check((context) => {
    if (context.value % 1000 === 0) return;
    const fix = `write ${Math.max(1, Math.round(context.value / 1000))}s`;
    refuse(context, { wrong: 'the kernel counts this in whole seconds', fix });
  });
}

export function size(bounds: Bounds) {
  return z
    .union([z.number(), read(readSize).meta({ pattern: sizePattern })])
    .check((context) => within(context, bounds, writeSize))
    .meta({ examples: ['64KiB'] });
}

export function count(bounds: Bounds) {
  return z.int().min(bounds.min).max(bounds.max);
}

function within(
  context: Issues & { readonly value: number },
  { min, max }: Bounds,
  write: (value: number) => string,
): void {
  const { value } = context;
  if (!Number.isSafeInteger(value)) {
    refuse(context, { wrong: `${value} is not a whole number`, fix: `write e.g. ${write(min)}` });
  } else if (value < min) {
    refuse(context, { wrong: `${write(value)} is too small`, fix: `write at least ${write(min)}` });
  } else if (value > max) {
    refuse(context, { wrong: `${write(value)} is too large`, fix: `write at most ${write(max)}` });
  }
}
