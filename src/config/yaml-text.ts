/**
 * YAML 1.2 as it is read here: strictly, within bounds of time and memory, and with the place of everything in it.
 * JSON is YAML, and is read the same.
 */
import {
  Composer,
  type CST,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Pair,
  type ParsedNode,
  Parser,
} from 'yaml';
import type { Path } from './path.ts';

/** Lines and columns count from 1, columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Fault extends Place {
  readonly wrong: string;
  readonly fix: string;
}

/** What of a path to point at: its value, its key, or the character of its value that has so many before it. */
export type Pointing = 'value' | 'key' | number;

export interface YamlDocument {
  /** Mappings, lists and scalars; undefined where the document is empty. */
  readonly content: unknown;
  readonly start: Place;
  /** Where the path is; for what is missing, the nearest mapping around it. */
  place(path: Path, pointing: Pointing): Place;
  /** A scalar as it is written, without quotes: `007`, where the content is 7. */
  written(path: Path): string | undefined;
}

export type YamlReading =
  | { readonly kind: 'read'; readonly documents: readonly YamlDocument[] }
  | { readonly kind: 'broken'; readonly faults: readonly Fault[] };

/** A page of text nests a dozen deep. */
const maxDepth = 64;
/** Aliases repeat at most so many nodes in all, so that nested ones can't grow without end. */
const maxRepeated = 10_000;
/** After the first few faults the parser only guesses what was meant. */
const maxFaults = 20;

const quoting = 'check the indentation there, and quote values that begin with [ { * & ! % @ or hold ": "';
/** The parser's findings that have a better fix, or better words, than most. */
const syntax: Readonly<Record<string, { readonly wrong?: string; readonly fix: string }>> = {
  TAB_AS_INDENT: { wrong: 'a tab indents the line', fix: 'indent with spaces' },
  TAG_RESOLVE_FAILED: { fix: 'remove the tag' },
};

/** Never throws for bad input, nor for hostile: time grows with the length of the text alone. */
export function readYaml(text: string): YamlReading {
  const placeOf = placesIn(text);
  const faults: Fault[] = [];
  const blame = (offset: number, wrong: string, fix: string): void => {
    if (faults.length < maxFaults) faults.push({ ...placeOf(offset), wrong, fix });
  };

  const tokens = [...new Parser().parse(text)];
  refuseTokens(text, tokens, blame);
  if (faults.length > 0) return { kind: 'broken', faults };

  // Keys are compared by our own walk: the library's way takes a time quadratic in their number.
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, resolveKnownTags: false });
  const composed = [...composer.compose(tokens)];
  for (const { errors, warnings } of [...composed, composer.streamInfo()]) {
    for (const { code, message, pos } of [...errors, ...warnings]) {
      const { wrong = message, fix } = syntax[code] ?? { fix: quoting };
      blame(pos[0], wrong, fix);
    }
  }
  if (faults.length > 0) return { kind: 'broken', faults };

  const documents = composed.map(({ contents, range }): YamlDocument => {
    const content = toContent(contents, blame);
    return {
      content: content ?? undefined,
      start: placeOf(range[0]),
      place: (path, pointing) => placeOf(offsetOf(text, contents, path, pointing) ?? range[0]),
      written: (path) => {
        const node = nodeAt(contents, path);
        return isScalar(node) ? node.source : undefined;
      },
    };
  });
  return faults.length > 0 ? { kind: 'broken', faults } : { kind: 'read', documents };
}

/** The library's own counter of lines misses some, after `...` for one. */
function placesIn(text: string): (offset: number) => Place {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

type Blame = (offset: number, wrong: string, fix: string) => void;

/** What must not even be composed: what is no text, what nests without end, what is another YAML. */
function refuseTokens(text: string, tokens: readonly CST.Token[], blame: Blame): void {
  // Tabs and ends of lines are controls, too.
  const foreign = /[^\P{Cc}\t\r\n]|\uFFFD/u.exec(text);
  if (foreign !== null) {
    blame(foreign.index, 'a character that is no text', 'save the file as UTF-8, without control characters');
    return;
  }
  for (const token of tokens) {
    if (token.type !== 'directive' || !/^%YAML\s+(?!1\.2\s*$)/.test(token.source)) continue;
    blame(
      token.offset,
      'another version of YAML, which reads no as false',
      'remove the line: YAML is 1.2 here',
    );
  }
  const deep = firstTooDeep(tokens);
  if (deep !== undefined)
    blame(deep, `nested more than ${maxDepth} deep`, 'check the brackets and indentation');
}

/** On the parser's flat tokens and without recursion, which the text could exhaust. */
function firstTooDeep(tokens: readonly CST.Token[]): number | undefined {
  let first: number | undefined;
  const open = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > maxDepth) {
      first = Math.min(first ?? token.offset, token.offset);
    } else if (token.type === 'document') {
      if (token.value) open.push({ token: token.value, depth });
    } else if ('items' in token) {
      for (const { key, value } of token.items) {
        if (key) open.push({ token: key, depth: depth + 1 });
        if (value) open.push({ token: value, depth: depth + 1 });
      }
    }
  }
  return first;
}

