import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { cpuOf } from '../../test/support/work.ts';
import {
  beginDecision,
  compileIndexPatterns,
  containsPattern,
  covers,
  type IndexExpression,
  type IndexPatterns,
  literalPrefix,
  maxIndexItems,
  mayTouch,
  parseIndexExpression,
  patternPrefixes,
  resolve,
  workPerDecision,
} from './indices.ts';

function patternsOf(...patterns: string[]): IndexPatterns {
  const compiled = compileIndexPatterns(patterns);
  assert.equal(compiled.kind, 'compiled', JSON.stringify(compiled));
  return compiled.patterns;
}

function parse(...values: string[]): IndexExpression {
  const parsed = parseIndexExpression(values);
  assert.ok(!('code' in parsed), JSON.stringify(parsed));
  return parsed;
}

const today = '<logs-{now/d}>';

/** Patterns, an expression, whether they cover it. */
const coverage: readonly (readonly [string, string, boolean])[] = [
  // Names and wildcards.
  ['logs-a', 'logs-a', true],
  ['logs-a', 'logs-b', false],
  ['logs-a', 'logs-a*', false],
  ['logs-*', 'logs-a', true],
  ['logs-*', 'logs-', true],
  ['logs-*', 'logs', false],
  ['logs-*', 'logs*', false],
  ['logs-*', 'logs-*', true],
  ['logs-*', 'logs-a*b*', true],
  ['*-a', '*-b-a', true],
  ['*-a', '*', false],
  ['a*a', 'a', false],
  ['a*a', 'aa', true],
  ['a*b*c', 'a*c', false],
  ['a*b*c', 'a*b*b*c', true],
  ['a*bb*c', 'a*b*b*c', false],
  ['a**b', 'a*b', true],
  ['a*b', 'a***b', true],
  ['logs-*', 'Logs-a', false],
  ['Logs-*', 'Logs-A', true],
  ['größe-*', 'größe-1', true],
  // Lists.
  ['logs-*', 'logs-a,logs-b*', true],
  ['logs-*', 'logs-a,metrics-a', false],
  ['logs-*,metrics-*', 'logs-a,metrics-a', true],
  ['a*,b*', '*', false],
  // All.
  ['*', '*', true],
  ['*', '_all', true],
  ['**', '_all', true],
  ['*', '*,-foo*', true],
  ['*', '.hidden', true],
  ['logs-*', '*', false],
  ['logs-*', '_all', false],
  ['logs-*', 'logs-a,_all', false],
  ['logs-*', '.logs-a', false],
  // Exclusions narrow, unless the list begins with one.
  ['logs-*', 'logs-*,-logs-b', true],
  ['logs-*', 'logs-*,-*', true],
  ['logs-*', 'logs-a,-metrics-a', true],
  ['logs-*', '-logs-a', false],
  ['logs-*', '-metrics-*,logs-a', false],
  ['*', '-logs-a', true],
  // Date math.
  ['logs-*', today, true],
  ['logs-2026.*', today, false],
  ['logs-*', '<logs-{now/d{yyyy.MM.dd|+12:00}}>', true],
  ['logs-*', '<logs-a>', true],
  ['logs-a', '<logs-a>', true],
  ['logs-*-x', '<logs-{now}-x>', true],
  ['logs-*', '<{now}-logs>', false],
  ['*', '<{now}>', true],
  ['{a}-*', '<\\{a\\}-{now}>', true],
  ['logs-*', "<logs-{now{'*'}}>", true],
  ['logs-*', `logs-*,-${today}`, true],
  // What comes out of date math can be _all.
  ['*x*', '<{now}x{now}>', true],
  ['*a*', '<{now}a{now}>', false],
  ['*_a*', '<_a{now}>', false],
  ['*l', '<_al{now}>', false],
  ['*', '<_a{now}>', true],
  ['logs-*', '<_all>', false],
  ['*all', '<{now}all>', false],
  // Remote clusters.
  ['*', 'far:logs-a', false],
  ['far:*', 'logs-a', false],
  ['far:*', 'far:logs-a', true],
  ['far:*', 'far:_all', true],
  ['far:logs-*', 'far:_all', false],
  ['far:logs-*', 'far:logs-*', true],
  ['far:logs-*', 'near:logs-a', false],
  ['f*:logs-*', 'far:logs-a', true],
  ['*:*', 'far:logs-a', true],
  ['*:*', 'logs-a', false],
  ['far:logs-*', `far:${today}`, true],
  ['far:logs-*', 'far:logs-*,far:-logs-b', true],
  ['far:logs-*', 'far:logs-*,-far:logs-b', true],
  ['far:logs-*', 'far:-logs-b', false],
  ['far:logs-*', '-far:logs-b', false],
  // Where no cluster matches, Elasticsearch searches this one, all of it.
  ['f*:logs-*', 'f*:logs-*', false],
  ['f*:logs-*,*', 'f*:logs-*', true],
  ['f*:logs-*,logs-*', 'f*:logs-*,logs-*', true],
  ['f*:logs-*,far:logs-*', 'f*:logs-*,far:logs-a', true],
  ['*:*', '*:*,-far:*', false],
  ['*:*,*', '*:*,-far:*', true],
  // Selectors.
  ['logs-*', 'logs-a::data', true],
  ['logs-*', 'logs-a::failures', false],
  ['logs-*', 'logs-*::data', false],
  ['logs-*::data', 'logs-*::data', true],
  ['logs-*::data', 'logs-*', true],
  ['logs-*::failures', 'logs-*::failures', true],
  ['logs-*::failures', 'logs-a', false],
  ['*', '*::failures', false],
  ['logs-*::failures', `${today}::failures`, true],
  ['far:logs-*::failures', 'far:logs-a::failures', true],
];

