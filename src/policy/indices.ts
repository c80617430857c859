/**
 * Index expressions: which indices a request can touch, and whether a policy's patterns cover them all. The
 * answer errs on one side only: "covered" is never said where an index outside could be touched. What servers
 * make of each form, and where they differ, is in docs/index-expressions.md.
 */
import { type Failure, failure } from '../errors.ts';
import { compileGlob, type Glob } from './glob.ts';
import { literalHead, overlap } from './index-glob.ts';
import { type IndexTerm, isPlain, readTerm } from './index-term.ts';

/** A compiled list of `match.indices` patterns of one policy. */
export interface IndexPatterns {
  readonly sources: readonly string[];
  readonly compiled: readonly IndexPattern[];
}

interface IndexPattern extends IndexItem {
  readonly containsGlob: Glob;
  /** Undefined is this cluster. */
  readonly containsRemote: Glob | undefined;
}

export type CompiledPatterns =
  | { readonly kind: 'compiled'; readonly patterns: IndexPatterns }
  | { readonly kind: 'wrong'; readonly pattern: string; readonly wrong: string; readonly fix: string };

/** What a request may touch, by name. */
export type IndexItem = Pick<IndexTerm, 'remote' | 'glob' | 'selector'>;

/** What a request names, parsed once per request and shared by all policies. */
export interface IndexExpression {
  /** Everything that may be touched is in one of them. Never empty. */
  readonly items: readonly IndexItem[];
  /** Whether that is every index of this cluster; `*` is then among the items. */
  readonly all: boolean;
  /** As given, for `resolve`. */
  readonly values: readonly string[];
}

/** More items in one request are refused. */
export const maxIndexItems = 1024;

const everything: IndexItem = { remote: undefined, glob: '*', selector: undefined };
const allOfThem: IndexExpression = { items: [everything], all: true, values: [] };

/**
 * Compiles patterns: names with `*` for any run of characters, `cluster:name` for remote ones, `name::failures`
 * for the failure stores of data streams. Exclusions and date math are wrong in a policy.
 */
export function compileIndexPatterns(patterns: readonly string[]): CompiledPatterns {
  const compiled: IndexPattern[] = [];
  for (const pattern of patterns) {
    const read = readPattern(pattern);
    if ('wrong' in read) return { kind: 'wrong', pattern, ...read };
    compiled.push(read);
  }
  return { kind: 'compiled', patterns: { sources: patterns, compiled } };
}

function readPattern(pattern: string): IndexPattern | { readonly wrong: string; readonly fix: string } {
  if (pattern.includes(',')) {
    return { wrong: 'it holds a comma', fix: 'make each name an item of the list' };
  }
  if (pattern.includes('<')) return { wrong: 'it is date math', fix: 'write * for what is computed' };
  if (/(^|:)_all($|::)/.test(pattern)) return { wrong: 'it is no name', fix: 'write * for all indices' };
  const term = readTerm(pattern);
  if (typeof term === 'string') {
    return { wrong: `it has ${term}`, fix: 'write a name, with * for any run of characters' };
  }
  if (term.excluded) {
    return {
      wrong: 'it is an exclusion',
      fix: 'deny those indices in a policy of their own, with a lower order',
    };
  }
  const { remote, glob } = term;
  return {
    remote,
    glob,
    selector: pattern.endsWith('::data') ? 'data' : term.selector,
    containsGlob: compileGlob(glob),
    containsRemote: remote === undefined ? undefined : compileGlob(remote),
  };
}

/**
 * Reads the decoded values of all index parameters of a request, each of which may be a comma list; no value
 * means that none was named, so all. `path-ambiguous` for what servers read differently, no server takes, or is
 * too long; servers drop some empty items and not others, and take a lone comma for all indices.
 */
export function parseIndexExpression(values: readonly string[]): IndexExpression | Failure {
  const only = values[0];
  if (only === undefined) return allOfThem;
  const items: IndexItem[] = [];
  let all = false;
  if (values.length === 1 && isPlain(only) && !only.includes('**')) {
    items.push({ remote: undefined, glob: only, selector: undefined });
    return { items, all: only === '*', values };
  }
  let read = 0;
  for (const value of values) {
    const terms = readList(value, maxIndexItems - read);
    if ('code' in terms) return terms;
    read += terms.length;
    if (mayMeanAll(terms)) all = true;
    const excludesOnly = terms.every((term) => term.excluded);
    for (const { excluded, remote, glob, selector } of terms) {
      if (excludesOnly) items.push({ remote, glob: '*', selector });
      else if (!excluded) items.push({ remote, glob, selector });
    }
  }
  const wildcard = items.some((item) => item.glob === '*' && isLocalData(item));
  if (all && !wildcard) items.push(everything);
  return { items, all: all || wildcard, values };
}

