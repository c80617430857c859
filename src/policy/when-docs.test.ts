import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { patience } from '../../test/support/deadline.ts';
import { loadWhen } from './when.ts';
import { costLimit } from './when-refusals.ts';
import { principalShapes, requestShapes } from './when-shapes.ts';

const docs = await readFile(new URL('../../docs/when.md', import.meta.url), 'utf8');
const when = await loadWhen();

describe('docs/when.md', { timeout: patience }, () => {
  it('shows only expressions that are accepted', () => {
    const examples = [...docs.matchAll(/^( *)```cel\n(.*?)^ *```$/gms)].map(([, , source = '']) => source);
    assert.ok(examples.length >= 8);
    for (const source of examples) assert.equal(when.check(source), undefined, source);
  });

  it('lists every part of the request, and the limit', () => {
    const parts = [
      ...[...requestShapes.keys()].map((name) => `request.${name}`),
      ...[...principalShapes.keys()].map((name) => `request.principal.${name}`),
    ];
    const listed = [...docs.matchAll(/^\| `(request\.[\w.]+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual([...listed].sort(), parts.sort());
    assert.match(docs, new RegExp(`\\*\\*${costLimit / 1000} µs\\*\\*`));
  });
});