/** What is refused, since servers take it differently, or don't take it. */
const ambiguous = [
  '',
  ',',
  'logs-a,',
  ',logs-a',
  'logs-a,,logs-b',
  '-',
  '--logs-a',
  ' logs-a',
  'logs-a, logs-b',
  'logs-a\u00a0',
  'logs-a\u0000',
  'logs-?',
  'logs/a',
  'logs\\a',
  'logs-"a"',
  'logs|a',
  'logs#a',
  '_bulk',
  '_ALL',
  '_local:logs-a',
  '_origin:logs-a',
  '+logs-a',
  '*,-_all',
  // Remote clusters.
  ':logs-a',
  'far:',
  'far:near:logs-a',
  'far:_bulk',
  '-far:-logs-a',
  // Selectors.
  '::data',
  'logs-a::',
  'logs-a::*',
  'logs-a::DATA',
  'logs-a::data::data',
  'a:::data',
  // Date math.
  '<',
  '<>',
  '<logs-a',
  'logs-a>',
  '<logs-{now>',
  '<logs-now}>',
  '<logs-{now{yyyy}>',
  '<logs-{now{yyyy}x}>',
  '<logs-{now{yy}{MM}}>',
  '<logs-{now{yy{MM}}}>',
  '<logs-{now\\}}>',
  '<logs-a\\>',
  '<logs-\\a>',
  '<far:logs-a>',
  "<{now{'far:logs-a'}}>",
  "<logs-{now{':\\:failures'}}>",
  '<logs-{now{yyyy,MM}}>',
  '<*:logs-a>',
  '<logs-*{now/d{yyyy|+12:00}}>',
  '<_bulk>',
  '<a<b>',
];

const wrongPatterns: readonly (readonly [string, RegExp])[] = [
  ['', /empty/],
  ['a,b', /comma/],
  ['-logs-a', /exclusion/],
  ['far:-logs-a', /exclusion/],
  ['-far:*', /exclusion/],
  ['_all', /no name/],
  ['far:_all', /no name/],
  ['_all::data', /no name/],
  ['_bulk', /begins with _/],
  ['+logs-a', /begins with \+/],
  [today, /date math/],
  ['<broken', /date math/],
  ['logs a', /character/],
  ['logs-?', /character/],
  ['a:b:c', /character/],
  ['_far:b', /begins with _, of a remote cluster/],
  ['logs::all', /selector/],
];

