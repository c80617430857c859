/**
 * Index expressions: which indices a request can touch, and whether a policy's patterns cover them all. The
 * answer errs on one side only: "covered" is never said where an index outside could be touched. What servers
 * make of each form, and where they differ, is in docs/index-expressions.md.
 */
import { type Failure, failure } from '../errors.ts';
import { compileGlob } from './glob.ts';
import { GlobSet, literalHead, type Work } from './index-glob.ts';
import { type IndexTerm, isPlain, readTerm } from './index-term.ts';

/** A compiled list of `match.indices` patterns of one policy. */
export interface IndexPatterns {
  readonly sources: readonly string[];
  /** In the order of `sources`. */
  readonly items: readonly IndexItem[];
  readonly groups: Groups;
}

export type CompiledPatterns =
  | { readonly kind: 'compiled'; readonly patterns: IndexPatterns }
  | { readonly kind: 'wrong'; readonly pattern: string; readonly wrong: string; readonly fix: string };

/** What a request may touch, or a pattern matches, by name. */
export type IndexItem = Pick<IndexTerm, 'remote' | 'glob' | 'selector'>;

/** Items that differ in nothing but their globs. */
interface Group {
  readonly selector: IndexItem['selector'];
  readonly globs: GlobSet;
}

interface RemoteGroup extends Group {
  /** Of one. */
  readonly remote: GlobSet;
}

interface Groups {
  readonly local: readonly Group[];
  readonly remote: readonly RemoteGroup[];
}

/** What a request names, parsed once per request and shared by all policies. */
export interface IndexExpression extends Work {
  /** Everything that may be touched is in one of them. Never empty. */
  readonly items: readonly IndexItem[];
  /** Whether that is every index of this cluster; `*` is then among the items. */
  readonly all: boolean;
  /** As given, for `resolve`. */
  readonly values: readonly string[];
  /** What all of several items begin with, where none is of a remote cluster or has a selector. */
  readonly common: string | undefined;
  /** What may be touched, made when it is first asked for. */
  reach: Groups | undefined;
}

/** More items in one request are refused. Servers take lines of 4 KiB, so that names of seven characters fit. */
export const maxIndexItems = 512;

/**
 * What all policies together may spend on one request's items, about 5 ms at worst. A thousand policies of a name
 * or a prefix spend a twentieth of it on 512 items; a policy of 1,000 patterns that all begin alike spends it on 250.
 */
export const workPerDecision = 250_000;

/** To be called before the first policy is asked: requests for the same share an expression. */
export function beginDecision(expression: IndexExpression): void {
  expression.workLeft = workPerDecision;
}

const everything: IndexItem = { remote: undefined, glob: '*', selector: undefined };
const allOfThem = expressionOf([everything], true, []);

function expressionOf(items: readonly IndexItem[], all: boolean, values: readonly string[]): IndexExpression {
  return { items, all, values, common: commonBeginning(items), workLeft: workPerDecision, reach: undefined };
}

function commonBeginning(items: readonly IndexItem[]): string | undefined {
  let common = items[0]?.glob;
  if (common === undefined || items.length === 1 || !items.every(isLocalData)) return undefined;
  for (const { glob } of items) {
    let length = 0;
    while (length < common.length && common[length] === glob[length]) length++;
    common = common.slice(0, length);
  }
  return common;
}

/**
 * Compiles patterns: names with `*` for any run of characters, `cluster:name` for remote ones, `name::failures`
 * for the failure stores of data streams. Exclusions and date math are wrong in a policy.
 */
export function compileIndexPatterns(patterns: readonly string[]): CompiledPatterns {
  const items: IndexItem[] = [];
  for (const pattern of patterns) {
    const read = readPattern(pattern);
    if ('wrong' in read) return { kind: 'wrong', pattern, ...read };
    items.push(read);
  }
  return { kind: 'compiled', patterns: { sources: patterns, items, groups: group(items) } };
}

function group(items: readonly IndexItem[]): Groups {
  const groups = new Map<string, { readonly of: IndexItem; readonly globs: string[] }>();
  for (const item of items) {
    const key = `${item.remote ?? ''}:${item.selector ?? ''}`;
    const found = groups.get(key);
    if (found === undefined) groups.set(key, { of: item, globs: [item.glob] });
    else found.globs.push(item.glob);
  }
  const local: Group[] = [];
  const remote: RemoteGroup[] = [];
  for (const { of, globs } of groups.values()) {
    const made = { selector: of.selector, globs: new GlobSet(globs) };
    if (of.remote === undefined) local.push(made);
    else remote.push({ ...made, remote: new GlobSet([of.remote]) });
  }
  return { local, remote };
}

