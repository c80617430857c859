import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { exportSPKI, importJWK } from 'jose';
import { createLocalJWKSet } from 'jose/jwks/local';
import { jwtVerify } from 'jose/jwt/verify';
import { within } from '../../../test/support/deadline.ts';
import {
  AUDIENCE,
  claimsWith,
  ISSUER,
  makeKey,
  type SigningKey,
  seconds,
} from '../../../test/support/key-issuer.ts';
import { Gate } from './gate.ts';
import { KeySet } from './key-set.ts';
import { asymmetricAlgorithms, type TokenIssuer } from './options.ts';
import { jwtness, Tokens } from './tokens.ts';

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const ofFile: TokenIssuer = {
  issuer: ISSUER,
  audiences: [AUDIENCE, 'other'],
  jwks: { kind: 'file', file: 'keys.json' },
  algorithms: asymmetricAlgorithms,
  clockTolerance: 5000,
  subjectClaim: 'sub',
};

let rsa: SigningKey;
let ec: SigningKey;
let ed: SigningKey;
before(async () => {
  rsa = await makeKey('RS256', 'rsa');
  ec = await makeKey('ES256', 'ec');
  ed = await makeKey('EdDSA', 'ed');
});

/** Tokens of one issuer, whose keys are `keys`. */
function tokensOf(
  keys: readonly unknown[],
  { issuer = ofFile, cached = 4096, cachedCharacters = 4_000_000, queue = 1024 } = {},
) {
  const tokens = new Tokens(jwtVerify, { cached, cachedCharacters }, new Gate({ atOnce: 2, queue }));
  const set = new KeySet(createLocalJWKSet, () => tokens.forget());
  assert.equal(set.accept(JSON.stringify({ keys })).kind, 'taken');
  tokens.trust([{ ...issuer, keys: set }]);
  return { tokens, set };
}

async function outcome(tokens: Tokens, token: string): Promise<string> {
  assert.equal(jwtness(token), 'jwt');
  const identified = await within('the verdict', Promise.resolve(tokens.identify(token, '127.0.0.1')));
  if (identified.kind === 'refused') {
    const { code, detail } = identified.failure;
    for (const piece of token.split('.')) if (piece.length > 8) assert.ok(!detail.includes(piece));
    return `${code}: ${detail}`;
  }
  return identified.principals.map(({ kind, name, verified }) => `${kind} ${name} ${verified}`).join();
}

const genuine = 'token ingest true';
const no = (detail: string) => `unauthenticated: ${detail}`;