describe('coverage', () => {
  for (const [patterns, expression, expected] of coverage) {
    test(`${patterns} ${expected ? 'covers' : 'does not cover'} ${expression}`, () => {
      assert.equal(covers(patternsOf(...patterns.split(',')), parse(expression)), expected);
    });
  }

  test('no index is every index', () => {
    assert.equal(covers(patternsOf('*'), parse()), true);
    assert.equal(covers(patternsOf('logs-*'), parse()), false);
    assert.equal(parse().all, true);
  });

  test('several parameters have to be covered, each for itself', () => {
    const logs = patternsOf('logs-*');
    assert.equal(covers(logs, parse('logs-a', 'logs-b')), true);
    assert.equal(covers(logs, parse('logs-a', 'metrics-a')), false);
    assert.equal(covers(logs, parse('logs-a', '-metrics-a')), false, 'a list of its own, that begins so');
  });
});

describe('what a policy that denies has to catch', () => {
  const caught: readonly (readonly [string, string, boolean])[] = [
    ['secret-*', 'secret-a', true],
    ['secret-*', '*', true],
    ['secret-*', '_all', true],
    ['secret-*', 's*', true],
    ['secret-*', '*-a', true],
    ['secret-*', 'secret', false],
    ['secret-*', 'logs-*', false],
    ['*-secret', 'logs-*', true],
    ['*-secret', '*-open', false],
    ['a*b', 'b*', false],
    ['secret-a', 'logs-*,*-a', true],
    ['secret-a', '*,-secret-a', true],
    ['secret-a', '<{now}>', true],
    ['secret-a', '-logs-a', true],
    ['secret-a', 'far:secret-a', false],
    ['secret-a', 'f*:logs-a', true],
    ['far:secret-*', 'f*:s*', true],
    ['far:secret-*', 'near:secret-a', false],
    ['secret-*', 'secret-a::failures', true],
    ['secret-*', 'logs-*::failures', true],
    ['secret-*', 'logs-a::failures', false],
    ['secret-*::failures', 'secret-a', false],
    ['secret-*::data', 'secret-a', true],
  ];
  for (const [pattern, expression, expected] of caught) {
    test(`${expression} ${expected ? 'may' : 'can not'} touch ${pattern}`, () => {
      assert.equal(mayTouch(patternsOf(pattern), parse(expression)), expected);
    });
  }
});

describe('what can not be read, or not in one way', () => {
  for (const text of ambiguous) {
    test(`${JSON.stringify(text)} is refused`, () => {
      const parsed = parseIndexExpression([text]);
      assert.ok('code' in parsed, 'it was taken');
      assert.equal(parsed.code, 'path-ambiguous');
    });
  }

  for (const [pattern, wrong] of wrongPatterns) {
    test(`${JSON.stringify(pattern)} is no pattern`, () => {
      const compiled = compileIndexPatterns(['logs-*', pattern]);
      assert.equal(compiled.kind, 'wrong');
      assert.equal(compiled.pattern, pattern);
      assert.match(compiled.wrong, wrong);
    });
  }

  test('a list of as many items as there may be is read, a longer one is not', () => {
    const list = Array.from({ length: maxIndexItems }, (_, at) => `logs-${at}`).join(',');
    assert.equal(covers(patternsOf('logs-*'), parse(list)), true);
    assert.ok('code' in parseIndexExpression([`${list},logs-x`]));
    assert.ok('code' in parseIndexExpression([list, 'logs-x']));
  });
});

describe('prefixes', () => {
  const heads: readonly (readonly [string, string | undefined])[] = [
    ['logs-a', 'logs-a'],
    ['logs-*', 'logs-'],
    ['*-a', ''],
    ['*', undefined],
    ['_all', undefined],
    ['logs-a,*', undefined],
    ['-logs-a', undefined],
    ['f*:logs-a', undefined],
    [today, 'logs-'],
    ['far:logs-*', 'far:logs-'],
    ['f*:logs-a,x', 'f'],
    ['logs-a::failures', 'logs-a'],
  ];
  for (const [expression, head] of heads) {
    test(`${expression} begins with ${head}`, () => assert.equal(literalPrefix(parse(expression)), head));
  }

  test('those of patterns come in their order', () => {
    const patterns = patternsOf('logs-*', 'a', '*', 'f*:x', 'far:x*y');
    assert.deepEqual(patternPrefixes(patterns), ['logs-', 'a', '', 'f', 'far:x']);
  });
});

