/** How large the values of an expression can get: what its cost depends on. */
import { limits, principalTexts, requestTexts } from './when-request.ts';

export type Shape =
  /** Numbers, booleans, moments, types, null. */
  | { readonly kind: 'scalar' }
  /**
   * Characters. Of the items of a list `average` is the length of one where all of them are looked at, which is what
   * counts for work that grows with the length; `most` is for everything else.
   */
  | { readonly kind: 'text'; readonly average: number; readonly most: number; readonly literal: boolean }
  | { readonly kind: 'list'; readonly items: number; readonly of: Shape }
  | { readonly kind: 'map'; readonly items: number; readonly key: Shape; readonly of: Shape }
  /** Anything that a claim can be. */
  | { readonly kind: 'dynamic'; readonly average: number; readonly most: number };

export const scalar: Shape = { kind: 'scalar' };

export function textOf(average: number, most = average): Shape {
  return { kind: 'text', average, most, literal: false };
}

export function literalText(length: number): Shape {
  return { kind: 'text', average: length, most: length, literal: true };
}

const claim: Shape = { kind: 'dynamic', average: limits.claim, most: limits.claim };

export const headers: Shape = {
  kind: 'map',
  items: limits.items,
  key: textOf(limits.header),
  of: textOf(limits.header),
};

/** By the names that expressions use; `principal` is looked into, never taken as a whole. */
export const requestShapes: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ...Object.entries(requestTexts).map(([name, most]): [string, Shape] => [name, textOf(most)]),
  ['headers', headers],
  [
    'indices',
    { kind: 'list', items: limits.items, of: textOf(limits.indices / limits.items, limits.indices) },
  ],
  ['length', scalar],
  ['chunked', scalar],
  ['time', scalar],
]);

export const principalShapes: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ...Object.entries(principalTexts).map(([name, most]): [string, Shape] => [name, textOf(most)]),
  ['verified', scalar],
  ['claims', { kind: 'map', items: limits.items, key: textOf(limits.claim), of: claim }],
]);

/** Characters where all items are looked at. */
export function averageOf(shape: Shape): number {
  return isText(shape) ? shape.average : 0;
}

export function mostOf(shape: Shape): number {
  return isText(shape) ? shape.most : 0;
}

/** Of a list or a map, 0 for what has none. */
export function itemsOf(shape: Shape): number {
  if (shape.kind === 'list' || shape.kind === 'map') return shape.items;
  return shape.kind === 'dynamic' ? limits.items : 0;
}

/** What a loop over it sees, one by one: of a map the keys. */
export function itemOf(shape: Shape): Shape {
  switch (shape.kind) {
    case 'list':
      return shape.of;
    case 'map':
      return shape.key;
    case 'dynamic':
      return { kind: 'dynamic', average: limits.claimsText / limits.items, most: limits.claim };
    default:
      return scalar;
  }
}

/** One item, picked out: it may be the largest. */
export function pickedFrom(shape: Shape): Shape {
  return atLargest(shape.kind === 'list' || shape.kind === 'map' ? shape.of : shape);
}

function atLargest(shape: Shape): Shape {
  return isText(shape) ? { ...shape, average: shape.most } : shape;
}

/**
 * One or the other, summed up: a loop may see now this one and now that one. Undefined where they are of different
 * kinds, of which the sizes could not be told any more.
 */
export function either(one: Shape, other: Shape): Shape | undefined {
  if (one.kind === 'scalar') return other;
  if (other.kind === 'scalar') return one;
  if (one.kind === 'list' && other.kind === 'list') {
    const of = either(one.of, other.of);
    return of && { kind: 'list', items: one.items + other.items, of };
  }
  if (one.kind === 'map' && other.kind === 'map') {
    const key = either(one.key, other.key);
    const of = either(one.of, other.of);
    return key && of && { kind: 'map', items: one.items + other.items, key, of };
  }
  if (!isText(one) || !isText(other)) return undefined;
  const average = one.average + other.average;
  const most = Math.max(one.most, other.most);
  if (one.kind === 'dynamic' || other.kind === 'dynamic') return { kind: 'dynamic', average, most };
  return { kind: 'text', average, most, literal: one.literal && other.literal };
}

function isText(shape: Shape): shape is Extract<Shape, { average: number }> {
  return shape.kind === 'text' || shape.kind === 'dynamic';
}

/** Values and characters to look at when all of it is compared. */
export function extentOf(shape: Shape): number {
  switch (shape.kind) {
    case 'scalar':
      return 1;
    case 'text':
      return 1 + shape.average / 10;
    case 'list':
      return 1 + shape.items * extentOf(shape.of);
    case 'map':
      return 1 + shape.items * (extentOf(shape.key) + extentOf(shape.of));
    case 'dynamic':
      // Their types are compared first.
      return 8 * limits.claimsValues + limits.claimsText / 10;
  }
}
