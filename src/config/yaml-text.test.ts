import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { patience } from '../../test/support/deadline.ts';
import { readYaml, type YamlDocument } from './yaml-text.ts';

function documents(text: string): readonly YamlDocument[] {
  const reading = readYaml(text);
  if (reading.kind === 'broken') assert.fail(JSON.stringify(reading.faults));
  return reading.documents;
}

function only(text: string): YamlDocument {
  const [document, ...others] = documents(text);
  assert.ok(document !== undefined && others.length === 0);
  return document;
}

function faults(text: string): readonly string[] {
  const reading = readYaml(text);
  assert.equal(reading.kind, 'broken');
  return reading.kind === 'broken'
    ? reading.faults.map(({ line, column, wrong, fix }) => `${line}:${column}: ${wrong}; ${fix}`)
    : [];
}

test('several documents are read, each with its own places; empty ones have no content', () => {
  const [first, empty, second, none, ...others] = documents('a: 1\n---\n# nothing\n---\nb: 2\n---\nnull\n');
  assert.deepEqual(others, []);
  assert.deepEqual(
    [first?.content, empty?.content, second?.content, none?.content],
    [{ a: 1 }, undefined, { b: 2 }, undefined],
  );
  assert.deepEqual(second?.place(['b'], 'value'), { line: 5, column: 4 });
});

test('JSON is read, tabs and all', () => {
  assert.deepEqual(only('\ufeff{\n\t"a": [1, true, null, "\\u00e9"],\n\t"b": {}\n}').content, {
    a: [1, true, null, 'é'],
    b: {},
  });
});

test('what YAML 1.1 took for something else is text', () => {
  assert.deepEqual(only('[no, on, Off, y, 08:00, 18:00, 1_000, 2026-11-23, 0b1, "<<"]').content, [
    'no',
    'on',
    'Off',
    'y',
    '08:00',
    '18:00',
    '1_000',
    '2026-11-23',
    '0b1',
    '<<',
  ]);
});

test('keys and values are found where they stand, and what is missing at the mapping around it', () => {
  const document = only('a:\n  b: [x, {c: y}]\n  "d e": 0o17\n');
  assert.deepEqual(document.place(['a', 'b'], 'key'), { line: 2, column: 3 });
  assert.deepEqual(document.place(['a', 'b', 1, 'c'], 'value'), { line: 2, column: 14 });
  assert.deepEqual(document.place(['a', 'b', 1, 'missing'], 'value'), { line: 2, column: 10 });
  assert.deepEqual(document.place(['a', 'd e'], 'key'), { line: 3, column: 3 });
  assert.deepEqual(document.place(['nothing', 'of', 'this'], 'value'), { line: 1, column: 1 });
  assert.equal(document.written(['a', 'd e']), '0o17');
  assert.equal(document.written(['a', 'b']), undefined);
});

test('a character of a text is found in every style that shows it, and else the beginning', () => {
  for (const [text, line, column] of [
    ['a: one two\n', 1, 8],
    ["a: 'one two'\n", 1, 9],
    ['a: "one two"\n', 1, 9],
    ['a: "o\\x6ee two"\n', 1, 4],
    ['a: |\n  one two\n', 2, 7],
    ['a: >-\n  one\n  two\n', 1, 4],
  ] as const) {
    assert.deepEqual(only(text).place(['a'], 4), { line, column }, text);
  }
  assert.deepEqual(only('a: |\n  one\n   two three\n').place(['a'], 9), { line: 3, column: 8 });
});

test('a key that is there twice is told of, also by another spelling', () => {
  assert.deepEqual(faults('a: 1\nb: {x: 1, "x": 2}\n"a": 2\n'), [
    '2:11: the key is there already; remove one of the two',
    '3:1: the key is there already; remove one of the two',
  ]);
});

test('keys that objects have of their own are keys like others, but for __proto__', () => {
  assert.deepEqual(
    Object.entries(only('{constructor: 1, toString: 2, hasOwnProperty: 3}').content as object),
    [
      ['constructor', 1],
      ['toString', 2],
      ['hasOwnProperty', 3],
    ],
  );
  assert.deepEqual(faults('{"__proto__": {admin: true}}'), [
    '1:2: no key may be called __proto__; remove it',
  ]);
});

test('aliases are read, and neither repeat without end nor hold themselves', () => {
  assert.deepEqual(only('a: &a [1, 2]\nb: *a\n').content, { a: [1, 2], b: [1, 2] });
  assert.match(faults('a: &a [*a]').join(), /no whole &a before it/);
  const names = [...'abcdefghijklmnop'];
  const bomb = names.map((name, index) => {
    const of = index === 0 ? 'x' : `*${names[index - 1]}`;
    return `${name}: &${name} [${Array(10).fill(of).join(', ')}]`;
  });
  assert.equal(faults(bomb.join('\n')).length, 1);
});

test('a text that nests deep is refused before the parser could run out of stack', () => {
  for (const text of [
    '['.repeat(10_000),
    '['.repeat(10_000) + ']'.repeat(10_000),
    '{a: '.repeat(10_000),
    '- '.repeat(10_000),
    '? '.repeat(10_000),
    Array.from({ length: 700 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
  ]) {
    assert.match(faults(text).join(), /^\d+:\d+: nested more than 64 deep;[^;]*$/, text.slice(0, 20));
  }
  assert.deepEqual(only('['.repeat(60) + ']'.repeat(60)).content !== undefined, true);
});

test('hundreds of thousands of keys are read in a time that grows with their number', {
  timeout: patience,
}, () => {
  const keys = Array.from({ length: 100_000 }, (_, index) => `k${index}: 1`);
  assert.equal(Object.keys(only(keys.join('\n')).content as object).length, 100_000);
});

test('a broken text is told of a few times, not once for every character', () => {
  assert.ok(faults('"'.repeat(50_000)).length <= 20);
});

test('whatever the text, it is read or refused at a place within it', () => {
  const pieces = fc.constantFrom(
    ...['a', ': ', '- ', '? ', '\n', '  ', '\t', '[', ']', '{', '}', ',', '&a ', '*a', '!t ', '|', '>', '#'],
    ...[
      "'",
      '"',
      '---\n',
      '...\n',
      '%YAML 1.1\n',
      '<<',
      '__proto__',
      'null',
      '~',
      '1',
      '\u0000',
      '\u202e',
      '\r',
    ],
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      const text = parts.join('');
      const reading = readYaml(text);
      if (reading.kind === 'read') {
        for (const document of reading.documents) document.place(['a', 0, 'a'], 3);
        return;
      }
      assert.ok(reading.faults.length > 0);
      const lines = text.split(/\n/);
      for (const { line, column } of reading.faults) {
        assert.ok(line >= 1 && line <= lines.length, text);
        assert.ok(column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1, text);
      }
    }),
    { numRuns: 2000 },
  );
});
