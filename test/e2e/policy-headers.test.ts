/** What a policy sets and removes is what the server gets, whatever the client sends to be taken for another. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, digestOf } from '../support/body.ts';
import { chunked } from '../support/chunked-body.ts';
import { type Head, readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { PolicyStand } from '../support/policy-stand.ts';
import { onEachTransport } from '../support/stand.ts';

const MIB = 1024 * 1024;
const secret = 'ApiKey cG9saWN5OnNlY3JldA==';
const secrets = { directory: undefined, environment: { SLUICE_SECRET_HOT: secret } };
const policies = {
  trusted: {
    action: 'allow',
    match: { sources: ['127.0.0.0/8'], groups: ['read', 'write'] },
    headers: {
      set: [
        { name: 'Authorization', fromEnv: 'SLUICE_SECRET_HOT' },
        { name: 'X-Team', value: 'team-a' },
      ],
      remove: ['x-debug'],
    },
  },
  plain: {
    action: 'allow',
    match: { groups: ['monitor'] },
    headers: { set: [{ name: 'X-Team', value: 'team-b' }], remove: ['x-debug'] },
  },
};

/** By which a client could be another, and ways to write them that a server might read the same. */
const impostors = [
  'Authorization: Basic YWRtaW46YWRtaW4=',
  'Proxy-Authorization: Basic YWRtaW46YWRtaW4=',
  'Cookie: security_authentication=admin',
  'es-security-runas-user: admin',
  'ES-Security-RunAs-User: admin',
  'es_security_runas_user: admin',
  'es-secondary-authorization: Basic YWRtaW46YWRtaW4=',
  'es-client-authentication: SharedSecret guess',
  'opendistro_security_impersonate_as: admin',
  'opendistro-security-impersonate-as: admin',
  'Opendistro_Security_Impersonate-As: admin',
  'x-proxy-user: admin',
  'x_proxy_user: admin',
  'X-Proxy_Roles: admin',
  'x-proxy-roles: admin',
  'x-proxy-ext-attr: admin',
  'x-proxy-ext: admin',
];
const look = 'X-Team: evil\r\nx_team: evil\r\nx-team: worse\r\nX-Debug: 1\r\nx_debug: 1\r\nX-Kept: yes\r\n';

/** Names and values of all field lines but the host's. */
function fieldsOf(head: Head | undefined): string[] {
  return (head?.text ?? '').trimEnd().split('\r\n').slice(1);
}

