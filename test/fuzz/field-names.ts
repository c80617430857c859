/** Every name that src/http1/field-names.ts gives a meaning to: read from its text, so that none is forgotten. */
import { readFileSync } from 'node:fs';

const source = readFileSync(new URL('../../src/http1/field-names.ts', import.meta.url), 'utf8');

/** In lower case; those that stand for a prefix, such as `if-`, with something behind it. */
export const fieldNames: readonly string[] = [...source.matchAll(/'([a-z][a-z0-9-]+)'/g)].map(
  ([, name = '']) => (name.endsWith('-') ? `${name}any` : name),
);
