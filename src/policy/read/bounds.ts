/** How much a set may list: more is made by programs, and would be asked about with every request. */
import type { Path } from '../../config/path.ts';

/** Of one list. */
export const maxItems = 1000;
/** Of all lists of all policies together. */
export const maxSetItems = 100_000;

export interface Listed {
  /** Items of all lists in it, those within other lists included. */
  readonly items: number;
  readonly tooLong: readonly { readonly path: Path; readonly items: number }[];
}

/** Counts what a document lists before anyone looks at each item. Documents nest 64 deep at most. */
export function countItems(content: unknown): Listed {
  const tooLong: { path: Path; items: number }[] = [];
  let items = 0;
  const walk = (value: unknown, path: Path): void => {
    if (typeof value !== 'object' || value === null) return;
    const list = Array.isArray(value);
    if (list) {
      items += value.length;
      if (value.length > maxItems) {
        tooLong.push({ path, items: value.length });
        return;
      }
    }
    for (const [key, one] of Object.entries(value)) walk(one, [...path, list ? Number(key) : key]);
  };
  walk(content, []);
  return { items, tooLong };
}