describe('a token', () => {
  it('that is genuine, meant for us and of today names its subject and says what it claims', async () => {
    const { tokens } = tokensOf([rsa.publicJwk, ec.publicJwk, ed.publicJwk]);
    for (const key of [rsa, ec, ed]) {
      const token = await key.sign(
        claimsWith({ groups: ['a', 'b'], aud: ['x', 'other'], nbf: seconds(-10) }),
      );
      const identified = await tokens.identify(token, '127.0.0.1');
      assert.equal(identified.kind, 'identified');
      const principal = identified.kind === 'identified' ? identified.principals[0] : undefined;
      assert.deepEqual(
        { ...principal, claims: undefined },
        { kind: 'token', name: 'ingest', verified: true, issuer: ISSUER, claims: undefined },
      );
      assert.deepEqual(principal?.claims?.groups, ['a', 'b']);
      assert.equal(principal?.claims?.constructor, undefined);
    }
  });

  it('is refused for its time, its audience, its issuer, and claims that are missing or of a wrong type', async () => {
    const { tokens } = tokensOf([ed.publicJwk]);
    const cases: [Record<string, unknown>, string][] = [
      [{ exp: seconds(-6) }, 'the token has expired'],
      [{ exp: undefined }, 'the token says no time at which it expires'],
      [{ exp: '9999999999' }, 'a claim of the token is malformed'],
      [{ nbf: seconds(10) }, 'the token is not valid yet'],
      [{ nbf: 'now' }, 'a claim of the token is malformed'],
      [{ aud: 'Sluice' }, 'the token is meant for another audience'],
      [{ aud: ['sluice2', 'x'] }, 'the token is meant for another audience'],
      [{ aud: { sluice: true } }, 'the token is meant for another audience'],
      [{ aud: undefined }, 'the token names no audience'],
      [{ iss: 'https://issuer.test' }, 'the token is of an issuer that is not known here'],
      [{ iss: '__proto__' }, 'the token is of an issuer that is not known here'],
      [{ iss: undefined }, 'the token is malformed'],
      [{ iss: [ISSUER] }, 'the token is malformed'],
      [{ sub: undefined }, 'the token does not say whose it is'],
      [{ sub: '' }, 'the token does not say whose it is'],
      [{ sub: 7 }, 'the token does not say whose it is'],
      [{ sub: 'a\nb' }, 'the token does not say whose it is'],
      [{ sub: 'x'.repeat(257) }, 'the token does not say whose it is'],
    ];
    for (const [claims, detail] of cases) {
      assert.equal(
        await outcome(tokens, await ed.sign(claimsWith(claims))),
        no(detail),
        JSON.stringify(claims),
      );
    }
    // Clocks may differ by five seconds.
    assert.equal(
      await outcome(tokens, await ed.sign(claimsWith({ exp: seconds(-3), nbf: seconds(3) }))),
      genuine,
    );
  });

  it('that would never expire, or says times that are none, is refused', async () => {
    const { tokens } = tokensOf([ed.publicJwk]);
    const wrong = no('a time that the token says is none');
    const now = seconds(0);
    for (const [text, detail] of [
      ['"exp":1e400', wrong],
      ['"exp":1e300', wrong],
      ['"exp":9007199254740993', wrong],
      [`"exp":${(now + 60) * 1000}`, wrong],
      ['"exp":253402300800', wrong],
      ['"exp":-1e400', no('the token has expired')],
      ['"exp":-1', no('the token has expired')],
      ['"exp":0', no('the token has expired')],
      ['"exp":-0', no('the token has expired')],
      ['"exp":null', no('a claim of the token is malformed')],
      ['"exp":[1e400]', no('a claim of the token is malformed')],
      // The last one of a name counts, for jose and for Sluice.
      [`"exp":${now + 60},"exp":1e400`, wrong],
      [`"exp":${now + 60},"nbf":-1e400`, wrong],
      [`"exp":${now + 60},"nbf":-1`, wrong],
      [`"exp":${now + 60},"nbf":1e400`, no('the token is not valid yet')],
      [`"exp":${now + 60},"iat":1e400`, wrong],
      [`"exp":${now + 60},"iat":-1`, wrong],
      [`"exp":${now + 60},"iat":"now"`, no('a claim of the token is malformed')],
      ['"exp":253402300799', genuine],
      [`"exp":1e400,"exp":${now + 60}`, genuine],
      [`"exp":${now + 60}.5,"iat":${now}.25,"nbf":0`, genuine],
    ] as const) {
      const payload = `{"iss":"${ISSUER}","aud":"${AUDIENCE}","sub":"ingest",${text}}`;
      assert.equal(await outcome(tokens, await ed.signText(payload)), detail, text);
    }
    assert.equal(tokens.remembered, 3);
  });

  it('is known by the claim that the operator names', async () => {
    const { tokens } = tokensOf([ed.publicJwk], { issuer: { ...ofFile, subjectClaim: 'client_id' } });
    const token = await ed.sign(claimsWith({ sub: 'x', client_id: 'team-a' }));
    assert.equal(await outcome(tokens, token), 'token team-a true');
  });

  it('without a signature, or with one by HMAC, is refused, the public key as its secret included', async () => {
    const { tokens } = tokensOf([rsa.publicJwk, { kty: 'oct', k: part('secret'), kid: 'oct', alg: 'HS256' }]);
    const refusal = no('the token is not signed with an algorithm that is allowed for its issuer');
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
      const unsigned = `${part({ alg })}.${part(claimsWith())}.`;
      assert.equal(await outcome(tokens, unsigned), refusal, alg);
      const signed = await rsa.sign(claimsWith());
      assert.equal(await outcome(tokens, unsigned + signed.split('.')[2]), refusal, alg);
    }
    const spki = await exportSPKI(
      (await importJWK(rsa.publicJwk, 'RS256')) as Parameters<typeof exportSPKI>[0],
    );
    for (const [kid, secret] of [
      ['rsa', spki],
      ['rsa', spki.trim()],
      ['rsa', JSON.stringify(rsa.publicJwk)],
      ['rsa', Buffer.from(rsa.publicJwk.n!, 'base64url')],
      ['oct', Buffer.from(part('secret'), 'base64url')],
    ] as const) {
      const text = `${part({ alg: 'HS256', kid })}.${part(claimsWith())}`;
      const mac = createHmac('sha256', secret).update(text).digest('base64url');
      assert.equal(await outcome(tokens, `${text}.${mac}`), refusal);
    }
  });

  it('must be signed by the key of its issuer that it names, with the algorithm of that key', async () => {
    const { tokens } = tokensOf([rsa.publicJwk, ec.publicJwk]);
    const strange = await makeKey('RS256', 'rsa');
    const wrong = no('the signature of the token is wrong');
    const unlisted = no('the token is signed with a key that its issuer does not list');
    assert.equal(await outcome(tokens, await strange.sign(claimsWith())), wrong);
    assert.equal(await outcome(tokens, await strange.sign(claimsWith(), { jwk: strange.publicJwk })), wrong);
    for (const kid of ['strange', '', '../../../../dev/null', "' OR '1'='1", '__proto__', 'x'.repeat(4000)]) {
      const header = { kid, jwk: strange.publicJwk, jku: 'http://127.0.0.1:1/keys' };
      assert.equal(await outcome(tokens, await strange.sign(claimsWith(), header)), unlisted, kid);
    }
    // The key is of another algorithm.
    assert.equal(await outcome(tokens, await rsa.sign(claimsWith(), { kid: 'ec' })), unlisted);
    const [header, payload, signature] = (await rsa.sign(claimsWith())).split('.') as [
      string,
      string,
      string,
    ];
    assert.equal(
      await outcome(tokens, `${header}.${part(claimsWith({ sub: 'admin' }))}.${signature}`),
      wrong,
    );
    assert.equal(await outcome(tokens, `${header}.${payload}.${signature.slice(4)}`), wrong);
    assert.equal(await outcome(tokens, `${header}.${payload}.`), wrong);
    const asPss = `${part({ alg: 'PS256', kid: 'rsa' })}.${payload}.${signature}`;
    assert.equal(await outcome(tokens, asPss), unlisted);
    const kidOfNoText = `${part({ alg: 'RS256', kid: { a: 1 } })}.${payload}.${signature}`;
    assert.equal(await outcome(tokens, kidOfNoText), no('the token is malformed'));
  });

  it('is refused where its algorithm is not one that the operator allows', async () => {
    const { tokens } = tokensOf([rsa.publicJwk, ec.publicJwk], {
      issuer: { ...ofFile, algorithms: ['ES256'] },
    });
    assert.equal(await outcome(tokens, await ec.sign(claimsWith())), genuine);
    const refusal = no('the token is not signed with an algorithm that is allowed for its issuer');
    assert.equal(await outcome(tokens, await rsa.sign(claimsWith())), refusal);
  });

  it('without a key id is checked with the only key that fits, and refused where several do', async () => {
    const other = await makeKey('RS256', 'other');
    const bare = (key: SigningKey) => key.sign(claimsWith(), { kid: undefined } as never);
    assert.equal(await outcome(tokensOf([rsa.publicJwk, ec.publicJwk]).tokens, await bare(rsa)), genuine);
    assert.equal(
      await outcome(tokensOf([rsa.publicJwk, other.publicJwk]).tokens, await bare(rsa)),
      no('the token does not name its key, and several of its issuer fit'),
    );
  });

  it('is refused where its key is too weak or broken', async () => {
    const refusal = no("the issuer's key that the token names can not be used");
    const { n } = rsa.publicJwk;
    const weak = { ...rsa.publicJwk, n: n!.slice(0, 171) };
    const broken = { ...ec.publicJwk, x: 'AAAA' };
    const { tokens } = tokensOf([weak, broken]);
    assert.equal(await outcome(tokens, await rsa.sign(claimsWith())), refusal);
    assert.equal(await outcome(tokens, await ec.sign(claimsWith())), refusal);
  });

  it('with an extension that it calls critical is refused', async () => {
    const { tokens } = tokensOf([ed.publicJwk]);
    const extended = await ed.sign(claimsWith(), { crit: ['urn:test'], 'urn:test': 1 });
    assert.equal(await outcome(tokens, extended), no('the token demands an extension that is not supported'));
    const [, payload, signature] = extended.split('.');
    for (const crit of [[], 'b64', [7], { b64: true }, ['urn:missing']]) {
      const header = part({ alg: 'EdDSA', kid: 'ed', crit });
      assert.match(await outcome(tokens, `${header}.${payload}.${signature}`), /malformed|not supported/);
    }
  });

  it('that is malformed or longer than 8 KiB is refused before anything is computed', async () => {
    const { tokens } = tokensOf([ed.publicJwk]);
    const malformed = [
      'a.b.c',
      `${part(null)}.${part(null)}.x`,
      `${part([])}.${part('x')}.x`,
      `${part(7)}.e30.`,
    ];
    for (const token of [...malformed, `${part({ alg: 'EdDSA' })}.${part([ISSUER])}.x`]) {
      const identified = tokens.identify(token, '127.0.0.1');
      assert.ok(!(identified instanceof Promise));
      assert.equal(await outcome(tokens, token), no('the token is malformed'), token);
    }
    const large = await ed.sign(claimsWith({ more: 'x'.repeat(6000) }));
    assert.ok(large.length > 8192);
    assert.ok(!(tokens.identify(large, '127.0.0.1') instanceof Promise));
    assert.equal(await outcome(tokens, large), no('the token is longer than 8192 characters'));
  });

  it('only looks like one with three parts, and is broken where these are not base64url', () => {
    for (const token of ['AAEAAWVsYXN0aWMv', 'a.b', 'a.b.c.d.e', '.b.c.', '']) {
      assert.equal(jwtness(token), 'other', token);
    }
    for (const token of ['a..c', '.b.c', 'a.b+.c', 'a.b.c=', 'a. b.c', 'a.b.c d', 'bearer a.b.c']) {
      assert.equal(jwtness(token), 'broken', token);
    }
  });
});

