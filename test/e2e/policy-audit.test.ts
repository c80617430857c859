/** A policy that only audits lets pass, and leaves word of what a deny would have caught. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { accessLine } from '../../src/observe/access-log.ts';
import { body, digestOf } from '../support/body.ts';
import { readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { subject } from '../support/policies.ts';
import { PolicyStand, readPolicies } from '../support/policy-stand.ts';
import { onEachTransport } from '../support/stand.ts';

const policies = {
  'would-deny-writes': { action: 'audit', match: { groups: ['write'] }, deny: { reason: 'No writes.' } },
  'would-deny-all': { action: 'audit', deny: { status: 429, reason: 'Nothing.' } },
  'team-a': { action: 'allow', match: { indices: ['logs-a'] }, limits: { bodyBytes: 4_000_000 } },
  'no-deletes': { action: 'deny', match: { methods: ['DELETE'] } },
  'never-asked': { action: 'audit' },
};

onEachTransport('an audited request', (kind) => {
  it('passes whole, under the limits of the policy that lets it in, and its line names who audited it', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies });
    const client = await stand.client();
    const all = body(3_000_000);
    await client.write(`POST /logs-a/_doc HTTP/1.1\r\nHost: es\r\nContent-Length: ${all.length}\r\n\r\n`);
    await client.write(all);
    assert.equal((await readWhole(client)).text, digestOf([all]));
    const line = JSON.parse(accessLine(await stand.ended()));
    assert.deepEqual(
      [line.status, line.policy, line.audited, line.end],
      [200, 'team-a', ['would-deny-writes', 'would-deny-all'], 'complete'],
    );
    await client.write('GET /logs-a/_search HTTP/1.1\r\nHost: es\r\n\r\n');
    assert.equal((await readWhole(client)).head.status, 200);
    assert.deepEqual(JSON.parse(accessLine(await stand.ended())).audited, ['would-deny-all']);
    await client.write('POST /logs-a/_doc HTTP/1.1\r\nHost: es\r\nContent-Length: 5000000\r\n\r\n');
    assert.equal((await readWhole(client)).head.status, 413);
    const counted = [...stand.judge.hits].filter(
      ([, { allowed, denied, audited }]) => allowed + denied + audited > 0,
    );
    const hits = Object.fromEntries(counted);
    assert.deepEqual(hits, {
      'team-a': { allowed: 3, denied: 0, audited: 0 },
      'would-deny-writes': { allowed: 0, denied: 0, audited: 2 },
      'would-deny-all': { allowed: 0, denied: 0, audited: 3 },
    });
  });

  it('that another policy denies is denied by that one, for its reason, and still audited', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies });
    const client = await stand.client();
    await client.write('DELETE /logs-b/_doc/1 HTTP/1.1\r\nHost: es\r\n\r\n');
    const { head, text } = await readWhole(client);
    assert.deepEqual([head.status, JSON.parse(text).error.reason], [403, 'Denied by policy no-deletes.']);
    const line = JSON.parse(accessLine(await stand.ended()));
    assert.deepEqual([line.policy, line.audited], ['no-deletes', ['would-deny-writes', 'would-deny-all']]);
    assert.equal(origin.accepted, 0);
  });

  it('that no policy matches is told so by the default, and its auditors are named', async () => {
    await using origin = await Origin.open();
    for (const [fallback, status] of [
      ['allow', 200],
      ['deny', 403],
    ] as const) {
      await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies, fallback });
      const client = await stand.client();
      await client.write('GET /logs-b/_search HTTP/1.1\r\nHost: es\r\n\r\n');
      assert.equal((await readWhole(client)).head.status, status);
      const line = JSON.parse(accessLine(await stand.ended()));
      assert.deepEqual([line.policy, line.audited], ['default', ['would-deny-all', 'never-asked']]);
    }
  });

  it('is explained: who matched and went on, who did not and why, who decided', async () => {
    const set = await readPolicies({ policies });
    assert.deepEqual(set.explain(subject('GET /logs-a/_search')), [
      { policy: 'would-deny-writes', matched: false, part: 'groups', found: 'search (group read)' },
      { policy: 'would-deny-all', matched: true, part: undefined, found: '' },
      { policy: 'team-a', matched: true, part: undefined, found: '' },
    ]);
  });
});
