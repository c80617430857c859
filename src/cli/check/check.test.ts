/** What `sluice check` finds that can't work on this machine, or is dangerous: each with its place and its fix. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { patience } from '../../../test/support/deadline.ts';
import type { Config } from '../../config/config.ts';
import type { Told } from '../told.ts';
import { type CheckFlags, check } from './check.ts';
import { tooManyConnections } from './machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-check-'));
after(() => rmSync(folder, { recursive: true }));
const options = { timeout: patience };

let written = 0;
/** A file of that content under the folder; its name. */
function file(content: string, name = `file-${++written}.yaml`): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const least = 'upstream: { nodes: [http://127.0.0.1:9201] }\n';

/** Checks a configuration of that content; its own name is left out of what is told. */
async function checked(content: string, flags: Omit<CheckFlags, 'files'> = {}): Promise<Told> {
  const path = file(content);
  const { code, out, err } = await check({ files: [path], ...flags });
  const short = (line: string) => line.replaceAll(`${path}:`, '').replaceAll(`${folder}/`, '');
  return { code, out: out.map(short), err: err.map(short) };
}

const policy = (spec: string) =>
  `apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: { name: p }\nspec:\n${spec}`;

describe('what can not work on this machine is found before the start', () => {
  const line = 'admin:plain-text-password\n';
  const cases: readonly (readonly [hazard: string, content: string, problem: RegExp])[] = [
    [
      'a users file that is not there',
      'identity: { users: { file: nobody } }\npolicies: { sources: [{ path: p }] }\n',
      /^2:28: identity\.users\.file: nobody: unreadable: ENOENT; /,
    ],
    [
      'a users file that is not one, without a word of what it holds',
      `identity: { users: { file: ${file(line)} } }\npolicies: { sources: [{ path: p }] }\n`,
      /^2:28: identity\.users\.file: file-\d+\.yaml: line 1: (?!.*plain-text-password).*; /,
    ],
    [
      'a file of API keys that is not there',
      'identity: { apiKeys: { file: none } }\npolicies: { sources: [{ path: p }] }\n',
      /^2:30: identity\.apiKeys\.file: none: unreadable: ENOENT; /,
    ],
    [
      'keys of an issuer that are not there',
      'identity: { tokens: [{ issuer: a, audiences: [b], jwksFile: keys.json }] }\npolicies: { sources: [{ path: p }] }\n',
      /^2:61: identity\.tokens\[0\]\.jwksFile: keys\.json: unreadable: ENOENT; /,
    ],
    [
      'a token file that is not there',
      'policies: { sources: [{ path: p }, { url: https://a/p, tokenFile: token }] }\n',
      /^2:67: policies\.sources\[1\]\.tokenFile: token can't be read \(ENOENT\); /,
    ],
    [
      'a directory of secrets that is not there',
      'policies: { sources: [{ path: p }], secrets: { directory: secrets } }\n',
      /^2:59: policies\.secrets\.directory: secrets is no directory; /,
    ],
    [
      'a log in a directory that is not there',
      'accessLog: { destination: logs/access.log }\n',
      /^2:27: accessLog\.destination: logs\/access\.log can't be written \(ENOENT\); make logs /,
    ],
    [
      'a log that is a directory',
      `accessLog: { destination: ${folder} }\n`,
      /^2:27: accessLog\.destination: .* is a directory; /,
    ],
    [
      'a name that does not resolve',
      'clusters: { cold: { nodes: [http://no-such-host.invalid] } }\n',
      /^2:29: clusters\.cold\.nodes\[0\]: the name no-such-host\.invalid does not resolve on this machine; /,
    ],
  ];
  file(policy('  action: deny\n'), 'p');
  for (const [hazard, content, problem] of cases) {
    test(hazard, options, async () => {
      const { code, out, err } = await checked(`${least}${content}`);
      const problems = err.filter(
        (found) => !found.includes(': warning: ') && !found.endsWith('not looked at'),
      );
      assert.equal(problems.length, 1, err.join('\n'));
      assert.match(problems[0] ?? '', problem);
      assert.notEqual(code, 0);
      assert.deepEqual(out, []);
      const static_ = await checked(`${least}${content}`, { static: true });
      assert.equal(static_.code, 0, static_.err.join('\n'));
    });
  }

  const algorithms = '/proc/sys/net/ipv4/tcp_available_congestion_control';
  test('a congestion control that the kernel has not, in any leg', {
    ...options,
    skip: existsSync(algorithms) ? false : 'this system does not list its algorithms',
  }, async () => {
    const socket = 'socket: { congestionControl: hybla2 }';
    const { code, err } = await checked(
      `listen: { address: '127.0.0.1:0', ${socket} }\nupstream: { nodes: [http://127.0.0.1:9201], ${socket} }\n`,
    );
    assert.notEqual(code, 0);
    assert.match(
      err[0] ?? '',
      /^1:64: listen\.socket\.congestionControl: this kernel has no hybla2; write one of /,
    );
    assert.match(err[1] ?? '', /^2:74: upstream\.socket\.congestionControl: this kernel has no hybla2; /);
  });

  test('all of it at once, with what is wrong in the policies', options, async () => {
    file(policy('  action: alow\n'), 'wrong/p.yaml');
    const { err } = await checked(
      `${least}identity: { users: { file: nobody } }\naccessLog: { destination: logs/a }\npolicies: { sources: [{ path: wrong }] }\n`,
    );
    const paths = err.map((found) => found.split(': ')[1]);
    assert.deepEqual(paths, ['identity.users.file', 'accessLog.destination', 'spec.action']);
  });
});