describe('resolution', () => {
  const names = ['logs-a', 'logs-b', 'metrics-a', '.hidden'];
  const resolved: readonly (readonly [string, string])[] = [
    ['logs-*', 'logs-a,logs-b'],
    ['logs-*,-logs-a', 'logs-b'],
    ['logs-*,-logs-a,logs-a', 'logs-a,logs-b'],
    ['logs-a,-logs-a', 'logs-a'],
    ['-logs-*,logs-b,-logs-b', ''],
    ['*,-*', ''],
    ['*,-*::data', 'logs-a,logs-b,metrics-a,.hidden'],
    ['*,-logs-a::data', 'logs-a,logs-b,metrics-a,.hidden'],
    ['*,-.*', 'logs-a,logs-b,metrics-a'],
    ['_all', 'logs-a,logs-b,metrics-a,.hidden'],
    ['<logs-a>', 'logs-a'],
    [today, 'logs-a,logs-b'],
    ['far:*', ''],
    ['f*:*', 'logs-a,logs-b,metrics-a,.hidden'],
    ['absent', ''],
  ];
  for (const [expression, expected] of resolved) {
    test(`${expression} is ${expected || 'nothing'}`, () => {
      assert.deepEqual(resolve(parse(expression), names).join(','), expected);
    });
  }
});

/** Short texts of few letters, so that they often meet. */
const globs = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 6 });
const names = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 6 });
const items = fc.oneof(
  { weight: 6, arbitrary: globs },
  { weight: 2, arbitrary: globs.map((glob) => `-${glob}`) },
  { weight: 1, arbitrary: globs.map((glob) => `<${glob}{now/d}>`) },
  { weight: 1, arbitrary: globs.map((glob) => `<${glob}>`) },
  { weight: 1, arbitrary: fc.tuple(globs, globs).map(([cluster, glob]) => `${cluster}:${glob}`) },
  { weight: 1, arbitrary: globs.map((glob) => `${glob}::data`) },
  { weight: 1, arbitrary: fc.constantFrom('_all', '*', '<_all>', '<_a{now}>', '-a:*') },
);
const lists = fc.array(items, { minLength: 1, maxLength: 4 }).map((list) => list.join(','));

const patterns = fc.oneof(
  { weight: 6, arbitrary: globs },
  { weight: 1, arbitrary: fc.tuple(globs, globs).map(([cluster, glob]) => `${cluster}:${glob}`) },
  { weight: 1, arbitrary: fc.tuple(globs, fc.constantFrom('data', 'failures')).map((two) => two.join('::')) },
);
const longLists = fc.array(items, { minLength: 1, maxLength: 16 }).map((list) => list.join(','));

/** As slow and as plain as can be. */
function matches(glob: string, name: string): boolean {
  if (glob === '') return name === '';
  if (glob[0] === '*') return matches(glob.slice(1), name) || (name !== '' && matches(glob, name.slice(1)));
  return glob[0] === name[0] && matches(glob.slice(1), name.slice(1));
}

