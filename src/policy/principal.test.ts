import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Principal, shownPrincipal } from './principal.ts';

const user = (name: string, verified = false): Principal => {
  return { kind: 'user', name, verified, issuer: undefined, claims: undefined };
};

test('a name that a stranger chooses is read in the log as nothing but a name', () => {
  for (const [name, shown] of [
    ['alice', 'user alice?'],
    ['jörg@example.org', 'user jörg@example.org?'],
    ['auth0|65', 'user auth0|65?'],
    ['x, user admin', 'user "x, user admin"?'],
    ['x,user', 'user "x,user"?'],
    ['bob?', 'user "bob?"?'],
    ['a"b', 'user "a\\"b"?'],
    ['', 'user ?'],
    // Written backwards, joined invisibly, on another line, half a character, a tag.
    ['a\u202enimda', 'user "a\\u202enimda"?'],
    ['ad\u200dmin', 'user "ad\\u200dmin"?'],
    ['a\u2028b', 'user "a\\u2028b"?'],
    ['a\ud800', 'user "a\\ud800"?'],
    ['a\u{e0041}', 'user "a\\udb40\\udc41"?'],
    ['a\u001b[31m', 'user "a\\u001b[31m"?'],
  ] as const) {
    assert.equal(shownPrincipal(user(name)), shown);
  }
  assert.equal(shownPrincipal(user('bob?', true)), 'user "bob?"');
});

test('whatever the names, principals in a line are told apart, and come back', () => {
  const name = fc.string({ unit: 'binary', minLength: 1 });
  const piece = fc.constantFrom(
    'user ',
    ', ',
    '?',
    '"',
    '\\',
    'alice',
    '\n',
    '\u202e',
    '\u0085',
    '\ud800',
    ' ',
  );
  const hostile = fc
    .array(fc.oneof(piece, name), { minLength: 1, maxLength: 8 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.array(fc.tuple(hostile, fc.boolean()), { minLength: 1, maxLength: 3 }), (given) => {
      const line = given.map(([text, verified]) => shownPrincipal(user(text, verified))).join(', ');
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      const back = [...line.matchAll(/user (?:("(?:[^"\\]|\\.)*")|([^\s",?]+))(\?)?(?:, |$)/gy)].map(
        ([, quoted, plain, claim]) => [
          quoted === undefined ? plain : JSON.parse(quoted),
          claim === undefined,
        ],
      );
      assert.deepEqual(back, given);
    }),
    { numRuns: 2000 },
  );
});