describe('what works and is dangerous, or without effect, is a warning', () => {
  const cases: readonly (readonly [hazard: string, content: string, warning: RegExp])[] = [
    [
      'certificates that nobody verifies',
      'upstream: { nodes: [https://127.0.0.1:9201], tls: { verify: false } }\n',
      /^1:61: warning: upstream\.tls\.verify: whoever is on the way can pass for these nodes /,
    ],
    [
      'a node that is the proxy itself',
      "listen: { address: '0.0.0.0:9207' }\nupstream: { nodes: [http://127.0.0.1:9207] }\n",
      /^2:21: warning: upstream\.nodes\[0\]: 127\.0\.0\.1:9207 is where this proxy listens: /,
    ],
    [
      'a node that is the proxy itself, by name',
      "listen: { address: '127.0.0.1:9207' }\nupstream: { nodes: [http://localhost:9207] }\n",
      /^2:21: warning: upstream\.nodes\[0\]: localhost:9207 is where this proxy listens: /,
    ],
    [
      'a node that is the admin address of the proxy',
      "admin: { address: '127.0.0.1:9208' }\nupstream: { nodes: [http://127.0.0.1:9208] }\n",
      /^2:21: warning: upstream\.nodes\[0\]: 127\.0\.0\.1:9208 is the admin address of this proxy/,
    ],
    [
      'everything allowed until policies are read',
      `${least}policies: { sources: [{ path: p }], onStart: allow }\n`,
      /^2:46: warning: policies\.onStart: everything is allowed until /,
    ],
    [
      'a client that may name any address as its own',
      `${least}forwarded: { trust: all }\n`,
      /^2:21: warning: forwarded\.trust: whoever reaches a listener can pass for any client /,
    ],
    [
      'a network that is everybody',
      `${least}forwarded: { trust: ['::/0'] }\n`,
      /^2:21: warning: forwarded\.trust: whoever reaches a listener can pass for any client /,
    ],
    [
      'principals that no policy asks for',
      `${least}identity: { users: { file: ${file('')} } }\n`,
      /^2:11: warning: identity: nobody is verified where there are no policies; /,
    ],
    [
      'more clients than the limit of open files allows',
      `${least}listen: { address: '127.0.0.1:0', maxConnections: 9000000 }\n`,
      /^2:51: warning: listen(\[0\])?\.maxConnections: 9000000 clients and their upstream connections are more than /,
    ],
    [
      'a cluster that nothing routes to',
      `${least}clusters: { hot: { nodes: [http://127.0.0.1:9202] } }\n`,
      /^2:11: warning: clusters: no request goes there where there are no policies; /,
    ],
  ];
  for (const [hazard, content, warning] of cases) {
    test(hazard, options, async () => {
      const { code, out, err } = await checked(content);
      assert.equal(code, 0, err.join('\n'));
      assert.deepEqual([err.length, out.length], [1, 1], err.join('\n'));
      assert.match(err[0] ?? '', warning);
      assert.match(out[0] ?? '', /warnings: 1\)$/);
      assert.notEqual((await checked(content, { strict: true })).code, 0);
    });
  }
});

