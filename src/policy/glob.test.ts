import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob, compileGlobs, compilePathGlob } from './glob.ts';

test('a star stands for any run of characters, and for none', () => {
  const cases: readonly [string, string, boolean][] = [
    ['logs-*', 'logs-', true],
    ['logs-*', 'logs-a', true],
    ['logs-*', 'log', false],
    ['*', '', true],
    ['a*a', 'a', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*bc*c', 'abc', false],
    ['*ab*ba*', 'aba', false],
    ['', '', true],
    ['', 'a', false],
    ['a.b', 'axb', false],
  ];
  for (const [pattern, text, expected] of cases) {
    assert.equal(compileGlob(pattern)(text), expected, `${pattern} ~ ${text}`);
    assert.equal(compileGlobs(['nothing', pattern])(text), expected, `${pattern} ~ ${text}`);
  }
  assert.equal(compileGlobs([])('a'), false);
});

test('a glob says what the regular expression of the same meaning says', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  fc.assert(
    fc.property(text, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (pattern, subject) => {
      const expected = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(subject);
      assert.equal(compileGlob(pattern)(subject), expected);
    }),
  );
});

test('a glob that drives regular expressions mad is answered at once', () => {
  const glob = compileGlob(`${'*a'.repeat(2000)}*b`);
  assert.equal(glob('a'.repeat(100_000)), false);
});

test('in paths a star stays within its segment and two stars do not', () => {
  const cases: readonly [string, string, boolean][] = [
    ['/_plugins/**', '_plugins', true],
    ['/_plugins/**', '_plugins/a/b', true],
    ['/_plugins/*', '_plugins/a/b', false],
    ['/_plugins/*', '_plugins/a', true],
    ['/**/_search', 'a/b/_search', true],
    ['/**/_search', '_search', true],
    ['/a*/_doc', 'ab/_doc', true],
    ['/**/x/**', 'a/x', true],
    ['/**/x/**', 'a/y', false],
    ['/', '', true],
    ['/**', '', true],
    ['/a/', 'a', true],
  ];
  for (const [pattern, path, expected] of cases) {
    const segments = path === '' ? [] : path.split('/');
    assert.equal(compilePathGlob(pattern)(segments), expected, `${pattern} ~ /${path}`);
  }
});
