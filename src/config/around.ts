/** Checks a document around what is wrong with it, so that one mistake does not hide the others. */
import type { z } from 'zod';
import { type Described, describeAt, exampleAt } from './described.ts';
import { explain, type Finding, type Vocabulary } from './explain.ts';
import type { Path } from './path.ts';

export interface Checked<T> {
  /** With defaults and examples in the place of what is wrong; undefined where not even that gives a whole. */
  readonly settings: T | undefined;
  /** Everything that is wrong with single values. */
  readonly findings: readonly Finding[];
}

/** A value that is left out may turn out to be required, and its example to leave other values without a meaning. */
const maxRounds = 6;

export function checkAround<T>(schema: z.ZodType<T>, content: unknown, vocabulary: Vocabulary): Checked<T> {
  let findings: readonly Finding[] | undefined;
  let standing = content;
  for (let round = 0; round < maxRounds; round++) {
    const checked = schema.safeParse(standing, { reportInput: true });
    if (checked.success) return { settings: checked.data, findings: findings ?? [] };
    const found = explain(checked.error.issues, vocabulary);
    // What is found later was made by leaving out what was found first.
    findings ??= found;
    standing = found.reduce((whole, { path }) => without(whole, path, vocabulary.schema), standing);
  }
  return { settings: undefined, findings: findings ?? [] };
}

/** Whether one of the findings is at that place, in it, or around it. */
export function touches(path: Path, findings: readonly Pick<Finding, 'path'>[]): boolean {
  return findings.some((finding) => {
    const shared = Math.min(path.length, finding.path.length);
    return path.slice(0, shared).every((part, index) => part === finding.path[index]);
  });
}

/** A copy in which the value is absent, or, where it was absent or stands in a list, is the schema's example of it. */
function without(whole: unknown, path: Path, schema: Described): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return whole;
  const example = () => exampleAt(schema, [part]);
  if (Array.isArray(whole)) {
    const items: readonly unknown[] = whole;
    return items.map((item, index) => {
      if (index !== part) return item;
      return rest.length === 0 ? example() : without(item, rest, describeAt(schema, [part]) ?? {});
    });
  }
  if (typeof whole !== 'object' || whole === null) return whole;
  const { [part]: value, ...others } = whole as Record<string | number, unknown>;
  if (rest.length > 0) return { ...others, [part]: without(value, rest, describeAt(schema, [part]) ?? {}) };
  return value === undefined ? { ...others, [part]: example() } : others;
}
