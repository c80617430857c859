/** `sluice test` and `sluice explain` say of a request what the proxy does with it: verdict, status and policy. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { anywhere, readPaths, standardLimits } from '../../src/cli/policies-input.ts';
import { createTrial } from '../../src/cli/policies-trial.ts';
import { digestKey, hashSecret } from '../../src/policy/identity/hashes.ts';
import type { Principal } from '../../src/policy/principal.ts';
import { until } from '../support/deadline.ts';
import { readWhole } from '../support/http-peer.ts';
import { AUDIENCE, claimsWith, ISSUER, makeKey } from '../support/key-issuer.ts';
import { Origin } from '../support/origin.ts';
import { PolicyProcess } from '../support/policy-process.ts';
import { policyText, type Specs } from '../support/policy-text.ts';

const policies: Specs = {
  alice: { order: 10, action: 'allow', match: { principals: [{ users: ['alice'] }], indices: ['a-*'] } },
  ops: { order: 20, action: 'allow', match: { principals: [{ token: { claims: { groups: ['ops'] } } }] } },
  key: { order: 30, action: 'allow', match: { principals: [{ apiKeys: ['k1'] }], groups: ['read'] } },
  bob: {
    order: 40,
    action: 'allow',
    match: { principals: [{ claimedUsers: ['bob'] }, { claimedApiKeys: ['k2'] }], indices: ['b-*'] },
    limits: { bodyBytes: '10B' },
  },
  named: { order: 50, action: 'deny', when: "request.principal.name == 'carol'", deny: { status: 404 } },
  watch: { order: 60, action: 'audit', match: { groups: ['write'] } },
  free: { order: 70, action: 'allow', match: { indices: ['free'] } },
  private: { order: 80, action: 'deny', match: { paths: ['/private/**'] }, deny: { status: 401 } },
  team: {
    order: 90,
    action: 'allow',
    match: { headers: [{ name: 'x-team', values: ['a'] }], groups: ['read'] },
  },
};

const of = (kind: Principal['kind'], name: string, rest: Partial<Principal> = {}): Principal => {
  return { kind, name, verified: true, issuer: undefined, claims: undefined, ...rest };
};
const base64 = (text: string) => Buffer.from(text).toString('base64');

test('what a trial says of a request is what the proxy does with it', async () => {
  const key = await makeKey('ES256', 'one');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-trials-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const tokenOf = async (groups: readonly string[]) => `Bearer ${await key.sign(claimsWith({ groups }))}`;
  const tokenFor = (groups: readonly string[]) =>
    of('token', 'ingest', { issuer: ISSUER, claims: claimsWith({ groups }) });
  /** What the proxy is sent, and whom the trial is told of; undefined: it reads the same field. */
  const credentials: readonly (readonly [string | undefined, Principal | undefined])[] = [
    [undefined, undefined],
    [`Basic ${base64('alice:correct horse')}`, of('user', 'alice')],
    [`ApiKey ${base64('k1:secret')}`, of('api-key', 'k1')],
    [await tokenOf(['ops']), tokenFor(['ops'])],
    [await tokenOf(['dev']), tokenFor(['dev'])],
    [`Basic ${base64('bob:x')}`, of('user', 'bob', { verified: false })],
    [`basic ${base64('bob:x')}`, undefined],
    [`Basic ${base64('carol:x')}`, undefined],
    [`ApiKey ${base64('k2:x')}`, undefined],
    [`Basic ${base64('bob:x')} more`, undefined],
    ['Basic %%%', undefined],
    ['Bearer AAEAAWVsYXN0aWM', undefined],
    ['Negotiate abc', undefined],
    ['Basic', undefined],
  ];
  const asked = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
    target: fc.constantFrom(
      ...['/a-1/_search', '/b-1/_search', '/b-1/_doc/1', '/a-1,b-1/_search', '/free/_search', '/free/_bulk'],
      ...[
        '/private/x',
        '/_search',
        '/_bulk',
        '/',
        '/nothing/_known',
        '/a-1/../b-1/_search',
        '/_cluster/health',
      ],
    ),
    who: fc.constantFrom(...credentials),
    team: fc.constantFrom(undefined, 'a', 'b'),
    length: fc.constantFrom(undefined, 0, 5, 11, 'chunked' as const),
  });
  const requests = [
    ...credentials.flatMap((who) =>
      ['/a-1/_search', '/private/x', '/other/_doc/1'].map((target) => {
        return { method: 'GET', target, who, team: undefined, length: undefined };
      }),
    ),
    ...fc.sample(asked, { numRuns: 150, seed: 7 }),
  ];

  const origin = await Origin.open();
  const running = await PolicyProcess.start([origin.port], {
    policies,
    config: {
      identity: {
        users: { file: file('users', `alice:${hashSecret('correct horse')}\n`) },
        apiKeys: { file: file('keys', `k1:${digestKey('secret')}\n`) },
        tokens: [
          {
            issuer: ISSUER,
            audiences: [AUDIENCE],
            jwksFile: file('jwks', JSON.stringify({ keys: [key.publicJwk] })),
          },
        ],
      },
    },
  });
  try {
    const documents = await readPaths([file('all.yaml', policyText(policies))], anywhere);
    assert.ok(documents.kind === 'read');
    const trial = await createTrial({
      ...documents,
      passedOver: [],
      fallback: 'deny',
      limits: standardLimits,
    });
    const said: unknown[] = [];
    const statuses: number[] = [];
    for (const {
      method,
      target,
      who: [authorization, principal],
      team,
      length,
    } of requests) {
      const team_ = team === undefined ? [] : [{ name: 'x-team', value: team }];
      const own = authorization === undefined ? [] : [{ name: 'authorization', value: authorization }];
      const outcome = await trial({
        ...{ method, target, length, source: '127.0.0.1', time: undefined },
        headers: principal === undefined ? [...team_, ...own] : team_,
        principals: principal === undefined ? [] : [principal],
      });
      said.push([outcome.verdict === 'allow' ? 200 : outcome.status, outcome.policy, outcome.audited]);
      const fields = [...team_, ...own].map(({ name, value }) => `${name}: ${value}\r\n`).join('');
      const framing =
        length === undefined
          ? ''
          : length === 'chunked'
            ? 'Transfer-Encoding: chunked\r\n'
            : `Content-Length: ${length}\r\n`;
      const body = length === 'chunked' ? '2\r\nok\r\n0\r\n\r\n' : 'x'.repeat(length ?? 0);
      const client = await running.sluice.client();
      await client.write(`${method} ${target} HTTP/1.1\r\nHost: es\r\n${fields}${framing}\r\n${body}`);
      statuses.push((await readWhole(client)).head.status);
      client.destroy();
    }
    await until('all to be logged', () => running.sluice.access.length >= requests.length);
    for (const [at, request] of requests.entries()) {
      const { policy = '', audited = [] } = running.sluice.access[at] ?? {};
      assert.deepEqual(said[at], [statuses[at], policy, audited], JSON.stringify(request));
    }
    const met = new Set(statuses);
    for (const status of [200, 400, 401, 403, 404, 413])
      assert.ok(met.has(status), `${status} is among them`);
  } finally {
    await running[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  }
});
