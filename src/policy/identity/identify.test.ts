import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { sleep, until, within } from '../../../test/support/deadline.ts';
import {
  AUDIENCE,
  claimsWith,
  headWith,
  ISSUER,
  makeKey,
  troublesTo,
} from '../../../test/support/key-issuer.ts';
import { Gate } from './gate.ts';
import { hashSecret } from './hashes.ts';
import { createIdentity, type Identity, type IdentityLimits, identityLimits } from './identify.ts';
import type { Identified } from './identity.ts';
import { KnownSecrets } from './known-secrets.ts';
import { asymmetricAlgorithms, type IdentityOptions, type TokenIssuer } from './options.ts';

const nothing: IdentityOptions = { tokens: [], users: undefined, apiKeys: undefined };
/** As from a client of this host. */
const by = (name: string, secret: string, address = '127.0.0.1') => ({ name, secret, address });
const base64 = (text: string) => Buffer.from(text).toString('base64');
const basic = (pair: string) => headWith(`Basic ${base64(pair)}`);
const apiKey = (pair: string) => headWith(`ApiKey ${base64(pair)}`);

function told(identified: Identified): string {
  if (identified.kind === 'refused') return `${identified.failure.code}: ${identified.failure.detail}`;
  const principals = identified.principals.map(({ kind, name, verified }) => {
    return `${verified ? 'verified' : 'claimed'} ${kind} ${name}`;
  });
  return principals.join() || 'nobody';
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `${what}: not within 5 s`);
    await sleep(5);
  }
}

const wrongPassword = 'unauthenticated: the user or the password is wrong';

let folder: string;
let users: string;
let apiKeys: string;
let aliceHash: string;
let troubles: string[];
let identity: Identity | undefined;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-identity-'));
  users = join(folder, 'users');
  apiKeys = join(folder, 'api-keys');
  aliceHash = hashSecret('s3cret');
});
after(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  troubles = [];
  writeFileSync(users, `alice:${aliceHash}\n`);
  const digest = createHash('sha256').update('k3y').digest('base64');
  writeFileSync(apiKeys, `id1:$sha256$${digest}\nid2:${aliceHash}\n`);
});
afterEach(() => identity?.close());

async function identityOf(options: Partial<IdentityOptions>, limits: Partial<IdentityLimits> = {}) {
  identity = await createIdentity({ ...nothing, ...options }, troublesTo(troubles), {
    ...identityLimits,
    look: 20,
    ...limits,
  });
  const who = identity;
  return {
    at: (head: ReturnType<typeof headWith>, address = '127.0.0.1') => who.identify(head, address),
    tell: async (head: ReturnType<typeof headWith>, address = '127.0.0.1') =>
      told(await within('the verdict', Promise.resolve(who.identify(head, address)))),
    reload: () => who.reload(),
  };
}

describe('without files or issuers', () => {
  it('credentials are claims for the server to check, and all is known at once', async () => {
    const { at } = await identityOf({});
    const now = (head: ReturnType<typeof headWith>) => {
      const identified = at(head);
      assert.ok(!(identified instanceof Promise));
      return told(identified);
    };
    assert.equal(now(headWith()), 'nobody');
    assert.equal(now(basic('alice:whatever')), 'claimed user alice');
    assert.equal(now(apiKey('id1:whatever')), 'claimed api-key id1');
    for (const value of ['ApiKey YQ==', 'Bearer a.b.c', 'Bearer AAEAAW', 'Negotiate abc', 'x', 'a.b.c']) {
      assert.equal(now(headWith(value)), 'nobody', value);
    }
  });

  it('a user whom the server would find in what is malformed is not nobody', async () => {
    const { tell } = await identityOf({});
    for (const value of [`${base64('bob:x')} more`, `${base64('bob:x')} ${base64('al:y')}`, '%%%', '']) {
      assert.match(await tell(headWith(`Basic ${value}`)), /^(unauthenticated: |nobody$)/);
      if (value !== '')
        assert.equal(
          await tell(headWith(`Basic ${value}`)),
          'unauthenticated: the credentials are not base64',
        );
    }
    assert.equal(
      await tell(headWith(`Basic ${base64('bob:x')}, Bearer a.b.c`)),
      'unauthenticated: the credentials are not base64',
    );
  });
});