describe('a policy that asks for principals whom nobody verifies', () => {
  const asks = (principals: string) => policy(`  action: deny\n  match: { principals: [${principals}] }\n`);
  const users = file('');
  const cases: readonly (readonly [asked: string, identity: string, problem: RegExp | undefined])[] = [
    [
      '{ users: [a] }',
      '{}',
      /users: the proxy verifies no users; add identity\.users to sluice\.yaml, or write claimedUsers$/,
    ],
    ['{ users: [a] }', `{ users: { file: ${users} } }`, undefined],
    ['{ claimedUsers: [a] }', '{}', undefined],
    ['{ apiKeys: [a] }', `{ users: { file: ${users} } }`, /apiKeys: the proxy verifies no API keys; /],
    ['{ token: { subjects: [a] } }', '{}', /token: the proxy verifies no tokens; add identity\.tokens /],
    [
      '{ token: { issuer: https://b/ } }',
      '{ tokens: [{ issuer: https://a/, audiences: [x], jwksUrl: https://a/keys }] }',
      /token\.issuer: the proxy trusts no issuer "https:\/\/b\/"; write one of https:\/\/a\/, /,
    ],
    [
      '{ token: { issuer: https://a/ } }',
      '{ tokens: [{ issuer: https://a/, audiences: [x], jwksUrl: https://a/keys }] }',
      undefined,
    ],
  ];
  for (const [asked, identity, problem] of cases) {
    test(
      `${asked} beside ${identity.replace(folder, '')} is ${problem ? 'refused' : 'right'}`,
      options,
      async () => {
        const source = file(asks(asked));
        const config = file(`${least}identity: ${identity}\npolicies: { sources: [{ path: ${source} }] }\n`);
        for (const flags of [{ files: [config] }, { files: [source], config }]) {
          const { code, err } = await check(flags);
          if (problem === undefined) assert.deepEqual([code, err], [0, []]);
          else {
            assert.notEqual(code, 0);
            assert.ok(err.length > 0 && err.every((found) => problem.test(found)), err.join('\n'));
          }
        }
        // Without a configuration nobody knows, and anybody will do.
        assert.equal((await check({ files: [source] })).code, 0);
      },
    );
  }
});

test('a configuration given by -c is checked, whatever else is', options, async () => {
  const right = file(least);
  const wrong = file(`${least}transport: fast\n`);
  const { code, err } = await check({ files: [right], config: wrong });
  assert.notEqual(code, 0);
  assert.match(err.join('\n'), /:2:12: transport: /);
  const policies = file(policy('  action: deny\n'));
  const mistaken = await check({ files: [right], config: policies });
  assert.notEqual(mistaken.code, 0);
  assert.match(mistaken.err.join('\n'), /:1:1: apiVersion: there is no such setting/);
  const both = await check({ files: [right], config: right });
  assert.deepEqual([both.code, both.out.length], [0, 1]);
});

test('a default number of clients is found wanting only where few are left', () => {
  const listen = { maxConnections: 20_000, backlog: 4096 };
  const warned = (limit: number | undefined, maxConnections = listen.maxConnections) =>
    tooManyConnections(
      { listen: [{ ...listen, maxConnections }], transport: 'auto' } as unknown as Config,
      limit,
    ).length;
  assert.deepEqual(
    [1024, 4096, 20_000, 100_000, undefined].map((limit) => warned(limit)),
    [1, 0, 0, 0, 0],
  );
  assert.deepEqual([warned(20_000, 15_000), warned(20_000, 9000)], [1, 0]);
});

test('the nodes of all clusters are counted', options, async () => {
  const { out } = await checked(
    `${least}clusters: { a: { nodes: [http://127.0.0.1:1, http://127.0.0.1:2] }, b: { nodes: [http://127.0.0.1:3] } }\npolicies: { sources: [{ path: p }] }\n`,
  );
  assert.match(
    out.join('\n'),
    / right \(listeners: 1, clusters: 3, nodes: 4, policies: 1, tests: 0, warnings: 0\)$/,
  );
});