describe('properties', () => {
  test('whatever is covered resolves to names that a pattern matches', () => {
    fc.assert(
      fc.property(fc.array(globs, { maxLength: 4 }), lists, fc.uniqueArray(names), (patterns, list, all) => {
        const expression = parse(list);
        fc.pre(covers(patternsOf(...patterns), expression));
        for (const name of resolve(expression, all)) {
          assert.ok(
            patterns.some((pattern) => matches(pattern, name)),
            name,
          );
        }
      }),
      { numRuns: 5000, maxSkipsPerRun: 1000 },
    );
  });

  test('whatever resolves to a name that a pattern matches may be touched', () => {
    fc.assert(
      fc.property(globs, lists, fc.uniqueArray(names), (pattern, list, all) => {
        const expression = parse(list);
        if (mayTouch(patternsOf(pattern), expression)) return;
        for (const name of resolve(expression, all)) assert.ok(!matches(pattern, name), name);
      }),
      { numRuns: 5000 },
    );
  });

  test('a wildcard is covered exactly where no name refutes it', () => {
    fc.assert(
      fc.property(globs, globs, fc.array(names), (pattern, glob, some) => {
        const covered = covers(patternsOf(pattern), parse(glob));
        const refutation = [glob.replaceAll('*', 'x'), ...some].filter((name) => matches(glob, name));
        assert.equal(
          refutation.every((name) => matches(pattern, name)),
          covered,
        );
      }),
      { numRuns: 5000 },
    );
  });

  test('two wildcards overlap exactly where a name matches both', () => {
    fc.assert(
      fc.property(globs, globs, names, (pattern, glob, some) => {
        const touched = mayTouch(patternsOf(pattern), parse(glob));
        if (matches(pattern, some) && matches(glob, some)) assert.ok(touched, some);
        if (!touched) return;
        const [longHead] = [pattern, glob].map((one) => one.split('*', 1)[0]!).sort(byLength);
        const [longTail] = [pattern, glob].map((one) => one.split('*').at(-1)!).sort(byLength);
        const middles = `${pattern}${glob}`.replaceAll('*', '');
        const candidates = [pattern, glob, `${longHead}${middles}${longTail}`];
        assert.ok(candidates.some((name) => matches(pattern, name) && matches(glob, name)));
      }),
      { numRuns: 5000 },
    );
  });

  test('a policy that covers an expression has a prefix with which the expression begins', () => {
    fc.assert(
      fc.property(fc.array(globs, { maxLength: 4 }), lists, (sources, list) => {
        const patterns = patternsOf(...sources);
        const expression = parse(list);
        fc.pre(covers(patterns, expression));
        const head = literalPrefix(expression) ?? '';
        assert.ok(patternPrefixes(patterns).some((prefix) => head.startsWith(prefix)));
      }),
      { numRuns: 2000, maxSkipsPerRun: 1000 },
    );
  });

  test('long lists of patterns and items are answered as each of them is for itself', () => {
    fc.assert(
      fc.property(fc.array(patterns, { maxLength: 16 }), longLists, (sources, list) => {
        const together = patternsOf(...sources);
        const alone = sources.map((source) => patternsOf(source));
        const expression = parse(list);
        const each = expression.items.map((item) => ({
          ...expression,
          items: [item],
          common: undefined,
          reach: undefined,
        }));
        assert.equal(
          covers(together, expression),
          each.every((item) => alone.some((pattern) => covers(pattern, item))),
        );
        assert.equal(
          mayTouch(together, expression),
          each.some((item) => alone.some((pattern) => mayTouch(pattern, item))),
        );
        for (const item of expression.items) {
          const contained = alone.some((pattern) => containsPattern(pattern, item));
          assert.equal(containsPattern(together, item), contained);
        }
      }),
      { numRuns: 5000 },
    );
  });

  test('what there is no work left to find out is not covered, and may be touched', () => {
    fc.assert(
      fc.property(
        fc.array(patterns, { maxLength: 16 }),
        longLists,
        fc.nat(400),
        (sources, list, workLeft) => {
          const compiled = patternsOf(...sources);
          const short = { ...parse(list), workLeft };
          if (covers(compiled, short)) assert.ok(covers(compiled, parse(list)));
          short.workLeft = workLeft;
          if (!mayTouch(compiled, short)) assert.ok(!mayTouch(compiled, parse(list)));
          short.workLeft = -1;
          assert.equal(covers(compiled, short), false);
          assert.equal(mayTouch(compiled, short), true);
        },
      ),
      { numRuns: 5000 },
    );
  });

  test('whatever comes is read or refused, and the same however often', () => {
    const odd = fc.string({
      unit: fc.constantFrom(...'ab*-:<>{}\\|,_+.\u0000 é\u{1f600}'.split('')),
      maxLength: 40,
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(odd, fc.string({ unit: 'binary' }))), (values) => {
        const parsed = parseIndexExpression(values);
        assert.deepEqual(parseIndexExpression(values), parsed);
        if (!('code' in parsed)) assert.ok(parsed.items.length > 0);
        const compiled = compileIndexPatterns(values);
        if (compiled.kind === 'wrong') assert.ok(compiled.fix.length > 0);
      }),
      { numRuns: 5000 },
    );
  });
});

const byLength = (one: string, other: string): number => other.length - one.length;

