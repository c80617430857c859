/** Who is asking, through the whole of a running Sluice: proven, claimed, refused, or not to be told at the moment. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hashSecret } from '../../src/policy/identity/hashes.ts';
import { body, digestOf } from '../support/body.ts';
import { closedPort } from '../support/closed-port.ts';
import { until } from '../support/deadline.ts';
import { type Head, readWhole } from '../support/http-peer.ts';
import {
  AUDIENCE,
  claimsWith,
  ISSUER,
  KeyServer,
  makeKey,
  type SigningKey,
  seconds,
} from '../support/key-issuer.ts';
import { Origin } from '../support/origin.ts';
import { PolicyProcess } from '../support/policy-process.ts';

const MIB = 1024 * 1024;
const secret = 'Basic c2VydmVyOnNlY3JldA==';
const policies = {
  admins: {
    action: 'allow',
    match: { principals: [{ token: { issuer: ISSUER, claims: { groups: ['admins'] } } }] },
  },
  ingest: {
    action: 'allow',
    match: { principals: [{ token: { subjects: ['ingest'] } }], indices: ['logs'] },
    headers: { set: [{ name: 'Authorization', fromEnv: 'SLUICE_SECRET_SERVER' }] },
  },
  alice: {
    action: 'allow',
    match: { principals: [{ users: ['alice'] }], indices: ['alice'] },
    headers: { set: [{ name: 'Authorization', fromEnv: 'SLUICE_SECRET_SERVER' }] },
  },
  bob: { action: 'allow', match: { principals: [{ claimedUsers: ['bob', 'alice'] }], indices: ['bob'] } },
  free: { action: 'allow', match: { indices: ['free'] } },
  'sign-in': { action: 'deny', match: { indices: ['private'] }, deny: { status: 401, reason: 'Sign in.' } },
};
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('a principal', () => {
  let key: SigningKey;
  let stranger: SigningKey;
  let keys: KeyServer;
  let folder: string;
  let origin: Origin;
  let running: PolicyProcess;

  before(async () => {
    [key, stranger] = await Promise.all([makeKey('ES256', 'one'), makeKey('ES256', 'one')]);
    keys = await KeyServer.open(key);
    folder = mkdtempSync(join(tmpdir(), 'sluice-users-'));
    writeFileSync(join(folder, 'users'), `alice:${hashSecret('correct horse')}\n`);
    origin = await Origin.open();
    const issuer = { audiences: [AUDIENCE], clockTolerance: '1s' };
    running = await PolicyProcess.start([origin.port], {
      policies,
      environment: { SLUICE_SECRET_SERVER: secret },
      config: {
        identity: {
          tokens: [
            { ...issuer, issuer: ISSUER, jwksUrl: keys.url },
            {
              ...issuer,
              issuer: 'https://down.test/',
              jwksUrl: `http://127.0.0.1:${await closedPort()}/keys`,
            },
          ],
          users: { file: join(folder, 'users') },
        },
      },
    });
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    await keys.close();
    rmSync(folder, { recursive: true });
  });

  /** What it is answered, and the credentials that the server got, if it heard of it. */
  async function ask(
    index: string,
    authorization: string | undefined,
  ): Promise<{ head: Head; text: string; sent: string | undefined }> {
    const client = await running.sluice.client();
    const heard = origin.received.length;
    const field = authorization === undefined ? '' : `Authorization: ${authorization}\r\n`;
    await client.write(`GET /${index}/_search HTTP/1.1\r\nHost: es\r\n${field}\r\n`);
    const { head, text } = await readWhole(client);
    client.destroy();
    return { head, text, sent: origin.received[heard]?.head.field('authorization') };
  }

  const bearer = async (claims = {}, by = key) => `Bearer ${await by.sign(claimsWith(claims))}`;

  it('of a token that is genuine goes where its claims let it, and is not sent on beside credentials', async () => {
    assert.deepEqual(await outcome(ask('logs', await bearer())), [200, secret]);
    assert.deepEqual(await outcome(ask('other', await bearer())), [403, undefined]);
    const admin = await bearer({ sub: 'root', groups: ['users', 'admins'] });
    assert.deepEqual(await outcome(ask('other', admin)), [200, admin]);
    assert.deepEqual(await outcome(ask('other', await bearer({ groups: ['users'] }))), [403, undefined]);
  });

  it('of a token that is not is answered 401 with a challenge, and no server hears of it', async () => {
    const unsigned = (await key.sign(claimsWith())).split('.');
    unsigned[0] = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
    unsigned[2] = '';
    const heard = origin.received.length;
    for (const [what, authorization] of Object.entries({
      expired: await bearer({ exp: seconds(-60) }),
      'without an end': await bearer({ exp: undefined }),
      'without an end that ever comes': `Bearer ${await key.signText(
        JSON.stringify(claimsWith({ exp: 0 })).replace('"exp":0', '"exp":1e400'),
      )}`,
      'for somebody else': await bearer({ aud: 'other' }),
      'of an unknown issuer': await bearer({ iss: 'https://evil.test/' }),
      'signed by a stranger': await bearer({}, stranger),
      unsigned: `Bearer ${unsigned.join('.')}`,
    })) {
      for (const index of ['logs', 'free']) {
        const { head, text } = await ask(index, authorization);
        assert.equal(head.status, 401, `${what}: ${text}`);
        assert.match(head.field('www-authenticate') ?? '', /Basic realm="sluice".*Bearer realm="sluice"/);
        assert.equal(JSON.parse(text).error.type, 'sluice_unauthenticated');
      }
    }
    assert.equal(origin.received.length, heard);
  });

  it('whose keys can not be had is answered 503 to come again; others are served', async () => {
    const { head } = await ask('logs', await bearer({ iss: 'https://down.test/' }));
    assert.deepEqual([head.status, head.field('retry-after')], [503, '1']);
    assert.deepEqual(await outcome(ask('logs', await bearer())), [200, secret]);
    assert.deepEqual(await outcome(ask('free', undefined)), [200, undefined]);
  });

  it('whose password is verified is one; wrong, it is refused; claimed, it is only what the server will check', async () => {
    const alice = basic('alice', 'correct horse');
    assert.deepEqual(await outcome(ask('alice', alice)), [200, secret]);
    assert.deepEqual(await outcome(ask('free', alice)), [200, alice]);
    const wrong = await ask('alice', basic('alice', 'wrong horse'));
    assert.equal(wrong.head.status, 401);
    assert.match(wrong.head.field('www-authenticate') ?? '', /^Basic realm="sluice"/);
    const bob = basic('bob', 'whatever');
    assert.deepEqual(await outcome(ask('bob', bob)), [200, bob]);
    assert.deepEqual(await outcome(ask('alice', bob)), [403, undefined]);
    await until('all to be logged', () =>
      running.sluice.access.some(({ principal }) => principal === 'user bob?'),
    );
    assert.ok(running.sluice.access.some(({ principal }) => principal === 'user alice'));
  });

  it('whose credentials are refused is named in the log, never in a metric, and its secret in neither', async () => {
    const refused = async (): Promise<ReadonlyMap<string, number>> =>
      new Map(
        [
          ...(await running.sluice.metrics()).matchAll(
            /^sluice_policy_credentials_refused_total\{policy="([^"]*)",reason="([^"]*)"\} (\d+)$/gm,
          ),
        ].map(([, policy, reason, count]) => [`${policy}:${reason}`, Number(count)]),
      );
    const before = await refused();
    for (const row of [':wrong-password', ':token-expired', ':busy', 'default:missing', 'sign-in:denied']) {
      assert.ok(before.has(row), `${row} has its series from the start`);
    }
    const from = running.sluice.access.length;
    for (const authorization of [
      basic('alice', 'battery staple'),
      await bearer({ sub: 'mallory', exp: seconds(-60) }),
      await bearer({ sub: 'carol\u0085', exp: seconds(-60) }),
      `ApiKey ${Buffer.from('no-colon-in-this-key').toString('base64')}`,
      basic('', 'nameless'),
      undefined,
    ]) {
      const expected = authorization?.startsWith('ApiKey') ? 403 : 401;
      assert.equal((await ask('logs', authorization)).head.status, expected);
    }
    assert.equal((await ask('private', undefined)).head.status, 401);
    await until('all to be logged', () => running.sluice.access.length === from + 7);
    const lines = running.sluice.access.slice(from);
    assert.deepEqual(
      lines.map(({ principal }) => principal),
      ['user alice?', 'token mallory?', undefined, undefined, undefined, undefined, undefined],
    );
    const after = await refused();
    const grown = [...after].map(([row, count]) => [row, count - (before.get(row) ?? 0)] as const);
    assert.deepEqual(Object.fromEntries(grown.filter(([, count]) => count > 0)), {
      ':wrong-password': 1,
      ':token-expired': 2,
      ':malformed': 1,
      'default:missing': 1,
      'sign-in:denied': 1,
    });
    const written = JSON.stringify([lines, running.sluice.told]) + (await running.sluice.metrics());
    for (const secret of ['battery', 'no-colon-in-this-key', 'nameless'])
      assert.ok(!written.includes(secret));
    assert.ok(!(await running.sluice.metrics()).includes('mallory'));
  });

  it('whose file is read anew, turns bad or recovers: each is told once, and no name of it', async () => {
    const from = running.sluice.told.length;
    const file = join(folder, 'users');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, `${good}dora:${hashSecret('another')}\n`);
    const line = JSON.parse(await running.told('identity: read', from));
    assert.deepEqual([line.source, line.entries], [file, 2]);
    writeFileSync(file, `${good}erin:erins-secret\n`);
    await running.told('line 2: it is no hash', from);
    writeFileSync(file, good);
    const over = JSON.parse(await running.told('the trouble is over', from));
    assert.deepEqual([over.source, over.entries], [file, 1]);
    const told = running.sluice.told.slice(from).filter((one) => one.includes('identity'));
    assert.equal(told.length, 3, told.join('\n'));
    assert.doesNotMatch(told.join(), /alice|dora|erin/);
    assert.deepEqual(await outcome(ask('alice', basic('alice', 'correct horse'))), [200, secret]);
  });

  it('that is nobody is asked to say who it is where that could help, and told no where it could not', async () => {
    const { head, text } = await ask('logs', undefined);
    assert.equal(head.status, 401, text);
    assert.match(head.field('www-authenticate') ?? '', /Bearer/);
    const denied = await ask('private', undefined);
    assert.deepEqual([denied.head.status, JSON.parse(denied.text).error.reason], [401, 'Sign in.']);
    assert.match(denied.head.field('www-authenticate') ?? '', /Basic/);
  });

  it('that is claimed twice is refused', async () => {
    const client = await running.sluice.client();
    await client.write(
      `GET /alice/_search HTTP/1.1\r\nHost: es\r\nAuthorization: ${basic('alice', 'correct horse')}\r\n` +
        `Authorization: ${basic('admin', 'admin')}\r\n\r\n`,
    );
    assert.equal((await readWhole(client)).head.status, 400);
    client.destroy();
  });

  it('is verified while its body waits, whole; pipelined requests stay in order', async () => {
    const client = await running.sluice.client();
    const all = body(8 * MIB);
    const token = await bearer({ jti: 'fresh' });
    await client.write(
      `POST /logs/_doc HTTP/1.1\r\nHost: es\r\nAuthorization: ${token}\r\nContent-Length: ${all.length}\r\n\r\n`,
    );
    await client.write(all);
    assert.equal((await readWhole(client)).text, digestOf([all]));
    const line = (index: string, authorization: string) =>
      `GET /${index}/_search HTTP/1.1\r\nHost: es\r\nAuthorization: ${authorization}\r\n\r\n`;
    const fresh = await bearer({ jti: 'another' });
    await client.write(
      line('logs', fresh) +
        line('alice', basic('alice', 'guess')) +
        line('free', fresh) +
        line('other', fresh),
    );
    const statuses: number[] = [];
    for (let nth = 0; nth < 4; nth++) statuses.push((await readWhole(client)).head.status);
    assert.deepEqual(statuses, [200, 401, 200, 403]);
    client.destroy();
  });

  it('whose token has expired hears so while it still writes 32 MB', async () => {
    const client = await running.sluice.client();
    const all = body(32 * MIB);
    await client.write(
      `POST /logs/_doc HTTP/1.1\r\nHost: es\r\nAuthorization: ${await bearer({ exp: seconds(-60) })}\r\n` +
        `Content-Length: ${all.length}\r\n\r\n`,
    );
    assert.ok(await client.write(all), 'the client was reset while it wrote');
    const { head } = await readWhole(client);
    assert.deepEqual([head.status, head.field('connection')], [401, 'close']);
    assert.equal(await client.ending(), 'end');
  });

  it('that leaves while it is verified leaves nothing behind', async () => {
    const leaving = await Promise.all(
      Array.from({ length: 8 }, async (_, nth) => {
        const client = await running.sluice.client();
        await client.write(
          `GET /alice/_search HTTP/1.1\r\nHost: es\r\nAuthorization: ${basic('alice', `guess ${nth}`)}\r\n\r\n`,
        );
        return client;
      }),
    );
    for (const client of leaving) client.reset();
    assert.deepEqual(await outcome(ask('alice', basic('alice', 'correct horse'))), [200, secret]);
    const { hits } = await running.report();
    assert.deepEqual(
      hits.filter(({ streams, waiting }) => streams + waiting > 0),
      [],
    );
  });
});

