/** What the schema found, in words: where in the document, what is wrong, and how to mend it. */
import type { z } from 'zod';
import { type Described, describeAt, exampleOf, keysOf } from './described.ts';
import { nearest } from './nearest.ts';
import type { Path } from './path.ts';

export interface Finding {
  readonly path: Path;
  readonly wrong: string;
  readonly fix: string;
  /** True where the path names a key that should not be there: the key is at fault, not its value. */
  readonly atKey: boolean;
  /** In a text: so many of its characters come before the fault. */
  readonly into?: number;
}

/** What the words are taken from. */
export interface Vocabulary {
  /** The schema as JSON Schema: it names the keys, and its examples and defaults are the fixes. */
  readonly schema: Described;
  /** Where every setting is listed. */
  readonly reference: string;
  /** A scalar as it is written in the text, where that is known. */
  readonly written?: (path: Path) => string | undefined;
}

type Issue = z.core.$ZodIssue;
type Words = Pick<Finding, 'wrong' | 'fix' | 'into'>;

export function explain(issues: readonly Issue[], vocabulary: Vocabulary): readonly Finding[] {
  return issues.flatMap((issue) => explainOne(issue, [], vocabulary));
}

function explainOne(issue: Issue, prefix: Path, vocabulary: Vocabulary): readonly Finding[] {
  const path: Path = [
    ...prefix,
    ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part)),
  ];
  switch (issue.code) {
    case 'invalid_union':
      return explainUnion(issue, path, vocabulary);
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        return { path: [...path, key], ...unknownKey(key, path, vocabulary), atKey: true };
      });
    default:
      return [{ path, ...wording(issue, path, vocabulary), atKey: false }];
  }
}

/** Of the forms a value may take, speaks of the one that was meant: where the type of the value was right. */
function explainUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  path: Path,
  vocabulary: Vocabulary,
): readonly Finding[] {
  const mistyped = (branch: readonly Issue[]): boolean =>
    branch.some(
      ({ code, path: at }) => at.length === 0 && (code === 'invalid_type' || code === 'invalid_value'),
    );
  // Where several forms are mappings, the one that was meant has the least wrong with it.
  const [meant] = issue.errors
    .filter((branch) => branch.length > 0 && !branch.some(isRootMismatch(mistyped)))
    .toSorted((one, other) => one.length - other.length);
  if (meant !== undefined) return meant.flatMap((one) => explainOne(one, path, vocabulary));
  const fix = exampleAt(path, vocabulary);
  if (issue.input === undefined) return [{ path, wrong: 'is missing', fix, atKey: false }];
  return [{ path, wrong: `${shown(issue.input, path, vocabulary)} does not fit here`, fix, atKey: false }];
}

/** A nested union whose every form was mistyped counts as mistyped itself. */
function isRootMismatch(mistyped: (branch: readonly Issue[]) => boolean): (issue: Issue) => boolean {
  return (issue) =>
    mistyped([issue]) ||
    (issue.code === 'invalid_union' && issue.path.length === 0 && issue.errors.every(mistyped));
}

function wording(issue: Issue, path: Path, vocabulary: Vocabulary): Words {
  const given = shown(issue.input, path, vocabulary);
  const example = exampleAt(path, vocabulary);
  switch (issue.code) {
    case 'custom':
      return { wrong: issue.message, fix: example, ...refusalOf(issue.params) };
    case 'invalid_type':
      if (issue.input === undefined) return { wrong: 'is missing', fix: example };
      return {
        wrong: `${given} is not ${article(issue.expected)}`,
        fix: retyped(issue, path, vocabulary) ?? example,
      };
    case 'invalid_value': {
      if (issue.input === undefined) return { wrong: 'is missing', fix: example };
      const values = issue.values.map(String);
      const meant = typeof issue.input === 'string' ? nearest(issue.input, values) : undefined;
      const fix = meant === undefined ? `write one of ${values.join(', ')}` : `did you mean ${meant}?`;
      return { wrong: `${given} is not one of ${values.join(', ')}`, fix };
    }
    case 'too_small':
      if (issue.origin === 'array' || issue.origin === 'string') return { wrong: 'is empty', fix: example };
      return { wrong: `${given} is too small`, fix: `write at least ${issue.minimum}` };
    case 'too_big':
      if (issue.origin === 'string') {
        return { wrong: `is longer than ${issue.maximum} characters`, fix: 'shorten it' };
      }
      return { wrong: `${given} is too large`, fix: `write at most ${issue.maximum}` };
    default:
      return { wrong: `${given} is not valid`, fix: example };
  }
}

/** What quantities.ts put beside the message. */
function refusalOf(params: { fix?: unknown; into?: unknown } = {}): Partial<Words> {
  const { fix, into } = params;
  return {
    ...(typeof fix === 'string' ? { fix } : {}),
    ...(typeof into === 'number' ? { into } : {}),
  };
}

/** What YAML took for another type than was meant: `007` for a number, `no` for a text. */
function retyped(issue: z.core.$ZodIssueInvalidType, path: Path, vocabulary: Vocabulary): string | undefined {
  const { input, expected } = issue;
  const described = describeAt(vocabulary.schema, path);
  const written = vocabulary.written?.(path) ?? keyAlone(input);
  if (written === undefined || written === '' || described?.writeOnly) return undefined;
  if (expected === 'boolean' && /^(no|off|n)$/i.test(written)) return 'write false';
  if (expected === 'boolean' && /^(yes|on|y)$/i.test(written)) return 'write true';
  const bare = expected === 'string' && input !== null && described?.pattern === undefined;
  return bare ? `write it in quotes: '${shorten(written)}'` : undefined;
}

/** `[2001:db8::]` is read as a mapping whose one key is `2001:db8:`. */
function keyAlone(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  const [entry, ...others] = Object.entries(input);
  return entry?.[1] === null && others.length === 0 ? `${entry[0]}:` : undefined;
}

function unknownKey(key: string, parent: Path, { schema }: Vocabulary): Words {
  const known = keysOf(describeAt(schema, parent));
  const meant = nearest(key, known);
  const fix = meant === undefined ? `remove it; known here: ${known.join(', ')}` : `did you mean ${meant}?`;
  return { wrong: 'there is no such setting', fix };
}

function exampleAt(path: Path, { schema, reference }: Vocabulary): string {
  return exampleOf(describeAt(schema, path), reference);
}

function article(type: string): string {
  const names: Readonly<Record<string, string>> = {
    object: 'a mapping',
    record: 'a mapping',
    array: 'a list',
    int: 'a whole number',
  };
  return names[type] ?? `a ${type}`;
}

/** The value at fault, short. Nodes are read by readNode, which never echoes: they may hold a password. */
function shown(value: unknown, path: Path, { schema, written }: Vocabulary): string {
  if (value === null) return 'nothing';
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'a mapping';
  if (describeAt(schema, path)?.writeOnly) return `a ${typeof value}`;
  const text = (typeof value === 'string' ? undefined : written?.(path)) ?? JSON.stringify(value);
  return shorten(text ?? String(value));
}

export function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
