/**
 * The policies that docs/when.md shows, before a real server and under attack: what is another team's is neither read
 * nor written, and what is a team's own is.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Attack, claimAttacks, denyAttacks, target } from '../../support/index-attacks.ts';
import { AUDIENCE, claimsWith, makeKey, type SigningKey } from '../../support/key-issuer.ts';
import { cached, checkout } from '../cache.ts';
import { ask, askJson, type Reply } from '../http.ts';
import { type Sluice, startConfigured } from '../sluice.ts';
import type { Stage } from '../stage.ts';

const issuer = 'https://login.example';
const secret = 'the secret of team b';
const docs = readFileSync(path.join(checkout, 'docs', 'when.md'), 'utf8');

/** As the page has it. */
const shown = /^```yaml\n(spec:.*?)^```$/ms.exec(docs)?.[1] ?? '';
const denying = /^```cel\n(touches\(.*?)^```$/ms.exec(docs)?.[1]?.trim() ?? '';

const head = (name: string): string =>
  `apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: ${name}}\n`;
const teams = head('teams') + shown;
const secrets = [
  `${head('secrets')}spec:\n  order: 1\n  action: deny\n  when: '${denying}'\n`,
  `${head('rest')}spec:\n  action: allow\n  match: {groups: [read, write, monitor, manage, unknown]}\n`,
].join('---\n');

export function claimAttackCases(stage: Pick<Stage, 'direct'>): void {
  describe('indices tied to a claim, under attack', () => {
    let key: SigningKey;
    let folder: string;
    let team: Sluice;
    let open: Sluice;

    before(async () => {
      key = await makeKey('ES256', 'one');
      folder = cached('run', `claims-${process.pid}`);
      team = await startWith('teams', teams);
      open = await startWith('secrets', secrets);
      await askJson(stage.direct, 'PUT', `/${target}/_doc/1?refresh=true`, { text: secret });
      await askJson(stage.direct, 'PUT', '/a-1/_doc/1?refresh=true', { text: 'an open word' });
    });
    after(async () => {
      try {
        await team?.stop();
        await open?.stop();
      } finally {
        for (const index of [target, 'a-1']) await ask(stage.direct, { method: 'DELETE', path: `/${index}` });
        if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      }
    });

    async function startWith(name: string, policies: string): Promise<Sluice> {
      const own = path.join(folder, name);
      mkdirSync(path.join(own, 'policies'), { recursive: true });
      writeFileSync(path.join(own, 'policies', 'policies.yaml'), policies);
      writeFileSync(path.join(own, 'keys.json'), JSON.stringify({ keys: [key.publicJwk] }));
      const identity = { tokens: [{ issuer, audiences: [AUDIENCE], jwksFile: path.join(own, 'keys.json') }] };
      const config = { policies: { sources: [{ path: path.join(own, 'policies') }] }, identity };
      writeFileSync(path.join(own, 'sluice.yaml'), JSON.stringify(config));
      return startConfigured(['-c', path.join(own, 'sluice.yaml'), '--upstream', stage.direct]);
    }

    const asTeam = async (name: unknown, { method, path, body }: Attack): Promise<Reply> => {
      const token = await key.sign(claimsWith({ iss: issuer, team: name }));
      const headers = { authorization: `Bearer ${token}` };
      return ask(team.url, { method, path, headers, ...(body === undefined ? {} : { body }) });
    };

    /** Nothing of the secret is in the answer, and nothing was planted beside it. */
    async function assertNothingGot({ body }: Reply, what: string): Promise<void> {
      assert.ok(!body.toString().includes(secret), `${what} reads ${target}`);
      await ask(stage.direct, { method: 'POST', path: `/${target}/_refresh` });
      const found = (await askJson(stage.direct, 'GET', `/${target}/_count`)) as { count: number };
      assert.equal(found.count, 1, `${what} writes into ${target}`);
    }

    test('a team reads and writes what is its own', async () => {
      const found = await asTeam('a', { method: 'GET', path: '/a-*/_search' });
      assert.equal(found.status, 200, found.body.toString());
      assert.match(found.body.toString(), /an open word/);
      const written = await asTeam('a', { method: 'PUT', path: '/a-1/_doc/2', body: '{"text":"more"}' });
      assert.equal(written.status, 201, written.body.toString());
    });

    test("no attack on the page's policy for teams reads or writes another team's index", async () => {
      for (const attack of claimAttacks) {
        await assertNothingGot(await asTeam('a', attack), `${attack.method} ${attack.path}`);
      }
    });

    test('a claim that is a wildcard, a list or nothing opens nothing', async () => {
      for (const name of [
        '*',
        'team',
        'team-*',
        `a,${target}`,
        '',
        '<a>',
        '-a',
        '_all',
        ['team-b'],
        undefined,
      ]) {
        for (const at of [
          '/*/_search',
          '/_search',
          `/${target}/_search`,
          '/team-b*/_search',
          '/team-b-x/_search',
        ]) {
          // `team` is a team whose pattern is `team-*`: how indices are named is for who names them.
          if (name === 'team' && at !== '/*/_search' && at !== '/_search') continue;
          const reply = await asTeam(name, { method: 'GET', path: at });
          assert.equal(reply.status, 403, `${JSON.stringify(name)} ${at}`);
          await assertNothingGot(reply, `${JSON.stringify(name)} ${at}`);
        }
      }
    });

    test("no attack passes the page's policy against secrets", async () => {
      const open_ = await ask(open.url, { method: 'GET', path: '/a-1/_search' });
      assert.equal(open_.status, 200, open_.body.toString());
      for (const { method, path, body } of denyAttacks) {
        const reply = await ask(open.url, { method, path, ...(body === undefined ? {} : { body }) });
        await assertNothingGot(reply, `${method} ${path}`);
      }
    });

    test('the attacks are attacks: the server itself lets them through', async () => {
      const through: string[] = [];
      for (const { method, path, body } of claimAttacks.filter(({ method }) => method === 'GET')) {
        const reply = await ask(stage.direct, { method, path, ...(body === undefined ? {} : { body }) });
        if (reply.body.toString().includes(secret)) through.push(path);
      }
      assert.ok(through.length >= 8, through.join());
    });
  });
}
