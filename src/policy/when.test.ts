import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { patience } from '../../test/support/deadline.ts';
import { loadWhen, longestSource, type When, type WhenRequest } from './when.ts';

const request: WhenRequest = {
  method: 'POST',
  path: '/logs-a,logs-b/_bulk',
  query: '?refresh=true',
  headers: new Map([
    ['x-team', 'logs'],
    ['user-agent', 'curl/8'],
  ]),
  endpoint: 'bulk',
  group: 'write',
  indices: ['logs-a', 'logs-b'],
  source: '10.1.2.3',
  length: 104_857_600n,
  chunked: false,
  contentType: 'application/x-ndjson',
  principal: {
    kind: 'token',
    name: 'bob',
    verified: true,
    issuer: 'https://id.example',
    claims: { team: 'logs', groups: ['ingest', 'dev'], level: 3, realm: { roles: ['admin'] }, nothing: null },
  },
  time: new Date('2026-03-29T01:30:00Z'),
};

const nobody = { kind: '', name: '', verified: false, issuer: '', claims: {} };
const timeout = patience;

describe('when', { timeout }, () => {
  let when: When;
  before(async () => {
    when = await loadWhen();
  });

  const ask = (source: string, changes: Partial<WhenRequest> = {}) =>
    when.compile(source)({ ...request, ...changes });
  const withClaims = (claims: Record<string, unknown>): Partial<WhenRequest> => ({
    principal: { ...request.principal, claims },
  });

  it('tells what an expression may cost, and nothing of one that is refused', () => {
    const [cheap, loop] = [
      when.cost('request.method == "GET"'),
      when.cost('request.indices.all(i, i != "a")'),
    ];
    assert.ok(cheap > 0 && cheap < 1, `${cheap}`);
    assert.ok(loop > 10 && loop < 200, `${loop}`);
    assert.equal(when.cost('request.metod == "GET"'), 0);
  });

  it('sees every part of the request', () => {
    for (const source of [
      'request.method == "POST"',
      'request.path == "/logs-a,logs-b/_bulk" && request.query == "?refresh=true"',
      'request.headers["x-team"] == "logs" && request.headers.size() == 2',
      'header("X-Team") == "logs" && header("x-none") == ""',
      '"x-team" in request.headers && !("x-none" in request.headers)',
      'request.endpoint == "bulk" && request.group == "write"',
      'request.indices == ["logs-a", "logs-b"]',
      'request.indices.all(index, index.startsWith(request.principal.claims.team + "-"))',
      'request.indices.filter(i, i != "logs-a").map(i, i + "!") == ["logs-b!"]',
      'inNetwork(request.source, "10.0.0.0/8") && !inNetwork(request.source, "10.2.0.0/16")',
      'request.length > 100 * 1024 * 1024 - 1 && !request.chunked',
      'request.contentType.split("/")[1] == "x-ndjson"',
      'request.principal.kind == "token" && request.principal.verified',
      'request.principal.name in ["alice", "bob"] && request.principal.issuer.endsWith(".example")',
      '"ingest" in request.principal.claims.groups && request.principal.claims.level >= 3',
      'request.principal.claims.level == 3 && request.principal.claims.level + 1.0 == 4.0',
      '"admin" in request.principal.claims.realm.roles',
      'has(request.principal.claims.team) && !has(request.principal.claims.other)',
      'request.principal.claims.nothing == null',
      'request.time >= timestamp("2026-03-01T00:00:00Z") && request.time.getHours() == 1',
      'request.time - timestamp("2026-03-29T01:00:00Z") == duration("30m")',
      'glob(request.path, "/logs-*/_bulk") && !glob(request.path, "/logs-*/_search")',
      'cel.bind(own, header("x-team") + "-", request.indices.exists(i, i.startsWith(own)))',
    ]) {
      assert.equal(ask(source), true, source);
    }
  });

  it('tells nobody from somebody without an error', () => {
    const source = 'request.principal.name == "" && !request.principal.verified';
    assert.equal(ask(source, { principal: nobody }), true);
  });

  it('says where an expression is wrong, and what to write', () => {
    const problems: readonly (readonly [string, RegExp, number | undefined])[] = [
      ['request.method == ', /Unexpected token/, 19],
      ['request.method = "GET"', /Unexpected character/, 16],
      ['"open', /Unterminated/, 1],
      ['request.path + 1 == ""', /string \+ int/, 1],
      ['reqest.path == ""', /Unknown variable/, 1],
      ['true && request.pth == ""', /No such key: pth/, 17],
      ['has(request.pth)', /No such key: pth/, 5],
      ['has(request.principal.nme)', /No such key: nme/, 5],
      ['request.path.foo()', /no matching overload/, 1],
      ['true &&\n  request.path.foo()', /^line 2: .*no matching overload/, 3],
      ['request.method', /not a bool but string/, undefined],
      ['request.principal.claims.team', /not a bool but dyn/, undefined],
      ['request.headers["X-Team"] == "a"', /no header is called "X-Team"/, 17],
      ['header("Authorization") == ""', /not shown/, 8],
      ['header(request.path) == ""', /in quotes/, 16],
      ['inNetwork(request.source, "10.0.0.0/33")', /no CIDR block/, 27],
      ['inNetwork(1, "10.0.0.0/8")', /not a string but int/, 11],
      ['request.time.getHours("Mars/Base") == 1', /no time zone/, 23],
      ['request.time > timestamp("yesterday")', /not a moment/, 16],
      ['duration(request.path) > duration("1s")', /not a short literal/, 1],
      ['request.indices.all(i, i)', /not a bool but string/, 24],
      ['request.indices.all(request, true)', /can not be called request/, 21],
      ['request.path.all(i, true)', /not a list or a map/, 9],
      ['99999999999999999999 > 1', /64 bits/, 1],
      ['b"x" == b"x"', /not supported/, 1],
      ['request.path.matches("(a+)+$")', /matches\(\) is not supported/, 1],
      ['dyn(request.path) == 1', /not supported/, 1],
      ['type(request) == type(1)', /as a whole/, 6],
      ['request["path"] == ""', /as a whole/, 1],
      ['request.principal["name"] == ""', /as a whole/, 1],
      ['google == google', /not supported/, 1],
      [`${'('.repeat(40)}true${')'.repeat(40)}`, /maxDepth/, 33],
      [`${'!'.repeat(2000)}true`, /maxAstNodes/, 1501],
      [`request.path in [${'"a",'.repeat(300)}]`, /maxListElements|maxAstNodes/, undefined],
      [' '.repeat(longestSource + 1), /longer than/, undefined],
    ];
    for (const [source, wrong, column] of problems) {
      const problem = when.check(source);
      assert.match(problem?.wrong ?? 'accepted', wrong, source);
      assert.notEqual(problem?.fix, '', source);
      if (column !== undefined) assert.equal(problem?.column, column, source);
      assert.throws(() => when.compile(source), /^Error: when: /, source);
      assert.equal(when.reads(source).size, 0, source);
    }
  });

  it('an expression that can not be computed is an error, neither true nor false', () => {
    const failing: readonly string[] = [
      'request.headers["x-none"] == "a"',
      '!(request.headers["x-none"] == "a")',
      'request.principal.claims.team > 3',
      'request.principal.claims.none == "a"',
      'request.indices[7] == "a"',
      '1 / int(header("x-none") + "0") == 1',
      'int(request.path) == 1',
      '9223372036854775807 + int(header("x-none") + "1") > 0',
      'request.indices.all(i, request.principal.claims.none == i)',
      'request.principal.claims.level.all(x, true)',
      'glob(request.principal.claims.level, "*")',
    ];
    for (const source of failing) assert.equal(typeof ask(source), 'object', source);
  });

  it('an error beside what settles the matter does not count', () => {
    assert.equal(ask('request.headers["x-none"] == "a" || request.method == "POST"'), true);
    assert.equal(ask('request.headers["x-none"] == "a" && request.method == "GET"'), false);
  });

  it('an error names the place in the expression, and quotes nothing of the request', () => {
    const headers = new Map([['x-secret', 'hunter2']]);
    for (const source of [
      'int(header("x-secret")) == 1',
      'bool(header("x-secret"))',
      'double(header("x-secret")) > 1.0',
      'request.headers[header("x-secret")] == "a"',
      'header("x-secret").substring(99) == ""',
    ]) {
      const outcome = ask(source, { headers });
      assert.ok(typeof outcome === 'object', source);
      assert.doesNotMatch(outcome.error, /hunter2/, source);
      assert.match(outcome.error, /: .*header/, source);
    }
  });

  it('a request that outgrows the sizes is an error for what reads the large part, and for nothing else', () => {
    const long = 'a'.repeat(5000);
    const many = Array.from({ length: 10_000 }, () => 'a');
    const nested: unknown = Array.from({ length: 20 }).reduce((inner) => [inner], 'deep');
    const cases: readonly (readonly [string, Partial<WhenRequest>])[] = [
      ['request.path == ""', { path: long }],
      ['request.query == ""', { query: long }],
      ['request.method == ""', { method: long }],
      ['request.indices.size() == 0', { indices: many }],
      ['request.indices.size() == 0', { indices: [long] }],
      ['header("x-team") == ""', { headers: new Map([['x-team', long]]) }],
      ['request.headers["x-team"] == ""', { headers: new Map([['x-team', long]]) }],
      ['request.headers.all(h, true)', { headers: new Map([['other', long]]) }],
      ['request.principal.name == ""', { principal: { ...nobody, name: long } }],
      ['has(request.principal.claims.a)', withClaims({ b: long })],
      ['has(request.principal.claims.a)', withClaims({ b: many })],
      ['has(request.principal.claims.a)', withClaims({ b: nested })],
      ['has(request.principal.claims.a)', withClaims({ [long]: 1 })],
      ['has(request.principal.claims.a)', withClaims({ b: () => 1 })],
      [
        'has(request.principal.claims.a)',
        withClaims({ b: Array.from({ length: 200 }, () => 'a'.repeat(100)) }),
      ],
    ];
    for (const [source, changes] of cases) {
      assert.match(JSON.stringify(ask(source, changes)), /is too large/, source);
      assert.equal(ask('request.endpoint == "bulk"', changes), true, source);
    }
    assert.equal(ask('header("user-agent") == "a"', { headers: new Map([['baggage', long]]) }), false);
    assert.equal(ask('request.principal.name == "bob"', withClaims({ b: many })), true);
  });

  it('nothing of JavaScript is within reach', () => {
    const names = [
      'constructor',
      '__proto__',
      'prototype',
      'toString',
      'hasOwnProperty',
      'valueOf',
      '__defineGetter__',
    ];
    for (const name of names) {
      for (const object of [
        'request',
        'request.principal',
        'request.path',
        'request.time',
        'request.length',
      ]) {
        assert.notEqual(when.check(`${object}.${name} == 1`), undefined, `${object}.${name}`);
        assert.notEqual(when.check(`${object}["${name}"] == 1`), undefined, `${object}["${name}"]`);
        assert.notEqual(when.check(`${object}.${name}() == 1`), undefined, `${object}.${name}()`);
      }
      for (const object of [
        'request.headers',
        'request.principal.claims',
        'request.principal.claims.realm',
      ]) {
        assert.equal(
          typeof ask(`${object}["${name.toLowerCase()}"] == "1"`),
          'object',
          `${object}["${name}"]`,
        );
        assert.equal(ask(`"${name.toLowerCase()}" in ${object}`), false, `${name} in ${object}`);
      }
      assert.equal(ask(`"${name}" in {"a": 1}`), false, `${name} in a map`);
      assert.equal(typeof ask(`{"a": 1}["${name}"] == 1`), 'object', `a map's ${name}`);
    }
  });

  it('claims with the names of JavaScript are claims like others', () => {
    const claims = JSON.parse(
      '{"__proto__": {"admin": true}, "constructor": {"name": "Object", "constructor": null}, "toString": "x"}',
    );
    assert.equal(ask('request.principal.claims["__proto__"].admin == true', withClaims(claims)), true);
    assert.equal(ask('request.principal.claims["constructor"].name == "Object"', withClaims(claims)), true);
    assert.equal(
      ask('request.principal.claims.constructor["constructor"] == null', withClaims(claims)),
      true,
    );
    assert.equal(ask('request.principal.claims.toString == "x"', withClaims(claims)), true);
    assert.equal(ask('has(request.principal.claims.admin)', withClaims(claims)), false);
    assert.equal(({} as { admin?: unknown }).admin, undefined);
  });

  it('whatever the claims are, the outcome is a boolean or an error, at once', () => {
    const tests = [
      'request.principal.claims.a == "x"',
      '"x" in request.principal.claims.a',
      'request.principal.claims.a.b.c > 1',
      'request.principal.claims.a.exists(x, x == "x")',
      'request.principal.claims.a.all(x, request.principal.claims[x] == "x")',
      'request.principal.claims.a.startsWith("x") || request.principal.claims["constructor"] == 1',
      'size(request.principal.claims.a) > 1 && string(request.principal.claims.a) == "x"',
      'request.principal.claims.a == request.principal.claims.b',
      'request.principal.claims.a[request.principal.claims.b] == request.principal.claims.a',
    ].map((source) => when.compile(source));
    const key = fc.oneof(
      fc.constantFrom('a', 'b', 'c', 'x', 'constructor', '__proto__', 'length'),
      fc.string(),
    );
    const { claims } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, fc.jsonValue({ maxDepth: 2 }), fc.array(tie('value')), tie('claims')),
      claims: fc.dictionary(key, tie('value') as fc.Arbitrary<unknown>, { maxKeys: 6 }),
    }));
    fc.assert(
      fc.property(claims as fc.Arbitrary<Record<string, unknown>>, (hostile) => {
        for (const test of tests) {
          const outcome = test({ ...request, ...withClaims(hostile) });
          assert.ok(typeof outcome === 'boolean' || typeof outcome.error === 'string');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('source text of any kind is accepted or refused, never thrown over', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'request',
        '.',
        'path',
        '"',
        '(',
        ')',
        '[',
        ']',
        '{',
        '}',
        ' == ',
        '!',
        '-',
        '1',
        'u',
        '&&',
      ),
      fc.constantFrom(
        '.all(',
        ', ',
        'header(',
        'glob(',
        'cel.bind(',
        'has(',
        ' in ',
        '? ',
        ': ',
        '0x',
        '\\',
        'r"',
        '\n',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const source = pieces.join('');
        const problem = when.check(source);
        if (problem === undefined) when.compile(source)(request);
        else assert.ok(problem.wrong !== '' && problem.fix !== '');
      }),
      { numRuns: 2000 },
    );
  });

  it('texts are compared as they are, beyond ASCII too', () => {
    assert.equal(ask('request.path == "/straße-😀"', { path: '/straße-😀' }), true);
    assert.equal(ask('request.path == "/stra\\u00dfe-\\U0001F600"', { path: '/straße-😀' }), true);
    assert.equal(ask('request.path == "/é"', { path: '/e\u0301' }), false);
    assert.equal(ask('size(request.path) == 2', { path: '/😀' }), true);
    assert.equal(ask('glob(request.path, "/*😀")', { path: '/a\ud83d😀' }), true);
    assert.equal(
      ask('request.principal.claims["ключ"] == "значение"', withClaims({ ключ: 'значение' })),
      true,
    );
  });

  it('reads tells which parts an expression rests on', () => {
    const reads = (source: string) => [...when.reads(source)].sort();
    assert.deepEqual(reads('true'), []);
    assert.deepEqual(reads('header("x-a") == "" && inNetwork(request.source, "::/0")'), [
      'headers',
      'source',
    ]);
    assert.deepEqual(reads('"x-a" in request.headers'), ['headers']);
    assert.deepEqual(reads('has(request.headers.host)'), ['headers']);
    assert.deepEqual(reads('request.indices.exists(i, request.headers[i] == "1")'), ['headers', 'indices']);
    assert.deepEqual(reads('cel.bind(h, request.headers, h["a"] == "")'), ['headers']);
    assert.deepEqual(reads('request.principal.name == "bob"'), ['principal']);
    assert.deepEqual(reads('request.principal.claims.a == "bob"'), ['claims', 'principal']);
  });

  it('an error in all or exists ends it', () => {
    const indices = ['x-none', 'x-team'];
    assert.equal(
      typeof ask('request.indices.exists(i, request.headers[i] == "logs")', { indices }),
      'object',
    );
    assert.equal(
      ask('request.indices.exists(i, i in request.headers && request.headers[i] == "logs")', { indices }),
      true,
    );
  });

  it('loops within loops keep their variables apart', () => {
    assert.equal(ask('[1, 2].all(i, [3, 4].all(j, i < j) && i < 3)'), true);
    assert.equal(ask('[1, 2].exists(i, [3, 4].exists(i, i == 3) && i == 2)'), true);
    assert.equal(ask('{"a": 1, "b": 2}.all(k, k in ["a", "b"])'), true);
    assert.equal(ask('request.principal.claims.realm.exists(k, k == "roles")'), true);
    assert.equal(ask('[1, 2].exists_one(i, i == 2)'), true);
  });

  it('the limit of stack traces is left as it was', () => {
    const before = Error.stackTraceLimit;
    ask('request.headers["x-none"] == "a"');
    assert.equal(Error.stackTraceLimit, before);
  });
});
