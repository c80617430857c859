import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cpuOf } from '../../test/support/work.ts';
import { beginsWith, compileGlob, compileGlobs, compilePathGlob, endsWith } from './glob.ts';

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

test('a glob on paths says what trying every way says', () => {
  const part = fc.constantFrom('a', 'b', 'a*', '*', '**');
  const stands = (parts: readonly string[], path: readonly string[]): boolean => {
    const [first, ...others] = parts;
    if (first === undefined) return path.length === 0;
    if (first === '**') return path.some((_, at) => stands(others, path.slice(at))) || stands(others, []);
    return path.length > 0 && compileGlob(first)(path[0] ?? '') && stands(others, path.slice(1));
  };
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 7 }),
      fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 8 }),
      (parts, path) => {
        assert.equal(compilePathGlob(`/${parts.join('/')}`)(path), stands(parts, path));
      },
    ),
    { numRuns: 5000 },
  );
});

test('long texts begin and end as the short ones do', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 40 });
  fc.assert(
    fc.property(text, text, fc.boolean(), (one, other, nested) => {
      const [begun, ended] = nested ? [one + other, other + one] : [other, other];
      assert.equal(beginsWith(begun, one), begun.startsWith(one));
      assert.equal(endsWith(ended, one), ended.endsWith(one));
    }),
  );
});

test('ten thousand patterns on paths are tried on the deepest path in milliseconds', () => {
  const globs = Array.from({ length: 10_000 }, (_, at) => compilePathGlob(`/**/a*/**/b${at}/**/c${at}`));
  const path = Array.from({ length: 32 }, () => 'a');
  let fastest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 5; run++) {
    const cpu = cpuOf(() => {
      assert.equal(
        globs.some((glob) => glob(path)),
        false,
      );
    });
    fastest = Math.min(fastest, cpu);
  }
  assert.ok(fastest < 250, `${fastest} ms`);
});
