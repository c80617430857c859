import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PolicyChange, policy } from '../../../test/support/policies.ts';
import { cpuOf } from '../../../test/support/work.ts';
import { formatProblem } from '../../config/load.ts';
import type { PolicyDocument } from '../document.ts';
import { loadWhen } from '../when.ts';
import { mostTogether, unsafeTogether } from './when-together.ts';

const when = await loadWhen();
const costly = 'request.indices.all(i, i.startsWith(request.principal.claims.team + "-"))';
const cheap = 'request.length < 100';
const tooMany = Math.ceil(mostTogether / when.cost(costly)) + 1;

const problems = (policies: readonly PolicyDocument[]): readonly string[] =>
  unsafeTogether(policies, when).map(formatProblem);

const many = (count: number, make: (at: number) => PolicyChange): readonly PolicyDocument[] =>
  Array.from({ length: count }, (_, at) => policy(`p-${at}`, make(at)));

test('expressions that one request could make costly together are refused, and the costliest is named', () => {
  const set = many(tooMany, (at) => ({
    match: { groups: ['write'] },
    when: at === 7 ? `${costly} && ${cheap}` : costly,
  }));
  const [problem, ...others] = problems(set);
  assert.match(
    problem ?? '',
    /^p-7\.yaml:1:1: spec\.when: .* could take \d+ µs of one request to \S+, and 5000 µs .* policy p-7 takes the most, \d+ µs; /,
  );
  assert.deepEqual(others, []);
});

test('a thousand cheap expressions may stand side by side', () => {
  assert.deepEqual(problems(many(1000, () => ({ when: cheap }))), []);
});

test('what no request can meet together does not add up', () => {
  const half = Math.floor(tooMany / 2);
  const verified = true;
  const principals = (names: readonly string[]) => [{ kind: 'user', verified, names }] as const;
  const apart: readonly ((at: number) => PolicyChange)[] = [
    (at) => ({ match: { endpoints: [at < half ? 'bulk' : 'search'] } }),
    (at) => ({ match: { principals: principals([`user-${at}`]) } }),
  ];
  for (const make of apart) {
    assert.deepEqual(problems(many(tooMany, (at) => ({ ...make(at), when: costly }))), []);
  }
  const together: readonly ((at: number) => PolicyChange)[] = [
    (at) => ({ match: { endpoints: at < half ? ['bulk', 'search'] : ['search'] } }),
    (at) => ({ match: { principals: principals([`user-${at}`, 'admin']) } }),
    (at) => ({ match: { principals: principals([`user-${at}*`]) } }),
    (at) => ({ match: { principals: at < half ? principals([`user-1`]) : [] } }),
  ];
  for (const make of together) {
    assert.equal(problems(many(tooMany, (at) => ({ ...make(at), when: costly }))).length, 1);
  }
});

test('the largest set is reckoned in seconds', { timeout: 60_000 }, () => {
  const names = (at: number) => Array.from({ length: 100 }, (_, each) => `user-${at}-${each}`);
  const set = many(1000, (at) => ({
    match: { principals: [{ kind: 'user', verified: true, names: names(at) }] },
    when: costly,
  }));
  const cpu = cpuOf(() => assert.deepEqual(problems(set), []));
  assert.ok(cpu < 10_000, `${cpu} ms`);
});
