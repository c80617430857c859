/** What the schema found, in words: where in the document, what is wrong, and how to mend it. */
import type { z } from 'zod';
import { nearest } from './nearest.ts';
import { jsonSchema } from './schema.ts';

export type Path = readonly (string | number)[];

export interface Finding {
  readonly path: Path;
  readonly wrong: string;
  readonly fix: string;
  /** True where the path names a key that should not be there: the key is at fault, not its value. */
  readonly atKey: boolean;
}

type Issue = z.core.$ZodIssue;

export function explain(issues: readonly Issue[]): readonly Finding[] {
  return issues.flatMap((issue) => explainOne(issue, []));
}

function explainOne(issue: Issue, prefix: Path): readonly Finding[] {
  const path: Path = [
    ...prefix,
    ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part)),
  ];
  switch (issue.code) {
    case 'invalid_union':
      return explainUnion(issue, path);
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], ...unknownKey(key, path), atKey: true }));
    default:
      return [{ path, ...wording(issue, path), atKey: false }];
  }
}

/** Of the forms a value may take, speaks of the one that was meant: where the type of the value was right. */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path): readonly Finding[] {
  const mistyped = (branch: readonly Issue[]): boolean =>
    branch.some(
      ({ code, path: at }) => at.length === 0 && (code === 'invalid_type' || code === 'invalid_value'),
    );
  const meant = issue.errors.find((branch) => branch.length > 0 && !branch.some(isRootMismatch(mistyped)));
  if (meant !== undefined) return meant.flatMap((one) => explainOne(one, path));
  if (issue.input === undefined) return [{ path, ...missing(path), atKey: false }];
  return [{ path, wrong: `${shown(issue.input)} does not fit here`, fix: exampleAt(path), atKey: false }];
}

/** A nested union whose every form was mistyped counts as mistyped itself. */
function isRootMismatch(mistyped: (branch: readonly Issue[]) => boolean): (issue: Issue) => boolean {
  return (issue) =>
    mistyped([issue]) ||
    (issue.code === 'invalid_union' && issue.path.length === 0 && issue.errors.every(mistyped));
}

function wording(issue: Issue, path: Path): { wrong: string; fix: string } {
  switch (issue.code) {
    case 'custom':
      return { wrong: issue.message, fix: fixOf(issue.params) ?? exampleAt(path) };
    case 'invalid_type':
      if (issue.input === undefined) return missing(path);
      return { wrong: `${shown(issue.input)} is not ${article(issue.expected)}`, fix: exampleAt(path) };
    case 'invalid_value': {
      const values = issue.values.map(String);
      const meant = typeof issue.input === 'string' ? nearest(issue.input, values) : undefined;
      const fix = meant === undefined ? `write one of ${values.join(', ')}` : `did you mean ${meant}?`;
      return { wrong: `${shown(issue.input)} is not one of ${values.join(', ')}`, fix };
    }
    case 'too_small':
      if (issue.origin === 'array' || issue.origin === 'string')
        return { wrong: 'is empty', fix: exampleAt(path) };
      return { wrong: `${shown(issue.input)} is too small`, fix: `write at least ${issue.minimum}` };
    case 'too_big':
      return { wrong: `${shown(issue.input)} is too large`, fix: `write at most ${issue.maximum}` };
    default:
      return { wrong: `${shown(issue.input)} is not valid`, fix: exampleAt(path) };
  }
}

/** What quantities.ts put beside the message. */
function fixOf(params: { fix?: unknown } | undefined): string | undefined {
  return typeof params?.fix === 'string' ? params.fix : undefined;
}

function missing(path: Path): { wrong: string; fix: string } {
  return { wrong: 'is missing', fix: exampleAt(path) };
}

function unknownKey(key: string, parent: Path): { wrong: string; fix: string } {
  const known = Object.keys(describeAt(parent)?.properties ?? {});
  const meant = nearest(key, known);
  const fix = meant === undefined ? `remove it; known here: ${known.join(', ')}` : `did you mean ${meant}?`;
  return { wrong: 'there is no such setting', fix };
}

function article(type: string): string {
  const names: Readonly<Record<string, string>> = {
    object: 'a mapping',
    array: 'a list',
    int: 'a whole number',
  };
  return names[type] ?? `a ${type}`;
}

/** The value at fault, short. Nodes are read by readNode, which never echoes: they may hold a password. */
function shown(value: unknown): string {
  if (value === null) return 'nothing';
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'a mapping';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** As much of a JSON Schema as is walked here. */
interface Described {
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly items?: Described;
  readonly anyOf?: readonly Described[];
}

function exampleAt(path: Path): string {
  const described = describeAt(path);
  const item = described?.items?.examples?.[0];
  const example = described?.examples?.[0] ?? (item === undefined ? described?.default : `[${item}]`);
  const text = typeof example === 'string' ? example : JSON.stringify(example);
  if (example !== undefined && text !== '{}') return `write e.g. ${text}`;
  const keys = Object.keys(described?.properties ?? {});
  return keys.length > 0 ? `write a mapping with any of ${keys.join(', ')}` : 'see docs/configuration.md';
}

function describeAt(path: Path): Described | undefined {
  let at: Described | undefined = jsonSchema();
  for (const part of path) at = at && step(at, part);
  return at && (at.properties === undefined ? (at.anyOf?.find(({ properties }) => properties) ?? at) : at);
}

function step(from: Described, part: string | number): Described | undefined {
  const direct = typeof part === 'number' ? from.items : from.properties?.[part];
  if (direct !== undefined) return direct;
  for (const form of from.anyOf ?? []) {
    const found = step(form, part);
    if (found !== undefined) return found;
  }
  return undefined;
}
