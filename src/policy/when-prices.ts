/** What the parts of an expression cost at worst, in nanoseconds: measured, and rounded up. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { longestNeedle } from './when-functions.ts';
import { limits } from './when-request.ts';
import { averageOf, extentOf, itemOf, itemsOf, mostOf, type Shape, scalar, textOf } from './when-shapes.ts';

export const visit = 10;
export const call = 30;
/** The types are only known when the value is there. */
export const dynamic = 120;
export const lookUp = 30;
export const iteration = 30;
/** A character of a text in which something is looked for. */
const searching = 8;
/** Fields of a moment; with a zone, of the moment that was asked for last, or of any other. */
export const clock = 300;
export const calendar = 30_000;
/** Reading one, unless it was asked for last. */
export const address = 3000;

/** To make an error and catch it; saying where it is takes longer the further back that is. */
export const failure = (node: ASTNode): number => 2000 + 3 * node.pos;

export interface Work {
  readonly shape: Shape;
  /** Beyond that of its operands. */
  readonly cost: number;
  readonly fails?: boolean;
}

export const free: Work = { shape: scalar, cost: 0 };

export function unary(shape: Shape | undefined): Work {
  return shape?.kind === 'dynamic' ? { shape: scalar, cost: dynamic, fails: true } : free;
}

/** Each item is compared, or the key is looked up. */
export function inPrice(one: Shape, other: Shape): number {
  if (other.kind === 'map') return 0;
  // However the claims are divided into items, they are not more than all claims.
  if (other.kind === 'dynamic') return extentOf(other) * 5;
  return itemsOf(other) * (5 + Math.min(extentOf(one), extentOf(itemOf(other))) * 5);
}

type Pricing = (...shapes: readonly Shape[]) => Work;

export const functions: ReadonlyMap<string, Pricing> = new Map<string, Pricing>([
  [
    'size',
    (of = scalar) => ({ shape: scalar, cost: call + 5 * averageOf(of), fails: of.kind === 'dynamic' }),
  ],
  ['string', (of = scalar) => ({ shape: converted(of), cost: call + dynamic, fails: of.kind === 'dynamic' })],
  ['int', (of = scalar) => ({ shape: scalar, cost: call + dynamic + 2 * averageOf(of), fails: true })],
  ['double', (of = scalar) => ({ shape: scalar, cost: call + dynamic + 2 * averageOf(of), fails: true })],
  ['bool', () => ({ shape: scalar, cost: call + dynamic, fails: true })],
  ['type', () => ({ shape: scalar, cost: call + dynamic, fails: true })],
]);

function converted(shape: Shape): Shape {
  return shape.kind === 'scalar' ? textOf(32) : textOf(averageOf(shape), mostOf(shape));
}

export const methods: ReadonlyMap<string, Pricing> = new Map<string, Pricing>([
  ['startsWith', (text = scalar, start = scalar) => ({ shape: scalar, cost: common(text, start) / 2 })],
  ['endsWith', (text = scalar, end = scalar) => ({ shape: scalar, cost: common(text, end) / 2 })],
  ['contains', (text = scalar, part = scalar) => ({ shape: scalar, cost: search(text, part) })],
  [
    'indexOf',
    (text = scalar, part = scalar, from) => ({
      shape: scalar,
      cost: search(text, part),
      fails: from !== undefined,
    }),
  ],
  ['size', (of = scalar) => ({ shape: scalar, cost: 5 * averageOf(of) })],
  // A few characters become three.
  ['lowerAscii', (text = scalar) => ({ shape: grown(text, 3), cost: 4 * averageOf(text) })],
  ['upperAscii', (text = scalar) => ({ shape: grown(text, 3), cost: 4 * averageOf(text) })],
  ['trim', (text = scalar) => ({ shape: grown(text, 1), cost: averageOf(text) })],
  ['substring', (text = scalar) => ({ shape: grown(text, 1), cost: 0, fails: true })],
  [
    'split',
    (text = scalar, separator = scalar) => {
      const pieces = mostOf(text) + 1;
      const of = textOf(mostOf(text) / pieces, mostOf(text));
      return {
        shape: { kind: 'list', items: pieces, of },
        cost: search(text, separator) + 15 * (1 + averageOf(text)),
      };
    },
  ],
  [
    'join',
    (list = scalar, separator = scalar) => {
      const items = itemsOf(list);
      const average = items * (averageOf(itemOf(list)) + averageOf(separator));
      const most = items * (mostOf(itemOf(list)) + mostOf(separator));
      return { shape: textOf(average, most), cost: items * 20 + average, fails: true };
    },
  ],
]);

function grown(text: Shape, times: number): Shape {
  return textOf(times * averageOf(text), times * mostOf(text));
}

function common(one: Shape, other: Shape): number {
  return Math.min(averageOf(one), averageOf(other));
}

/**
 * V8 looks for up to 250 characters in a time that grows with the text alone, for more in that of both lengths
 * multiplied. Only literals are known to be short whatever the request says.
 */
function search(text: Shape, part: Shape): number {
  const short = part.kind === 'text' && part.literal && part.most <= longestNeedle;
  return short ? searching * averageOf(text) : mostOf(text) * mostOf(part);
}

/** What stands before the first star and after the last one is compared, only what is between them looked for. */
export function globPrice(pattern: string): (text: Shape) => number {
  const searched = pattern
    .split('*')
    .slice(1, -1)
    .some((part) => part !== '');
  return (text) => 2 * pattern.length + (searched ? searching * averageOf(text) : 0);
}

/**
 * Of `covers()` and `touches()`: to compile patterns that are computed, and to compare as many indices as an expression
 * may see. What the indices are sorted into for `touches()` is made once for all policies.
 */
export function indexTestPrice(patterns: number, computed: number): number {
  return call + (computed > 0 ? 1500 * patterns : 0) + limits.items * (20 + 25 * patterns);
}