describe('with files of hashes', () => {
  it('a known name is verified or refused, an unknown one stays a claim', async () => {
    const { tell } = await identityOf({ users, apiKeys });
    assert.equal(await tell(basic('alice:s3cret')), 'verified user alice');
    assert.equal(await tell(headWith(`bASIC ${base64('alice:s3cret')}`)), 'verified user alice');
    assert.equal(await tell(basic('alice:S3cret')), wrongPassword);
    assert.equal(await tell(basic('alice:')), wrongPassword);
    assert.equal(await tell(basic('alice:s3cret:')), wrongPassword);
    assert.equal(await tell(basic('Alice:s3cret')), 'claimed user Alice');
    assert.equal(await tell(basic('__proto__:x')), 'claimed user __proto__');
    assert.equal(await tell(apiKey('id1:k3y')), 'verified api-key id1');
    assert.equal(await tell(apiKey('id2:s3cret')), 'verified api-key id2');
    assert.equal(await tell(apiKey('id1:s3cret')), 'unauthenticated: the API key is wrong');
    assert.equal(await tell(apiKey('id3:x')), 'claimed api-key id3');
    assert.equal(await tell(apiKey('alice:s3cret')), 'claimed api-key alice');
    assert.equal(await tell(headWith()), 'nobody');
  });

  it('malformed credentials are refused, but only of the scheme that has a file', async () => {
    const { tell } = await identityOf({ users });
    assert.equal(await tell(headWith('Basic %%%')), 'unauthenticated: the credentials are not base64');
    assert.equal(await tell(basic('alice')), 'unauthenticated: the credentials hold no colon');
    assert.equal(await tell(headWith('ApiKey %%%')), 'nobody');
  });

  it('a verdict, right or wrong, is known at once the second time', async () => {
    const { at } = await identityOf({ users });
    for (const [pair, verdict] of [
      ['alice:s3cret', 'verified user alice'],
      ['alice:wrong', wrongPassword],
    ] as const) {
      const [first, meanwhile] = [at(basic(pair)), at(basic(pair))];
      assert.ok(first instanceof Promise && meanwhile instanceof Promise);
      assert.deepEqual([told(await first), told(await meanwhile)], [verdict, verdict]);
      const second = at(basic(pair));
      assert.ok(!(second instanceof Promise));
      assert.equal(told(second), verdict);
    }
  });

  it('a change of the file is seen, verdicts by old lines are forgotten, and a bad one changes nothing', async () => {
    const { tell, reload } = await identityOf({ users });
    assert.equal(await tell(basic('alice:s3cret')), 'verified user alice');
    writeFileSync(users, 'alice:s3cret\n');
    await until('the trouble', () => troubles.length === 1);
    assert.match(troubles[0]!, /users: line 1: it is no hash: .*; what it said before stays in force$/);
    assert.doesNotMatch(troubles[0]!, /s3cret/);
    assert.equal(await tell(basic('alice:s3cret')), 'verified user alice');
    writeFileSync(users, `bob:${aliceHash}\n`);
    reload();
    await eventually('bob', async () => (await tell(basic('bob:s3cret'))) === 'verified user bob');
    assert.equal(await tell(basic('alice:s3cret')), 'claimed user alice');
    assert.equal(troubles.length, 1);
  });

  it('the owner of a name is verified while foes elsewhere guess at it, however many they are', async () => {
    const { tell } = await identityOf({ users }, { secretGate: { atOnce: 2, queue: 8 } });
    for (const [foes, owner] of [
      [['127.0.0.2'], '127.0.0.1'],
      [['2001:db8:0:1::1', '2001:db8:0:1:ffff::7'], '2001:db8:0:2::1'],
    ] as const) {
      const guesses = Array.from({ length: 40 }, (_, at) =>
        tell(basic(`alice:guess ${at} at ${owner}`), foes[at % foes.length]),
      );
      // Each time anew: this is about turns, and not about what is remembered.
      writeFileSync(users, `alice:${hashSecret('s3cret')}\n`);
      assert.equal(await tell(basic('alice:s3cret'), owner), 'verified user alice');
      const outcomes = await Promise.all(guesses);
      assert.ok(outcomes.includes('identity-unavailable: too many credentials are being verified'));
    }
  });

  it('guesses from one source get no more of the processor than their share, and others get their turn', async () => {
    writeFileSync(users, ['alice', 'bob', 'carol'].map((name) => `${name}:${aliceHash}`).join('\n'));
    const { tell } = await identityOf({ users }, { secretGate: { atOnce: 2, queue: 6 } });
    const guesses = (name: string) =>
      Array.from({ length: 50 }, (_, index) => tell(basic(`${name}:guess${index}`), '192.0.2.1'));
    const guessed = [...guesses('alice')];
    const bob = tell(basic('bob:s3cret'), '192.0.2.1');
    guessed.push(...guesses('carol'));
    const owner = tell(basic('alice:s3cret'), '192.0.2.2');
    const verdicts = await Promise.all(guessed);
    const count = (verdict: string) => verdicts.filter((one) => one === verdict).length;
    // Eight in all: bob, alice, and six guesses.
    assert.equal(count(wrongPassword), 6);
    assert.equal(count('identity-unavailable: too many credentials are being verified'), 94);
    assert.deepEqual(await Promise.all([bob, owner]), ['verified user bob', 'verified user alice']);
  });

  it('verdicts are bounded in number and in time, and guesses drive out no right one', async (t) => {
    const limits = { cached: 3, rightFor: 1000, wrongFor: 500 };
    const known = new KnownSecrets('user', limits, new Gate(identityLimits.secretGate));
    assert.equal(known.accept(`alice:${aliceHash}`).kind, 'taken');
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
    assert.equal(told(await known.identify(by('alice', 's3cret'))), 'verified user alice');
    for (let guess = 0; guess < 5; guess++) await known.identify(by('alice', `guess${guess}`));
    assert.equal(known.remembered, 4);
    assert.ok(!(known.identify(by('alice', 's3cret')) instanceof Promise));
    assert.ok(!(known.identify(by('alice', 'guess4')) instanceof Promise));
    t.mock.timers.tick(500);
    assert.ok(known.identify(by('alice', 'guess4')) instanceof Promise);
    t.mock.timers.tick(1000);
    assert.ok(known.identify(by('alice', 's3cret')) instanceof Promise);
  });

  it('a right verdict stays while it is used; a wrong one does not, however often it is tried', async (t) => {
    const limits = { cached: 3, rightFor: 1000, wrongFor: 1000 };
    const known = new KnownSecrets('user', limits, new Gate(identityLimits.secretGate));
    assert.equal(known.accept(`alice:${aliceHash}`).kind, 'taken');
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
    await known.identify(by('alice', 's3cret'));
    await known.identify(by('alice', 'guess'));
    for (let used = 0; used < 5; used++) {
      t.mock.timers.tick(300);
      assert.ok(!(known.identify(by('alice', 's3cret')) instanceof Promise));
      assert.equal(known.identify(by('alice', 'guess')) instanceof Promise, used >= 3);
    }
  });

  it('a file that is read anew forgets verdicts of lines that changed, and of no others', async () => {
    const known = new KnownSecrets('user', identityLimits.secrets, new Gate(identityLimits.secretGate));
    assert.equal(known.accept(`alice:${aliceHash}\nbob:${aliceHash}`).kind, 'taken');
    for (const name of ['alice', 'bob']) await known.identify(by(name, 's3cret'));
    assert.equal(
      known.accept(`# carol is new\ncarol:${aliceHash}\nbob:${hashSecret('s3cret')}\nalice: ${aliceHash}`)
        .kind,
      'taken',
    );
    assert.ok(!(known.identify(by('alice', 's3cret')) instanceof Promise));
    assert.equal(told(await known.identify(by('alice', 's3cret'))), 'verified user alice');
    assert.ok(known.identify(by('bob', 's3cret')) instanceof Promise, 'another hash, another verdict');
    assert.equal(known.accept(`bob:${hashSecret('other')}`).kind, 'taken');
    assert.equal(told(await known.identify(by('bob', 's3cret'))), wrongPassword);
    assert.equal(told(await known.identify(by('alice', 's3cret'))), 'claimed user alice');
  });

  it('a verdict that was on its way when the file changed is worth nothing for another hash', async () => {
    const known = new KnownSecrets('user', identityLimits.secrets, new Gate(identityLimits.secretGate));
    assert.equal(known.accept(`alice:${aliceHash}`).kind, 'taken');
    const underway = known.identify(by('alice', 's3cret'));
    assert.equal(known.accept('').kind, 'taken');
    assert.equal(told(await underway), 'verified user alice');
    assert.equal(told(await known.identify(by('alice', 's3cret'))), 'claimed user alice');
    assert.equal(known.accept(`alice:${hashSecret('another')}`).kind, 'taken');
    assert.equal(told(await known.identify(by('alice', 's3cret'))), wrongPassword);
  });
});