onEachTransport('the fields that a policy changes', (kind) => {
  const open = (origin: Origin) => PolicyStand.open(kind, { nodes: [origin.port], policies, secrets });

  for (const impostor of impostors) {
    it(`reach the server alone beside "${impostor}"`, async () => {
      await using origin = await Origin.open();
      await using stand = await open(origin);
      const client = await stand.client();
      const more = impostor.startsWith('Authorization') ? '' : 'Authorization: Basic dXNlcjp1c2Vy\r\n';
      await client.write(`GET /logs/_search HTTP/1.1\r\nHost: es\r\n${impostor}\r\n${more}${look}\r\n`);
      assert.equal((await readWhole(client)).head.status, 200);
      const head = origin.received[0]?.head;
      assert.deepEqual(
        ['authorization', 'x-team', 'x_team', 'x-debug', 'x_debug', 'x-kept'].map((name) =>
          head?.field(name),
        ),
        [secret, 'team-a', undefined, undefined, undefined, 'yes'],
      );
      const name = impostor.split(':')[0]!.toLowerCase().replaceAll('_', '-');
      const left = fieldsOf(head).filter((line) =>
        line.toLowerCase().replaceAll('_', '-').startsWith(`${name}:`),
      );
      assert.deepEqual(left, name === 'authorization' ? [`Authorization: ${secret}`] : []);
      assert.doesNotMatch(head?.text ?? '', /admin|YWRtaW4|guess/);
    });
  }

  for (const nominated of [
    'x-team',
    'X-Team, close',
    'authorization, x-team',
    'x-team, keep-alive, x-kept',
  ]) {
    it(`can't be taken off by "Connection: ${nominated}"`, async () => {
      await using origin = await Origin.open();
      await using stand = await open(origin);
      const client = await stand.client();
      await client.write(`GET /logs/_search HTTP/1.1\r\nHost: es\r\nConnection: ${nominated}\r\n${look}\r\n`);
      assert.equal((await readWhole(client)).head.status, 200);
      const head = origin.received[0]?.head;
      assert.deepEqual([head?.field('x-team'), head?.field('authorization')], ['team-a', secret]);
      assert.equal(head?.field('connection'), undefined);
    });
  }

  it('are on every request of a connection, bodies of all framings and old clients among them', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin);
    const client = await stand.client();
    const all = body(2 * MIB);
    const post = 'POST /logs/_doc HTTP/1.1\r\nHost: es\r\nAuthorization: Basic dXNlcjp1c2Vy\r\n';
    const trailers = 'Authorization: Basic YWRtaW4=\r\nes-security-runas-user: admin\r\nX-Sum: 1\r\n';
    await client.write(`${post}Content-Length: ${all.length}\r\n\r\n`);
    await client.write(all);
    assert.equal((await readWhole(client)).text, digestOf([all]));
    await client.write(`${post}Transfer-Encoding: chunked\r\n\r\n`);
    await client.write(chunked(all, 100_000, trailers));
    assert.equal((await readWhole(client)).text, digestOf([all]));
    await client.write(`${post}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}`);
    assert.equal((await readWhole(client)).head.status, 200);
    await client.write('GET /logs/_search HTTP/1.0\r\nAuthorization: Basic dXNlcjp1c2Vy\r\n\r\n');
    assert.equal((await readWhole(client)).head.status, 200);
    const seen = origin.received.map(({ head }) => [head.field('authorization'), head.field('x-team')]);
    assert.deepEqual(
      seen,
      Array.from({ length: 4 }, () => [secret, 'team-a']),
    );
    assert.doesNotMatch(origin.received[1]?.trailers ?? '', /authorization|runas/i);
  });

  it('leave the credentials of the client alone where the policy sends none', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin);
    const client = await stand.client();
    const credentials =
      'Authorization: Basic dXNlcjp1c2Vy\r\nes-security-runas-user: other\r\nCookie: a=b\r\n';
    await client.write(`GET /_cluster/health HTTP/1.1\r\nHost: es\r\n${credentials}${look}\r\n`);
    assert.equal((await readWhole(client)).head.status, 200);
    const head = origin.received[0]?.head;
    assert.deepEqual(
      ['authorization', 'es-security-runas-user', 'cookie', 'x-team', 'x-debug', 'x-kept'].map((name) =>
        head?.field(name),
      ),
      ['Basic dXNlcjp1c2Vy', 'other', 'a=b', 'team-b', undefined, 'yes'],
    );
  });

  it('come to the node that is tried next as well, and to each node once', async () => {
    await using dead = await Origin.open(async (peer) => peer.destroy());
    await using origin = await Origin.open();
    const nodes = [dead.port, origin.port];
    const ejection = { baseTime: 0, maxTime: 0 };
    await using stand = await PolicyStand.open(kind, { nodes, policies, secrets, ejection });
    using _living = stand.stand.weighDown(origin.port);
    for (let round = 0; round < 8; round++) {
      const client = await stand.client();
      await client.write('GET /logs/_search HTTP/1.1\r\nHost: es\r\n\r\n');
      assert.equal((await readWhole(client)).head.status, 200);
    }
    assert.ok(dead.accepted > 0, 'the node that closes was not tried');
    const seen = origin.received.map(({ head }) => [head.field('authorization'), head.field('x-team')]);
    assert.deepEqual(
      seen,
      Array.from({ length: 8 }, () => [secret, 'team-a']),
    );
  });
});
