import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noLimits, noMatch, policy } from '../../../test/support/policies.ts';
import { formatProblem } from '../../config/load.ts';
import type { PolicyDocument, PolicyLimits, PrincipalMatch } from '../document.ts';
import { loadWhen } from '../when.ts';
import { lint } from './lint.ts';

const when = await loadWhen();
const claim: PrincipalMatch = { kind: 'user', verified: false, names: ['a'] };
const proof: PrincipalMatch = { kind: 'user', verified: true, names: ['a'] };

function told(limits: Partial<PolicyLimits>, change: Partial<PolicyDocument>): readonly string[] {
  return lint([policy('p', { limits: { ...noLimits, ...limits }, ...change })], when).map(formatProblem);
}

const claiming: readonly (readonly PrincipalMatch[])[] = [[claim], [proof, claim]];
const rate = { rate: 5, burst: 5 };
const each: readonly (readonly [keyof PolicyLimits, Partial<PolicyLimits>])[] = [
  ['streams', { streams: 2 }],
  ['requestRate', { requestRate: rate }],
  ['requestBandwidth', { requestBandwidth: rate }],
  ['responseBandwidth', { responseBandwidth: rate }],
  ['queue', { queue: { depth: 1, wait: 1000 } }],
];

test('limits that wrong passwords use up are told of, each of those that requests share', () => {
  for (const [name, limits] of each) {
    for (const claims of claiming) {
      assert.deepEqual(told(limits, { match: { ...noMatch, principals: claims } }), [
        `p.yaml:1:1: spec.limits.${name}: policy p has limits that anybody uses up who claims to be one of its principals, with a wrong password; ask for users, apiKeys or a token, which Sluice verifies, or name the sources they come from`,
      ]);
    }
    const expression = { when: "request.principal.name == 'a'" };
    assert.match(told(limits, expression).join(), new RegExp(`spec\\.limits\\.${name}: .* wrong password`));
  }
});

test('limits of proven principals, of one request, of networks and of everybody are not', () => {
  for (const [, limits] of each) {
    assert.deepEqual(told(limits, { match: { ...noMatch, principals: [proof] } }), []);
    const sources = ['10.0.0.0/8'];
    assert.deepEqual(told(limits, { match: { ...noMatch, principals: [claim], sources } }), []);
    assert.deepEqual(told(limits, {}), []);
    assert.deepEqual(told(limits, { when: "request.path == '/'" }), []);
  }
  assert.deepEqual(told({ bodyBytes: 5 }, { match: { ...noMatch, principals: [claim] } }), []);
});