describe('tokens that were verified', () => {
  it('are known at once, until they expire', async (t) => {
    const { tokens } = tokensOf([ed.publicJwk], { issuer: { ...ofFile, clockTolerance: 0 } });
    const token = await ed.sign(claimsWith({ exp: seconds(60) }));
    const [one, two] = [tokens.identify(token, '127.0.0.1'), tokens.identify(token, '127.0.0.1')];
    assert.equal(one, two, 'one verification for both');
    assert.equal(await outcome(tokens, token), genuine);
    assert.ok(!(tokens.identify(token, '127.0.0.1') instanceof Promise));
    assert.equal(tokens.remembered, 1);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 });
    const late = tokens.identify(token, '127.0.0.1');
    assert.ok(late instanceof Promise);
    const verdict = await late;
    assert.equal(verdict.kind === 'refused' && verdict.failure.detail, 'the token has expired');
    assert.equal(tokens.remembered, 0);
  });

  it('are bounded: 10,000 of them leave no more than the limit, in number and in characters', async () => {
    const { tokens } = tokensOf([ed.publicJwk], { cached: 500 });
    const heavy = tokensOf([ed.publicJwk], { cachedCharacters: 100_000 }).tokens;
    for (let batch = 0; batch < 100; batch++) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const token = await ed.sign(claimsWith({ sub: `s${batch}-${index}` }));
          await tokens.identify(token, '127.0.0.1');
          if (batch < 10) await heavy.identify(token, '127.0.0.1');
        }),
      );
    }
    assert.equal(tokens.remembered, 500);
    assert.ok(heavy.remembered > 100 && heavy.remembered < 500, `${heavy.remembered}`);
  });

  it('refused ones are not kept', async () => {
    const { tokens } = tokensOf([ed.publicJwk]);
    for (let index = 0; index < 10; index++)
      await outcome(tokens, await ed.sign(claimsWith({ aud: `${index}` })));
    assert.equal(tokens.remembered, 0);
  });

  it('are forgotten when the keys change, those in the middle of it included', async () => {
    const { tokens, set } = tokensOf([ed.publicJwk]);
    const early = await ed.sign(claimsWith({ sub: 'early' }));
    assert.equal(await outcome(tokens, early), 'token early true');
    const late = await ed.sign(claimsWith({ sub: 'late' }));
    const underway = tokens.identify(late, '127.0.0.1');
    assert.equal(set.accept(JSON.stringify({ keys: [ec.publicJwk] })).kind, 'taken');
    assert.equal((await underway).kind, 'identified', 'by the keys that were there when it came');
    assert.equal(tokens.remembered, 0);
    for (const token of [early, late]) {
      assert.match(await outcome(tokens, token), /a key that its issuer does not list/);
    }
  });

  it('more at once than can be verified are answered 503, not queued for ever', async () => {
    const { tokens } = tokensOf([ed.publicJwk], { queue: 3 });
    const signed = await Promise.all(
      Array.from({ length: 20 }, (_, index) => ed.sign(claimsWith({ sub: `${index}` }))),
    );
    const verdicts = await Promise.all(signed.map((token) => outcome(tokens, token)));
    const busy = verdicts.filter((one) => one === 'identity-unavailable: too many tokens are being verified');
    assert.equal(busy.length, 15);
    assert.equal(await outcome(tokens, signed[19]!), 'token 19 true');
  });
});