function readList(value: string, most: number): readonly IndexTerm[] | Failure {
  const texts = value.split(',', most + 1);
  if (texts.length > most) return failure('path-ambiguous', `more than ${maxIndexItems} index names`);
  const terms: IndexTerm[] = [];
  for (const text of texts) {
    const term = readTerm(text);
    if (typeof term === 'string') {
      return failure('path-ambiguous', `index name ${terms.length + 1}: ${term}`);
    }
    terms.push(term);
  }
  return terms;
}

/**
 * Whether a list can mean all indices of this cluster without saying so. A list that begins with an exclusion
 * once meant all but that, and now means nothing. Where all items name clusters by wildcard and none is found,
 * Elasticsearch 8 and 9 search this cluster as if no index were named.
 */
function mayMeanAll(terms: readonly IndexTerm[]): boolean {
  const first = terms[0];
  if (first?.excluded && first.remote === undefined) return true;
  return terms.every(({ excluded, remote }) => excluded || remote?.includes('*'));
}

function isLocalData(item: IndexItem): boolean {
  return item.remote === undefined && item.selector === undefined;
}

/**
 * Whether every index that the expression can touch is matched by one of the patterns. Sound, and exact but for
 * exclusions, which only ever narrow and are ignored.
 */
export function covers(patterns: IndexPatterns, expression: IndexExpression): boolean {
  for (const item of expression.items) if (!coversItem(patterns, item)) return false;
  return true;
}

function coversItem({ compiled }: IndexPatterns, { remote, glob, selector }: IndexItem): boolean {
  for (const pattern of compiled) {
    if (pattern.selector !== selector && (pattern.selector !== 'data' || selector !== undefined)) continue;
    if (!pattern.containsGlob(glob)) continue;
    const { containsRemote } = pattern;
    if (remote === undefined ? containsRemote === undefined : containsRemote?.(remote)) return true;
  }
  return false;
}

/**
 * Whether there may be an index that the expression can touch and one of the patterns matches: what a policy that
 * denies has to ask. It errs to the other side: exclusions are ignored here as well.
 */
export function mayTouch(patterns: IndexPatterns, expression: IndexExpression): boolean {
  return expression.items.some((item) => patterns.compiled.some((pattern) => meets(pattern, item)));
}

function meets(pattern: IndexPattern, { remote, glob, selector }: IndexItem): boolean {
  if (pattern.selector !== undefined && pattern.selector !== (selector ?? 'data')) return false;
  if ((pattern.remote === undefined) !== (remote === undefined)) return false;
  if (!overlap(pattern.remote ?? '', remote ?? '')) return false;
  // A server that knows no selectors may search everything instead; see readTerm.
  const reach = selector !== undefined && glob.includes('*') ? '*' : glob;
  return overlap(pattern.glob, reach);
}

/**
 * What all names in the first item begin with, `cluster:` included: empty where it begins with a wildcard,
 * undefined where all indices are meant. A policy can cover the expression only if one of its `patternPrefixes`
 * is a beginning of this, or empty where this is undefined.
 */
export function literalPrefix(expression: IndexExpression): string | undefined {
  const first = expression.items[0];
  return expression.all || first === undefined ? undefined : prefixOf(first);
}

/** What all names that a pattern matches begin with, `cluster:` included, in the order of `sources`. */
export function patternPrefixes(patterns: IndexPatterns): readonly string[] {
  return patterns.compiled.map(prefixOf);
}

function prefixOf({ remote, glob }: IndexItem): string {
  if (remote === undefined) return literalHead(glob);
  return remote.includes('*') ? literalHead(remote) : `${remote}:${literalHead(glob)}`;
}

/**
 * For tests and explanations: which of `names`, all of indices of this cluster, the expression touches at most. Of
 * what servers do differently it is the union: an exclusion counts only after a wildcard, computed dates are any.
 * Hidden names are among them, since `expand_wildcards` in the query can ask for them.
 */
export function resolve(expression: IndexExpression, names: readonly string[]): readonly string[] {
  const touched = new Set<string>(expression.values.length === 0 ? names : []);
  for (const value of expression.values) {
    const terms = readList(value, maxIndexItems);
    if ('code' in terms) continue;
    for (const name of resolveList(terms, names)) touched.add(name);
  }
  return names.filter((name) => touched.has(name));
}

function resolveList(terms: readonly IndexTerm[], names: readonly string[]): ReadonlySet<string> {
  if (terms.every(({ remote }) => remote?.includes('*'))) return new Set(names);
  const touched = new Set<string>();
  let wildcardSeen = false;
  for (const { excluded, remote, glob, selector, dateMath } of terms) {
    if (remote !== undefined) continue;
    const matches = compileGlob(glob);
    for (const name of names) {
      if (!matches(name)) continue;
      if (!excluded) touched.add(name);
      else if (wildcardSeen && selector === undefined && !dateMath) touched.delete(name);
    }
    if (glob.includes('*') && !dateMath && selector === undefined) wildcardSeen = true;
  }
  return touched;
}
