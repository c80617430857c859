import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { beginDecision, covers, type IndexExpression, mayTouch, parseIndexExpression } from './indices.ts';
import { type IndexReach, loadWhen, type When, type WhenRequest } from './when.ts';
import { costLimit } from './when-refusals.ts';
import { limits, requestTexts } from './when-request.ts';

/** As large as a request may be, of texts that are slow to search: every place looks like a beginning. */
function largest(letter: string): WhenRequest {
  const text = (length: number) => letter.repeat(Math.floor(length / letter.length));
  const ofSize = (most: number) => text(most).slice(0, most);
  const share = Math.floor(limits.claimsText / limits.items) - 8;
  return {
    method: ofSize(requestTexts.method),
    path: ofSize(requestTexts.path),
    query: ofSize(requestTexts.query),
    headers: new Map(Array.from({ length: 100 }, (_, at) => [`x-${at}`, ofSize(limits.header)])),
    endpoint: ofSize(requestTexts.endpoint),
    group: ofSize(requestTexts.group),
    indices: Array.from({ length: limits.items }, () => ofSize(limits.indices / limits.items)),
    source: ofSize(requestTexts.source),
    length: -1n,
    chunked: true,
    contentType: ofSize(requestTexts.contentType),
    principal: {
      kind: 'token',
      name: ofSize(1024),
      verified: true,
      issuer: ofSize(1024),
      claims: {
        list: Array.from({ length: limits.items - 1 }, () => ofSize(share)),
        text: ofSize(limits.claim),
      },
    },
    time: new Date('2026-03-29T01:30:00Z'),
  };
}

/** The request, and one whose path and indices are few long texts instead of many short ones. */
const requests: readonly WhenRequest[] = [
  largest('a'),
  largest('-'),
  largest('š'),
  { ...largest('a'), indices: ['a'.repeat(limits.indices)] },
];

const allIndices = parseIndexExpression([]) as IndexExpression;

/** In nanoseconds; the fastest of a few runs, since other work on the machine is not the expression's. */
function timeOf(test: ReturnType<When['compile']>, request: WhenRequest, runs: number): number {
  // Texts that are no names are refused before any policy is asked.
  const named = parseIndexExpression(request.indices);
  const expression = 'code' in named ? allIndices : named;
  const reach: IndexReach = {
    covers: (patterns) => covers(patterns, expression),
    touches: (patterns) => mayTouch(patterns, expression),
  };
  let fastest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const begin = process.hrtime.bigint();
    beginDecision(expression);
    test(request, reach);
    fastest = Math.min(fastest, Number(process.hrtime.bigint() - begin));
  }
  return fastest;
}

