import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deny, policy } from '../../../test/support/policies.ts';
import { formatProblem } from '../../config/load.ts';
import { loadWhen } from '../when.ts';
import { looseExpressions } from './when-lint.ts';

const when = await loadWhen();

test('an expression that rests on request.indices alone is told of, with the call that holds', () => {
  const source = 'request.indices.all(i, i.startsWith("a-"))';
  const told = looseExpressions([policy('a', { when: source }), deny('d', { when: source })], when);
  const [allowing = '', denying = ''] = told.map(formatProblem);
  assert.match(allowing, /^a\.yaml:1:1: spec\.when: policy a rests on request\.indices.*; ask covers\(/);
  assert.match(denying, /^d\.yaml:1:1: spec\.when: policy d rests on request\.indices.*; ask touches\(/);
});

test('one that asks covers() or touches() as well is not', () => {
  const sound = ['covers(["a-*"]) && request.indices.size() == 1', 'touches(["a"])', 'request.chunked'];
  assert.deepEqual(
    looseExpressions(
      sound.map((source) => policy('a', { when: source })),
      when,
    ),
    [],
  );
});