/** Mappings become objects, whose keys are all their own: one named `__proto__` is refused. */
function toContent(root: unknown, blame: Blame): unknown {
  const anchors = new Map<string, { readonly content: unknown; readonly nodes: number }>();
  let nodes = 0;
  let repeated = 0;

  const convert = (node: unknown): unknown => {
    if (!isNode(node)) return null;
    const at = node.range?.[0] ?? 0;
    if (isAlias(node)) {
      const anchored = anchors.get(node.source);
      if (anchored === undefined) {
        blame(at, `there is no whole &${node.source} before it`, 'write the values out instead of aliases');
        return null;
      }
      repeated += anchored.nodes;
      nodes += anchored.nodes;
      if (repeated > maxRepeated) {
        // The rest would be told of the same.
        if (repeated - anchored.nodes <= maxRepeated) {
          blame(at, 'aliases repeat too much', 'write the values out instead of aliases');
        }
        return null;
      }
      return anchored.content;
    }
    const before = nodes++;
    const content = isMap(node) ? mapping(node.items) : isSeq(node) ? node.items.map(convert) : scalar(node);
    if (node.anchor !== undefined) anchors.set(node.anchor, { content, nodes: nodes - before });
    return content;
  };

  const mapping = (pairs: readonly Pair[]): Record<string, unknown> => {
    const content: Record<string, unknown> = {};
    for (const { key, value } of pairs) {
      const at = isNode(key) ? (key.range?.[0] ?? 0) : 0;
      if (!isScalar(key)) {
        blame(at, 'the key is no plain text', 'write a name and a colon');
        continue;
      }
      const name = keyText(key);
      if (key.anchor !== undefined) anchors.set(key.anchor, { content: name, nodes: 1 });
      if (name === '__proto__') blame(at, 'no key may be called __proto__', 'remove it');
      else if (name === '<<' && key.type === 'PLAIN') {
        blame(at, 'merge keys are not of YAML 1.2', 'write the values out');
      } else if (Object.hasOwn(content, name)) blame(at, 'the key is there already', 'remove one of the two');
      else content[name] = convert(value);
    }
    return content;
  };

  return convert(root);
}

function scalar(node: unknown): unknown {
  return isScalar(node) ? node.value : null;
}

/** `1`, `true` and nothing at all are keys by their text. */
function keyText(key: { readonly value: unknown; readonly source?: string }): string {
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function pairAt(node: unknown, part: string | number): Pair | undefined {
  return isMap(node) ? node.items.find(({ key }) => isScalar(key) && keyText(key) === part) : undefined;
}

/** An index into a value that is no list is stepped over: a list of one may be written without its brackets. */
function step(from: unknown, part: string | number): unknown {
  if (typeof part === 'number') return isSeq(from) ? from.items[part] : isMap(from) ? from : undefined;
  return pairAt(from, part)?.value;
}

function nodeAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(step, root);
}

function offsetOf(text: string, root: ParsedNode | null, path: Path, pointing: Pointing): number | undefined {
  let at: unknown = root;
  let offset = root?.range[0];
  for (const [depth, part] of path.entries()) {
    const next = step(at, part);
    const last = depth === path.length - 1;
    const marked: unknown = (last && pointing === 'key') || !isNode(next) ? pairAt(at, part)?.key : next;
    if (isNode(marked) && marked.range) offset = marked.range[0];
    if (!isNode(next)) return offset;
    at = next;
  }
  if (typeof pointing !== 'number' || !isScalar(at) || !at.range) return offset;
  return at.range[0] + charactersTo(text.slice(at.range[0], at.range[1]), String(at.value), pointing);
}

/** From the beginning of what is written to the character of its value; 0 where escapes or folding hide it. */
function charactersTo(written: string, value: string, characters: number): number {
  const whole = written.indexOf(value);
  if (whole !== -1) return whole + characters;
  // A block, `|`: a line of the value is one of the text, behind its indentation.
  const before = value.slice(0, characters).split('\n');
  const row = before.length - 1;
  const line = value.split('\n')[row] ?? '';
  const rows = written.split('\n');
  const indent = /^[|]/.test(written) && line !== '' ? (rows[row + 1] ?? '').indexOf(line) : -1;
  if (indent === -1) return 0;
  const column = before[row]?.length ?? 0;
  return rows.slice(0, row + 1).join('\n').length + 1 + indent + column;
}