test('hostile globs and lists cost milliseconds', { timeout: 60_000 }, () => {
  const hostile = [
    '*a'.repeat(2000),
    `${'*a'.repeat(2000)}*b`,
    `<${'{now}a'.repeat(1000)}>`,
    `<${'\\{'.repeat(4000)}>`,
    `<${'{'.repeat(8000)}>`,
    '-'.repeat(8000),
    ':'.repeat(8000),
    '::data'.repeat(1000),
    ','.repeat(8000),
    Array.from({ length: 10_000 }, (_, at) => `logs-${at}`).join(','),
    Array.from({ length: 512 }, () => '*a*a*a').join(','),
    Array.from({ length: 512 }, () => '-*a*a*a').join(','),
    Array.from({ length: 512 }, () => 'a*:*a').join(','),
  ];
  const patterns = patternsOf('*a*a*a*a*b', `${'*ab'.repeat(80)}*`, 'a'.repeat(250), '*:*a*b');
  const cpu = hostile.map((text) =>
    cpuOf(() => {
      const parsed = parseIndexExpression([text]);
      if ('code' in parsed) return;
      covers(patterns, parsed);
      mayTouch(patterns, parsed);
    }),
  );
  assert.ok(Math.max(...cpu) < 1000, cpu.map(Math.round).join(' '));
});

describe('a thousand policies and the longest list of a client', { timeout: 60_000 }, () => {
  const many = (count: number, make: (at: number) => string) =>
    Array.from({ length: count }, (_, at) => make(at));
  const names = many(maxIndexItems, (at) => `l${at.toString(36)}`);
  const aaa = 'a'.repeat(500);
  /** What each policy asks for, how many policies there are, and the list. */
  const hostile: readonly (readonly [
    string,
    number,
    (at: number) => readonly string[],
    readonly string[],
  ])[] = [
    ['a pattern each', 1000, (at) => [`x*${at}*zz`], names],
    ['a pattern each that begins as all items do', 1000, (at) => [`l*${at}*zz`], names],
    ['1,000 patterns each', 10, (at) => many(1000, (each) => `l*${each}*z${at}`), names],
    [
      'names, and wildcards',
      1000,
      (at) => many(10, (each) => `s-${at}-${each}`),
      names.map((name) => `*${name}`),
    ],
    [
      'ends, and wildcards',
      1000,
      (at) => many(10, (each) => `*-${at}-${each}`),
      names.map((name) => `*${name}x`),
    ],
    [
      'long searches',
      1000,
      (at) => many(10, (each) => `*aaab${at}${each}*`),
      many(30, (at) => `${aaa}${at}`),
    ],
    [
      'heads within heads',
      1000,
      (at) => many(10, (each) => `${aaa.slice(at % 100)}*z${each}`),
      many(30, (at) => `${aaa}${at}`),
    ],
    ['clusters', 1000, (at) => many(10, (each) => `*r${at}-${each}:x`), names.map((name) => `*${name}:x`)],
  ];
  for (const [what, count, make, list] of hostile) {
    test(`${what}: all of it is answered in milliseconds`, () => {
      const policies = many(count, String).map((_, at) => patternsOf(...make(at)));
      const expression = parse(list.join(','));
      let fastest = Number.POSITIVE_INFINITY;
      for (let run = 0; run < 5; run++) {
        beginDecision(expression);
        const cpu = cpuOf(() => {
          for (const policy of policies) mayTouch(policy, expression);
          for (const policy of policies) covers(policy, expression);
        });
        fastest = Math.min(fastest, cpu);
      }
      assert.ok(fastest < 250, `${fastest} ms`);
    });
  }

  test('names and prefixes are looked up, and leave most of the work undone', () => {
    const policies = many(1000, (at) => (at % 2 === 0 ? `secret-${at}` : `secret-${at}-*`)).map((one) =>
      patternsOf(one),
    );
    const expression = parse(names.join(','));
    assert.equal(
      policies.some((policy) => mayTouch(policy, expression)),
      false,
    );
    assert.ok(expression.workLeft > 0.9 * workPerDecision, `${expression.workLeft}`);
    beginDecision(expression);
    for (let at = 0; at < 1000; at++) assert.ok(covers(patternsOf('l*', `x-${at}`), expression));
    assert.ok(expression.workLeft > 0.9 * workPerDecision, `${expression.workLeft}`);
    beginDecision(expression);
    assert.ok(covers(patternsOf(...many(999, (at) => `l*${at}zz`), 'l*'), expression));
    assert.ok(expression.workLeft > 0.9 * workPerDecision, `${expression.workLeft}`);
  });
});
