import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noMatch, policy } from '../../../test/support/policies.ts';
import { formatProblem } from '../../config/load.ts';
import type { HeaderValue, PolicyDocument, PrincipalMatch } from '../document.ts';
import { loadWhen } from '../when.ts';
import { tooManySearches, unsafe } from './safety.ts';

const when = await loadWhen();
const secret: HeaderValue = { kind: 'file', file: 'a' };

function told(
  sources: readonly string[],
  name = 'Authorization',
  value: HeaderValue = secret,
): readonly string[] {
  const headers = { set: [{ name, value }], remove: [] };
  return unsafe(policy('p', { match: { ...noMatch, sources }, headers }), when).map(formatProblem);
}

test('a block that holds almost everybody is no network that could be trusted with credentials', () => {
  const wide: readonly (readonly [readonly string[], number])[] = [
    [['0.0.0.0/0'], 0],
    [['::/0'], 0],
    [['0.0.0.0/1', '128.0.0.0/1'], 0],
    [['10.0.0.0/8', '2001:db8::/32', '8000::/1'], 2],
    [['10.0.0.0/7'], 0],
    [['2000::/15'], 0],
    // IPv4 as IPv6 has it.
    [['::ffff:0.0.0.0/96'], 0],
    [['::ffff:0.0.0.0/103'], 0],
  ];
  for (const [sources, at] of wide) {
    assert.deepEqual(told(sources), [
      `p.yaml:1:1: spec.match.sources[${at}]: policy p sends credentials to the server on behalf of anybody in ${sources[at]}; name blocks no shorter than /8, or /16 of IPv6, or ask for principals`,
    ]);
  }
});

test('blocks of a size that someone can own are trusted with credentials', () => {
  assert.deepEqual(told(['10.0.0.0/8', '2001::/16', '192.0.2.7', '::ffff:10.0.0.0/104', '::1']), []);
});

test('without any source credentials go out on behalf of nobody', () => {
  assert.match(told([]).join('\n'), /spec\.headers\.set: .* on behalf of anybody; ask for principals/);
});

test('a name that the server believes asks for as much as credentials do', () => {
  const text: HeaderValue = { kind: 'text', text: 'loader' };
  for (const name of ['es-security-runas-user', 'Opendistro_Security_Impersonate_As', 'X-Proxy-Roles']) {
    assert.equal(told([], name, text).length, 1, name);
    assert.equal(told(['0.0.0.0/0'], name, text).length, 1, name);
  }
  assert.deepEqual(told([], 'X-Team', text), []);
});

test('a set can not hold so many searching patterns that one request takes long', () => {
  const set = (count: number, pattern: string) =>
    Array.from({ length: count }, (_, at) => policy(`p${at}`, { match: { paths: [pattern] } }));
  assert.deepEqual(tooManySearches(set(200, '/*ab*/_search')), []);
  assert.deepEqual(tooManySearches(set(5000, '/**/ab*/_search')), []);
  assert.match(tooManySearches(set(201, '/*ab*/_search'))[0]?.wrong ?? '', /policy p200 .* more than 200/);
  const headers = [{ name: 'x-team', values: Array.from({ length: 201 }, (_, at) => `*a${at}*`) }];
  assert.equal(tooManySearches([policy('p', { match: { headers } })]).length, 1);
});

const claims: readonly PrincipalMatch[] = [{ kind: 'user', verified: false, names: ['a'] }];
const proofs: readonly PrincipalMatch[] = [{ kind: 'user', verified: true, names: ['a'] }];
const removing = (name: string, change: Partial<PolicyDocument>) =>
  unsafe(policy('p', { headers: { set: [], remove: [name] }, ...change }), when)
    .map(formatProblem)
    .join('\n');

test('credentials that are only claimed must reach the server that is to check them', () => {
  const refused =
    /^p.yaml:1:1: spec\.match\.principals: policy p removes authorization, so that nobody checks/;
  assert.match(removing('authorization', { match: { ...noMatch, principals: claims } }), refused);
  assert.match(
    removing('authorization', { match: { ...noMatch, principals: [...proofs, ...claims] } }),
    refused,
  );
  const withSources = { ...noMatch, principals: claims, sources: ['10.0.0.0/8'] };
  assert.match(removing('authorization', { match: withSources }), refused);
  assert.match(
    removing('authorization', { when: "request.principal.name == 'a'" }),
    /spec\.when: policy p removes/,
  );
  const proven = { match: { ...noMatch, principals: proofs }, when: "request.principal.name == 'a'" };
  for (const change of [
    {},
    { match: { ...noMatch, principals: proofs } },
    proven,
    { when: "request.path == '/'" },
  ])
    assert.equal(removing('authorization', change), '', JSON.stringify(change));
});

test('removing what could make somebody else of the client is as safe as ever', () => {
  for (const name of [
    'cookie',
    'es-secondary-authorization',
    'es-security-runas-user',
    'x-proxy-user',
    'x-api-key',
  ])
    assert.equal(removing(name, { match: { ...noMatch, principals: claims } }), '', name);
});