describe('a document of keys', () => {
  let set: KeySet;
  let changes = 0;
  before(() => {
    set = new KeySet(createLocalJWKSet, () => changes++);
  });
  after(() => assert.equal(changes, 1));

  it('that is none, too long, or tells a private key is refused, and the keys of before stay', async () => {
    assert.equal(set.accept(JSON.stringify({ keys: [ed.publicJwk] })).kind, 'taken');
    for (const [text, why] of [
      ['', 'it is not JSON'],
      ['<html>', 'it is not JSON'],
      ['null', 'it is no JWKS: `{"keys": [...]}` belongs here'],
      ['[]', 'it is no JWKS: `{"keys": [...]}` belongs here'],
      ['{"keys": [7]}', 'it is no JWKS: `{"keys": [...]}` belongs here'],
      [JSON.stringify({ keys: Array(65).fill(ed.publicJwk) }), 'it holds more than 64 keys'],
      [
        JSON.stringify({ keys: [{ ...ed.publicJwk, d: 'AA' }] }),
        'it holds a private key, which is private no longer: replace it',
      ],
    ] as const) {
      assert.deepEqual(set.accept(text), { kind: 'wrong', wrong: why });
    }
    assert.equal((await set.find({ alg: 'EdDSA', kid: 'ed' })).kind, 'key');
  });

  it('that is the same as before changes nothing', () => {
    const again = set.accept(JSON.stringify({ keys: [ed.publicJwk] }));
    assert.deepEqual(again, { kind: 'taken', entries: 1, same: true });
  });
});
