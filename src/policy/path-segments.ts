/**
 * What the segments of a path stand for. Servers expand lists (`a,b`), wildcards (`v*`), `_all` and exclusions (`-a`) in
 * names of indices, and in those of repositories, pipelines, templates and many others; which ones, no table says. So
 * every segment is read as an expression.
 */
import { readingsOf } from './encoded-slash.ts';
import type { EndpointMatch } from './endpoints.ts';
import { compileGlob, type Glob } from './glob.ts';
import { dateMathGlob } from './index-date-math.ts';
import type { Work } from './index-glob.ts';
import type { JudgedPath } from './path.ts';

/** A name or wildcard of a segment. */
interface Item {
  readonly text: string;
  /** Of a wildcard. */
  readonly wildcard: Wildcard | undefined;
}

interface Wildcard {
  readonly head: string;
  readonly tail: string;
  readonly glob: Glob;
}

export interface PathSegment {
  readonly text: string;
  /** What it may stand for; undefined where that is itself alone. */
  readonly items: readonly Item[] | undefined;
}

/** More are looked at as everything. */
const maxItems = 512;

const everything: readonly Item[] = [itemOf('*')];

export function segmentsOf(texts: readonly string[]): readonly PathSegment[] {
  return texts.map((text) => ({ text, items: isExpression(text) ? itemsOf(text) : undefined }));
}

/** Whether a server may take a segment for more than a name. */
export function isExpression(text: string): boolean {
  return /[*,]|^[-<]|^_all$/.test(text);
}

function itemsOf(text: string): readonly Item[] {
  const texts = text.split(',', maxItems + 1);
  if (texts.length > maxItems) return everything;
  const items = texts.flatMap((one) => meaningsOf(one).map(itemOf));
  // Who excludes only starts from all.
  return texts.every((one) => one.startsWith('-')) ? [...items, ...everything] : items;
}

/** An exclusion takes away and adds nothing, where it is none it is a name; and dates are computed, or are not. */
function meaningsOf(text: string): readonly string[] {
  if (text === '_all') return ['*'];
  if (!text.startsWith('<') || !text.endsWith('>')) return [text];
  const computed = dateMathGlob(text.slice(1, -1));
  return [text, 'wrong' in computed ? '*' : computed.glob];
}

function itemOf(text: string): Item {
  return { text, wildcard: text.includes('*') ? wildcardOf(text) : undefined };
}

function wildcardOf(text: string): Wildcard {
  const head = text.slice(0, text.indexOf('*'));
  const tail = text.slice(text.lastIndexOf('*') + 1);
  return { head, tail, glob: compileGlob(text) };
}

/** Whether a segment of a path is what a part of a pattern asks for. */
export type SegmentTest = (segment: PathSegment, work: Work) => boolean;

/**
 * All that the segment may stand for has to fit; a part with commas lists what may. Where no work is left to tell, it
 * does not. A star of an item is a character that only a star takes: see index-glob.ts.
 */
export function coversSegment(part: string): SegmentTest {
  const whole = compileGlob(part);
  const some = part.includes(',') ? part.split(',').map(compileGlob) : [whole];
  return ({ text, items }, work) => {
    if (items === undefined) return whole(text);
    if (text === part) return true;
    for (const item of items) {
      if (spent(item, work) || !some.some((glob) => glob(item.text))) return false;
    }
    return true;
  };
}

/** Something that the segment may stand for fits; where no work is left to tell, it does. */
export function catchesSegment(part: string): SegmentTest {
  const whole = compileGlob(part);
  const some = (part.includes(',') ? part.split(',') : [part]).map((text) => ({
    glob: compileGlob(text),
    ...itemOf(text),
  }));
  return ({ text, items }, work) => {
    if (whole(text)) return true;
    if (items === undefined) return false;
    for (const item of items) if (spent(item, work) || some.some((own) => meet(own, item))) return true;
    return false;
  };
}

function spent({ text }: Item, work: Work): boolean {
  work.workLeft -= 4 + (text.length >> 3);
  return work.workLeft < 0;
}

/** With a star in both there is room for what both ask for in the middle, one after the other. */
function meet(own: Item & { readonly glob: Glob }, { text, wildcard }: Item): boolean {
  if (wildcard === undefined) return own.glob(text);
  if (own.wildcard === undefined) return wildcard.glob(own.text);
  const { head, tail } = own.wildcard;
  return (
    (head.startsWith(wildcard.head) || wildcard.head.startsWith(head)) &&
    (tail.endsWith(wildcard.tail) || wildcard.tail.endsWith(tail))
  );
}

/** A path in all the ways in which it can be read. */
export interface PathReadings {
  /** Of what the request says, for those that let in. */
  readonly covered: readonly (readonly PathSegment[])[];
  /** Of what it may mean besides, for those that deny. */
  readonly caught: readonly (readonly PathSegment[])[];
}

export function readingsFor(path: JudgedPath, { wider }: EndpointMatch): PathReadings {
  const { segments } = path;
  const texts = path.slashed.length === 0 ? [segments] : readingsOf(path);
  const covered = texts.map(segmentsOf);
  const others = wider.map((url) =>
    url.map((one) => (typeof one === 'number' ? (segments[one] ?? '') : one)),
  );
  // OpenSearch's plugins answer under their former name as well.
  const former = segments[0] === '_opendistro' ? [['_plugins', ...segments.slice(1)]] : [];
  const more = [...others, ...former];
  return { covered, caught: more.length === 0 ? covered : [...covered, ...more.map(segmentsOf)] };
}
