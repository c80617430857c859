import { readFileSync } from 'node:fs';

/** Of package.json, two folders up from here both in a checkout and in dist. */
export const version: string = readVersion();

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version: found } = JSON.parse(text) as { version?: string };
  return found ?? 'unknown';
}