describe('with issuers of tokens', () => {
  const file = () => join(folder, 'keys.json');
  const issuer = (changes: Partial<TokenIssuer> = {}): TokenIssuer => ({
    issuer: ISSUER,
    audiences: [AUDIENCE],
    jwks: { kind: 'file', file: file() },
    algorithms: asymmetricAlgorithms,
    clockTolerance: 0,
    subjectClaim: 'sub',
    ...changes,
  });

  it('a JWT is verified by the keys of its issuer, which are read anew when they change', async () => {
    const [one, two] = await Promise.all([makeKey('EdDSA', 'one'), makeKey('EdDSA', 'two')]);
    writeFileSync(file(), JSON.stringify({ keys: [one.publicJwk] }));
    const { tell } = await identityOf({ tokens: [issuer()], users });
    const bearer = async (key: typeof one) => headWith(`bearer ${await key.sign(claimsWith())}`);
    assert.equal(await tell(await bearer(one)), 'verified token ingest');
    const unlisted = 'unauthenticated: the token is signed with a key that its issuer does not list';
    assert.equal(await tell(await bearer(two)), unlisted);
    writeFileSync(file(), '{');
    await until('the trouble', () => troubles.length === 1);
    assert.equal(troubles[0], `${file()}: it is not JSON; what it said before stays in force`);
    assert.equal(await tell(await bearer(one)), 'verified token ingest');
    writeFileSync(file(), JSON.stringify({ keys: [two.publicJwk] }));
    await eventually('the new key', async () => (await tell(await bearer(two))) !== unlisted);
    assert.equal(await tell(await bearer(one)), unlisted);
  });

  it("Elasticsearch's own bearer tokens pass as nobody's; the other schemes are read as ever", async () => {
    const key = await makeKey('EdDSA', 'one');
    writeFileSync(file(), JSON.stringify({ keys: [key.publicJwk] }));
    const { tell } = await identityOf({ tokens: [issuer()] });
    assert.equal(await tell(headWith('Bearer AAEAAWVsYXN0aWMvZmxlZXQ')), 'nobody');
    assert.equal(await tell(headWith('Bearer a.b.c.d.e')), 'nobody');
    for (const value of ['a.b.c', 'a.b.c=', 'bearer a.b.c', '"a.b.c"', 'a.b.c d', 'a.b. c']) {
      assert.equal(await tell(headWith(`Bearer ${value}`)), 'unauthenticated: the token is malformed', value);
    }
    const genuine = await key.sign(claimsWith());
    for (const value of [
      genuine,
      `x bearer ${genuine}`,
      `ApiKey YTpi bearer ${genuine}`,
      `Xbearer ${genuine}`,
      `Bearer\t${genuine}`,
      `x, BEARER ${genuine}`,
    ]) {
      const verdict = await tell(headWith(value));
      if (value.startsWith('Bearer\t')) assert.equal(verdict, 'nobody', 'no server takes it');
      else assert.equal(verdict, 'unauthenticated: a token stands where none belongs', value);
    }
    assert.equal(await tell(basic('alice:x')), 'claimed user alice');
  });

  it('one that would be no protection stops the start, and says why', async () => {
    const url = (text: string) => ({ kind: 'url', url: text }) as const;
    for (const [tokens, why] of [
      [[issuer({ algorithms: ['RS256', 'HS256'] })], /algorithm HS256 is none of RS256, /],
      [[issuer({ algorithms: ['none'] })], /algorithm none is none of/],
      [[issuer({ algorithms: [] })], /has no algorithm/],
      [[issuer({ audiences: [] })], /without an audience/],
      [[issuer({ issuer: '' })], /its name, as `iss` says it, is missing/],
      [[issuer(), issuer()], /given twice/],
      [[issuer({ jwks: url('http://issuer.test/keys') })], /must be https/],
      [[issuer({ jwks: url('http://127.0.0.1.issuer.test/keys') })], /must be https/],
      [[issuer({ jwks: url('https://me:secret@issuer.test/keys') })], /without user or password/],
      [[issuer({ jwks: url('file:///etc/passwd') })], /must be https/],
      [[issuer({ jwks: url('nonsense') })], /must be https/],
      [[issuer({ jwks: { kind: 'file', file: join(folder, 'missing') } })], /missing: unreadable: ENOENT/],
    ] as const) {
      await assert.rejects(identityOf({ tokens }), why);
    }
    await assert.rejects(identityOf({ users: join(folder, 'missing') }), /missing: unreadable: ENOENT/);
  });
});
