/** `sluice test`: the tests among policies, each a request and what is to become of it. */
import { placeOf } from '../policy/document.ts';
import type { PolicyTest } from '../policy/read/policy-test.ts';
import { exitCodes } from './actions.ts';
import { type Given, readInput } from './policies-input.ts';
import { createTrial, type Outcome, stepLine } from './policies-trial.ts';

import { counted, failed, type Told } from './told.ts';

export async function testPolicies(given: Given): Promise<Told> {
  const input = await readInput(given);
  if (input.kind === 'invalid') return failed(input.problems);
  const tests = input.tests.flatMap((document) => document.tests.map((test) => ({ document, test })));
  const notes = input.passedOver.map((name) => `${name}: not looked at`);
  if (tests.length === 0) {
    const none = 'there are no tests: write documents of kind PolicyTest beside the policies';
    return { code: exitCodes.file, out: [], err: [...notes, none] };
  }
  const trial = await createTrial(input);
  const out: string[] = [];
  let failures = 0;
  for (const { document, test } of tests) {
    const outcome = await trial(test.request);
    const name = `${document.name}: ${test.name}`;
    if (isExpected(test, outcome)) {
      out.push(`ok ${name}`);
      continue;
    }
    failures += 1;
    out.push(`not ok ${name}`, `  ${placeOf(test.origin)}: ${difference(test, outcome)}`);
    out.push(...outcome.steps.map((step) => `    ${stepLine(step)}`));
  }
  out.push(`${counted(tests.length, 'test')}, ${failures} failed`);
  return { code: failures === 0 ? exitCodes.done : exitCodes.file, out, err: notes };
}

function isExpected({ expect }: PolicyTest, outcome: Outcome): boolean {
  const { audited } = expect;
  return (
    expect.verdict === outcome.verdict &&
    (expect.policy === undefined || expect.policy === outcome.policy) &&
    (expect.status === undefined || expect.status === outcome.status) &&
    (expect.cluster === undefined || expect.cluster === outcome.cluster) &&
    (audited === undefined || isSame(audited, outcome.audited))
  );
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.every((one) => others.includes(one)) && others.every((one) => some.includes(one));
}

/** Tells of the outcome what was asked about, and what was decided. */
function difference({ expect }: PolicyTest, outcome: Outcome): string {
  const was = {
    verdict: outcome.verdict,
    status: outcome.status,
    policy: outcome.policy === '' ? undefined : outcome.policy,
    cluster: expect.cluster === undefined ? undefined : outcome.cluster,
    audited: expect.audited === undefined ? undefined : outcome.audited,
  };
  const reason = outcome.verdict === 'deny' ? `: ${outcome.reason}` : '';
  return `expected ${inWords(expect)}, was ${inWords(was)}${reason}`;
}

function inWords({ verdict, status, policy, cluster, audited }: PolicyTest['expect']): string {
  return [
    verdict,
    ...(status === undefined ? [] : [String(status)]),
    ...(policy === undefined ? [] : [`by ${policy}`]),
    ...(cluster === undefined ? [] : [`to ${cluster}`]),
    ...(audited === undefined ? [] : [`audited by ${audited.length === 0 ? 'none' : audited.join(', ')}`]),
  ].join(' ');
}