it('a set in which a claim would be checked by nobody is refused, and limits that a claim uses up are warned of', async () => {
  await using origin = await Origin.open();
  const claim = { principals: [{ claimedUsers: ['tenant'] }] };
  const limited = { tenant: { action: 'allow', match: claim, limits: { streams: 2 } } };
  await using running = await PolicyProcess.start([origin.port], { policies: limited });
  const warning = JSON.parse(await running.told('policies: worth a look'));
  assert.match(warning.warning, /spec\.limits\.streams: policy tenant has limits that anybody uses up/);
  const from = running.sluice.told.length;
  running.write({ tenant: { action: 'allow', match: claim, headers: { remove: ['Authorization'] } } });
  const refused = JSON.parse(await running.told('a set was refused', from));
  assert.match(refused.problems.join(), /removes authorization, so that nobody checks/);
  const client = await running.sluice.client();
  const sent = basic('tenant', 'wrong');
  await client.write(`GET /logs/_search HTTP/1.1\r\nHost: es\r\nAuthorization: ${sent}\r\n\r\n`);
  assert.equal((await readWhole(client)).head.status, 200);
  client.destroy();
  assert.equal(origin.received[0]?.head.field('authorization'), sent, 'for the server to check');
});

async function outcome(answer: Promise<{ head: Head; sent: string | undefined }>) {
  const { head, sent } = await answer;
  return [head.status, sent];
}
