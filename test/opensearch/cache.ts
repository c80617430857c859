/** Where the suite keeps what it fetches, and where its servers keep their data while they run. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';

export const here = import.meta.dirname;
export const checkout = path.resolve(here, '../..');

/** `SLUICE_CACHE`, or `.cache` in the checkout: safe to delete at any time. */
const root = path.join(path.resolve(checkout, process.env.SLUICE_CACHE ?? '.cache'), 'search');

/** A folder of the cache, made if need be. */
export function cached(...names: string[]): string {
  const folder = path.join(root, ...names);
  mkdirSync(folder, { recursive: true });
  return folder;
}
