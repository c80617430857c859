import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { patience } from '../../test/support/deadline.ts';
import { claimAttacks, denyAttacks } from '../../test/support/index-attacks.ts';
import { deny, policy, setOf, subject } from '../../test/support/policies.ts';
import { policyContext } from '../../test/support/policy-context.ts';
import type { Principal } from './principal.ts';
import { readPolicies } from './read/reader.ts';
import { loadWhen } from './when.ts';
import { costLimit } from './when-refusals.ts';
import { principalShapes, requestShapes } from './when-shapes.ts';

const docs = await readFile(new URL('../../docs/when.md', import.meta.url), 'utf8');
const when = await loadWhen();

const examples = [...docs.matchAll(/^( *)```cel\n(.*?)^ *```$/gms)].map(([, , source = '']) => source);
/** Who asks for more than is theirs. */
const loader: Principal = {
  kind: 'token',
  name: 'loader',
  verified: true,
  issuer: 'https://login.example',
  claims: { team: 'a', kind: 'machine' },
};

/** The page's policies, whole. */
async function shownPolicies() {
  const [, spec] = /^```yaml\n(spec:.*?)^```$/ms.exec(docs) ?? [];
  const text = `apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: shown}\n${spec}`;
  const read = readPolicies([{ name: 'when.md', text }], await policyContext());
  assert.ok(read.kind === 'read', JSON.stringify(read));
  return read.policies;
}

describe('docs/when.md', { timeout: patience }, () => {
  it('shows only expressions that are accepted', () => {
    assert.ok(examples.length >= 8);
    for (const source of examples) assert.equal(when.check(source), undefined, source);
  });

  it('shows no expression that decides by request.indices alone', async () => {
    const shown = [...examples, ...(await shownPolicies()).flatMap((one) => one.when ?? [])];
    for (const source of shown) assert.ok(!when.reads(source).has('indices'), source);
  });

  it('shows no policy for a team that an attack passes', async () => {
    const own = examples.filter((source) => source.includes('covers(['));
    assert.ok(own.length >= 1);
    const sets = [...own.map((source) => [policy('own', { when: source })]), await shownPolicies()];
    for (const documents of sets) {
      const set = await setOf(documents);
      const asked = (line: string) => set.decide(subject(line, { principals: [loader] })).kind;
      for (const line of ['GET /a-1/_search', 'PUT /a-1/_doc/1']) assert.equal(asked(line), 'allow', line);
      for (const { method, path } of claimAttacks) assert.equal(asked(`${method} ${path}`), 'deny', path);
    }
  });

  it('shows no policy against secrets that an attack passes', async () => {
    const denying = examples.filter((source) => source.startsWith('touches(['));
    assert.equal(denying.length, 1);
    const rest = policy('rest', { match: { groups: ['read', 'write', 'monitor', 'unknown'] } });
    const set = await setOf([...denying.map((source) => deny('hidden', { when: source })), rest]);
    assert.equal(set.decide(subject('GET /a-1/_search')).kind, 'allow');
    for (const { method, path } of denyAttacks) {
      assert.equal(set.decide(subject(`${method} ${path}`)).policy?.name, 'hidden', path);
    }
  });

  it('lists every part of the request, and the limit', () => {
    const parts = [
      ...[...requestShapes.keys()].map((name) => `request.${name}`),
      ...[...principalShapes.keys()].map((name) => `request.principal.${name}`),
    ];
    const listed = [...docs.matchAll(/^\| `(request\.[\w.]+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual([...listed].sort(), parts.sort());
    assert.match(docs, new RegExp(`\\*\\*${costLimit / 1000} µs\\*\\*`));
  });
});