function readPattern(pattern: string): IndexItem | { readonly wrong: string; readonly fix: string } {
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
  return { remote, glob, selector: pattern.endsWith('::data') ? 'data' : term.selector };
}

/**
 * Reads the decoded values of all index parameters of a request, each of which may be a comma list; no value
 * means that none was named, so all. `path-ambiguous` for what servers read differently, no server takes, or is
 * too long; servers drop some empty items and not others, and take a lone comma for all indices.
 */
export function parseIndexExpression(values: readonly string[]): IndexExpression | Failure {
  const only = values[0];
  if (only === undefined) return allOfThem;
  if (values.length === 1 && isPlain(only) && !only.includes('**')) {
    return expressionOf([{ remote: undefined, glob: only, selector: undefined }], only === '*', values);
  }
  const items: IndexItem[] = [];
  let all = false;
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
  return expressionOf(items, all || wildcard, values);
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
 * exclusions, which only ever narrow and are ignored, and for what there is no work left to find out.
 */
export function covers({ groups }: IndexPatterns, expression: IndexExpression): boolean {
  const { common } = expression;
  if (common !== undefined && containsAllWith(groups.local, common, expression)) return true;
  for (const item of expression.items) {
    if (expression.workLeft < 0) return false;
    const covered =
      item.remote === undefined
        ? containsItem(groups.local, item, expression)
        : containsRemote(groups.remote, item.remote, item, expression);
    if (!covered) return false;
  }
  return true;
}

function containsAllWith(groups: readonly Group[], beginning: string, work: Work): boolean {
  for (const group of groups) {
    if (asksFor(group, undefined) && group.globs.containsAllWith(beginning, work)) return true;
  }
  return false;
}

function containsItem(groups: readonly Group[], { glob, selector }: IndexItem, work: Work): boolean {
  for (const group of groups) {
    if (asksFor(group, selector) && group.globs.contains(glob, work)) return true;
  }
  return false;
}

function containsRemote(
  groups: readonly RemoteGroup[],
  remote: string,
  { glob, selector }: IndexItem,
  work: Work,
): boolean {
  for (const group of groups) {
    if (!asksFor(group, selector) || !group.remote.contains(remote, work)) continue;
    if (group.globs.contains(glob, work)) return true;
  }
  return false;
}

function asksFor(group: Group, selector: IndexItem['selector']): boolean {
  return group.selector === selector || (group.selector === 'data' && selector === undefined);
}

/**
 * Whether there may be an index that the expression can touch and one of the patterns matches: what a policy that
 * denies has to ask. It errs to the other side: exclusions are ignored here as well, and where there is no work
 * left to find out, there may.
 */
export function mayTouch({ groups }: IndexPatterns, expression: IndexExpression): boolean {
  if (expression.workLeft < 0) return true;
  expression.reach ??= group(expression.items.map(reachOf));
  const { local, remote } = expression.reach;
  return (
    groups.local.some((own) =>
      local.some((other) => catches(own, other) && own.globs.meets(other.globs, expression)),
    ) || groups.remote.some((own) => mayTouchRemote(own, remote, expression))
  );
}

/** Of remote clusters each may be named by an item of its own, so that they are not looked up but compared. */
function mayTouchRemote(own: RemoteGroup, others: readonly RemoteGroup[], work: Work): boolean {
  for (const other of others) {
    work.workLeft -= 8;
    if (work.workLeft < 0) return true;
    if (!own.remote.meets(other.remote, work) || !catches(own, other)) continue;
    if (own.globs.meets(other.globs, work)) return true;
  }
  return false;
}

function catches(own: Group, { selector = 'data' }: Group): boolean {
  return own.selector === undefined || own.selector === selector;
}

/** A server that knows no selectors may search everything instead; see readTerm. */
function reachOf(item: IndexItem): IndexItem {
  return item.selector !== undefined && item.glob.includes('*') ? { ...item, glob: '*' } : item;
}

/** Whether one of the patterns, with the same selector, matches all that a pattern of another policy does. */
export function containsPattern({ groups }: IndexPatterns, pattern: IndexItem): boolean {
  const unbounded: Work = { workLeft: Number.POSITIVE_INFINITY };
  const { remote, glob, selector } = pattern;
  return remote === undefined
    ? groups.local.some((own) => own.selector === selector && own.globs.contains(glob, unbounded))
    : groups.remote.some(
        (own) =>
          own.selector === selector &&
          own.remote.contains(remote, unbounded) &&
          own.globs.contains(glob, unbounded),
      );
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
  return patterns.items.map(prefixOf);
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
