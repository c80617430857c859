/**
 * Patterns of indices that an expression computes, for `covers()` and `touches()`: texts as the operator wrote them,
 * and what the request brings, which may only ever be a part of a name. A claim `*` is no wildcard.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { compileIndexPatterns, type IndexPatterns } from './indices.ts';
import { Seen } from './seen.ts';
import { summandsOf } from './when-tree.ts';

/** What `covers()` and `touches()` ask; conditions on patterns are those of `match.indices`. */
export interface IndexReach {
  /** Whether one of the patterns matches each index that the request can touch. */
  covers(patterns: IndexPatterns): boolean;
  /** Whether the request may touch an index that one of the patterns matches. */
  touches(patterns: IndexPatterns): boolean;
}

/** No expression can name a variable so. */
export const reachVariable = '@reach';

export const indexTests = ['covers', 'touches'] as const satisfies readonly (keyof IndexReach)[];

/** A text of the operator's, or a node whose value is a part of a name. */
export type PatternPart = string | ASTNode;

export function patternParts(node: ASTNode): readonly PatternPart[] {
  return summandsOf(node).map((part) =>
    part.op === 'value' && typeof part.args === 'string' ? part.args : part,
  );
}

/** What is wrong with a pattern, whatever its computed parts are; undefined where nothing is. */
export function wrongPattern(parts: readonly PatternPart[]): string | undefined {
  const sample = parts.map((part) => (typeof part === 'string' ? part : 'a')).join('');
  const compiled = compileIndexPatterns([sample]);
  return compiled.kind === 'wrong' ? `${compiled.wrong}: ${compiled.fix}` : undefined;
}

/**
 * Whether a text that the request brings can be a part of a name and nothing else. It begins with a letter or a
 * digit: what follows could otherwise be an exclusion (`-`), hidden (`.`) or mean all (`_`).
 */
export function isNamePart(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text);
}

/** Teams are few, and their requests many. */
const known = new Seen<IndexPatterns>(4096);
const maxKnownLength = 256;

/** Undefined where they are none: a part that is fine alone need not be so where it stands. */
export function computedPatterns(texts: readonly string[]): IndexPatterns | undefined {
  // No pattern holds a comma. What is remembered is remembered as ASCII.
  const key = texts.join();
  const kept = key.length <= maxKnownLength && /^[\x20-\x7e]+$/.test(key);
  const before = kept ? known.get(key) : undefined;
  if (before !== undefined) return before;
  const compiled = compileIndexPatterns(texts);
  if (compiled.kind === 'wrong') return undefined;
  if (kept) known.offer(key, compiled.patterns);
  return compiled.patterns;
}