describe('the cost of an expression', { timeout: 120_000 }, () => {
  let when: When;
  before(async () => {
    when = await loadWhen();
  });

  it('what could take long is refused, and the costly part is named', () => {
    const costly: readonly (readonly [string, RegExp])[] = [
      ['request.indices.all(i, request.indices.all(j, i != j + "x"))', /most of it for|could take/],
      [
        'request.method == "GET" && request.indices.all(i, request.indices.exists(j, j == i))',
        /most of it for request\.indices\.all\(/,
      ],
      ['request.path.contains(request.query)', /could take/],
      ['request.path.contains(header("x-a"))', /could take/],
      [`request.path.contains("${'a'.repeat(251)}")`, /could take/],
      ['request.path.split("/").all(part, part.size() < 100)', /could take/],
      ['request.path.split("/").all(part, request.path.contains(part))', /could take/],
      ['request.indices.map(i, request.path + i).join(",") == ""', /could take/],
      ['request.indices.all(i, (request.headers[i] == "" || true))', /could take/],
      ['request.indices.all(i, inNetwork(i, "10.0.0.0/8"))', /could take/],
      ['request.principal.claims.all(a, request.principal.claims.all(b, a == b))', /could take/],
      [
        `request.indices.all(i, i in [${Array.from({ length: 100 }, (_, at) => `"${at}"`).join(',')}])`,
        /could take/,
      ],
      [
        `covers([${Array.from({ length: 40 }, (_, at) => `request.principal.name + "-${at}-*"`).join()}])`,
        /could take/,
      ],
      ['request.principal.claims.teams.exists(t, covers([t + "-*"]))', /could take/],
      [
        `${'cel.bind(x, x + x, '.repeat(12).replace('x + x', 'request.path')}x == ""${')'.repeat(12)}`,
        /could take/,
      ],
      [Array.from({ length: 12 }, (_, at) => `request.path.contains("${at}x")`).join(' || '), /could take/],
      [
        `[0, 1].all(i, (i == 0 ? request.time : request.time + duration("1h")).getHours("UTC") > 0 &&
        request.indices.all(j, (j == "" ? request.time : request.time + duration("1h")).getHours("UTC") > 0))`,
        /could take/,
      ],
    ];
    for (const [source, wrong] of costly) {
      const problem = when.check(source);
      assert.match(problem?.wrong ?? 'accepted', wrong, source);
      assert.match(problem?.wrong ?? '', /200 µs are the limit/, source);
      assert.notEqual(problem?.fix, '', source);
    }
  });

  it('what operators write is not', () => {
    for (const source of [
      'covers([request.principal.claims.team + "-*", "shared-" + request.principal.claims.team])',
      `touches([${Array.from({ length: 20 }, (_, at) => `"secret-${at}-*"`).join()}])`,
      'request.indices.all(i, i.startsWith(request.principal.claims.team + "-"))',
      'request.indices.all(i, i.startsWith(header("x-team") + "-") || i == "shared")',
      'request.indices.all(i, i.startsWith("logs-") && !i.contains("secret"))',
      'request.indices.exists(i, glob(i, "*-secret-*") || glob(i, ".*"))',
      '"admins" in request.principal.claims.groups || request.principal.claims.team in request.principal.claims.teams',
      'request.path.contains("_search") || request.path.contains("_msearch") || request.path.contains("_count")',
      'request.contentType.split(";")[0].trim().lowerAscii() == "application/json"',
      'request.headers.exists(name, name.startsWith("x-internal-"))',
      'request.time.getHours("Europe/Berlin") >= 8 && request.time.getHours("Europe/Berlin") < 18',
      `request.principal.name in [${Array.from({ length: 100 }, (_, at) => `"user-${at}"`).join(',')}]`,
    ]) {
      assert.equal(when.check(source), undefined, source);
    }
  });

  it('accepted expressions end in time on the largest requests', () => {
    const { bool } = expressions();
    let accepted = 0;
    fc.assert(
      fc.property(bool, (source) => {
        if (when.check(source) !== undefined) return;
        accepted++;
        const test = when.compile(source);
        for (const request of requests) {
          const time = timeOf(test, request, 4);
          // Code that has not run before is slower by an order of magnitude.
          assert.ok(time < 10 * costLimit, `${time} ns: ${source}`);
        }
      }),
      { numRuns: 1500 },
    );
    assert.ok(accepted > 100, `${accepted} accepted`);
  });
});

/** Well-typed expressions, most of them. */
function expressions() {
  const literal = fc.constantFrom('"a"', '"aab"', '"-"', '"logs-"', '""', '"aaaaaaaaaaaaaaab"');
  const { bool } = fc.letrec<{ bool: string; text: string; list: string; any: string; int: string }>(
    (tie) => {
      const of = (...parts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
        fc
          .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
          .map((strings) => strings.join(''));
      const [boolOf, text, list, any, int] = [tie('bool'), tie('text'), tie('list'), tie('any'), tie('int')];
      const variable = fc.constantFrom('i', 'j');
      const depthIdentifier = 'expression';
      return {
        bool: fc.oneof(
          { maxDepth: 5, depthIdentifier },
          fc.constantFrom(
            'true',
            'request.chunked',
            'header("x-none") == ""',
            'request.headers["x-none"] == ""',
          ),
          of('(', boolOf, ' && ', boolOf, ')'),
          of('(', boolOf, ' || ', boolOf, ')'),
          of('!', boolOf),
          of(list, '.all(', variable, ', ', boolOf, ')'),
          of(list, '.exists(', variable, ', ', boolOf, ')'),
          of(list, '.exists_one(', variable, ', ', boolOf, ')'),
          of(text, '.contains(', text, ')'),
          of(text, '.contains(', literal, ')'),
          of(text, '.startsWith(', text, ')'),
          of('glob(', text, ', "*aab*-*")'),
          of('covers([', text, ' + "-*", "*-a*a-*"])'),
          of('touches([', literal, ' + ', text, '])'),
          of('inNetwork(', text, ', "10.0.0.0/8")'),
          of(text, ' == ', text),
          of(any, ' == ', any),
          of(text, ' in ', list),
          of(any, ' in ', list),
          of(text, ' < ', text),
          of(list, ' == ', list),
          of(int, ' > ', int),
          of('cel.bind(', variable, ', ', text, ', ', boolOf, ')'),
        ),
        text: fc.oneof(
          { maxDepth: 5, depthIdentifier },
          literal,
          fc.constantFrom('request.path', 'header("x-1")', 'request.principal.name', 'request.method'),
          variable,
          variable,
          of('(', text, ' + ', text, ')'),
          of(text, '.lowerAscii()'),
          of(text, '.trim()'),
          of(text, '.substring(1)'),
          of('string(', any, ')'),
          of(list, '.join(', literal, ')'),
          of('(', boolOf, ' ? ', text, ' : ', text, ')'),
          of(list, '[0]'),
        ),
        list: fc.oneof(
          { maxDepth: 5, depthIdentifier },
          fc.constantFrom('request.indices', 'request.headers', 'request.principal.claims.list'),
          of('[', text, ', ', text, ']'),
          of(text, '.split(', literal, ')'),
          of(list, '.map(', variable, ', ', text, ')'),
          of(list, '.filter(', variable, ', ', boolOf, ')'),
          of('(', list, ' + ', list, ')'),
        ),
        any: fc.oneof(
          { maxDepth: 5, depthIdentifier },
          fc.constantFrom(
            'request.principal.claims.text',
            'request.principal.claims.list',
            'request.principal.claims',
          ),
          of('request.principal.claims[', text, ']'),
          text,
        ),
        int: fc.oneof(
          { maxDepth: 5, depthIdentifier },
          fc.constantFrom('1', 'request.length'),
          of('size(', text, ')'),
          of('size(', list, ')'),
          of(text, '.indexOf(', literal, ')'),
          of('(', int, ' / ', int, ')'),
        ),
      };
    },
  );
  return { bool };
}
