import assert from 'node:assert/strict';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { makeCertificates } from '../../../test/support/certificates.ts';
import { sleep, until, within } from '../../../test/support/deadline.ts';
import {
  AUDIENCE,
  claimsWith,
  headWith,
  ISSUER,
  KeyServer,
  makeKey,
  type SigningKey,
  troublesTo,
} from '../../../test/support/key-issuer.ts';
import { createIdentity, type Identity, identityLimits } from './identify.ts';
import { asymmetricAlgorithms } from './options.ts';
import type { IdentityEvent } from './taken.ts';

const times = { every: 600_000, retry: 40, cooldown: 250 };
const fetch = { timeout: 1000, maxBytes: 20_000 };

let one: SigningKey;
let two: SigningKey;
before(async () => {
  [one, two] = await Promise.all([makeKey('ES256', 'one'), makeKey('ES256', 'two')]);
});

describe('keys from a URL', () => {
  let server: KeyServer;
  let identity: Identity | undefined;
  let troubles: string[];
  let read: IdentityEvent[];
  const trust = async (url: string, keys = times) => {
    identity = await createIdentity(
      {
        tokens: [
          {
            issuer: ISSUER,
            audiences: [AUDIENCE],
            jwks: { kind: 'url', url },
            algorithms: asymmetricAlgorithms,
            clockTolerance: 0,
            subjectClaim: 'sub',
          },
        ],
        users: undefined,
        apiKeys: undefined,
      },
      (event) => (event.kind === 'read' ? read.push(event) : troublesTo(troubles)(event)),
      { ...identityLimits, keys, fetch },
    );
  };
  const outcome = async (token: string): Promise<string> => {
    const verdict = Promise.resolve(identity!.identify(headWith(`Bearer ${token}`), '127.0.0.1'));
    const identified = await within('the verdict', verdict);
    return identified.kind === 'refused' ? identified.failure.code : (identified.principals[0]?.name ?? '');
  };
  const strange = (index: number) => two.sign(claimsWith(), { kid: `strange-${index}` });

  beforeEach(async () => {
    troubles = [];
    read = [];
    server = await KeyServer.open(one);
  });
  afterEach(async () => {
    identity?.close();
    await server.close().catch(() => undefined);
  });

  it('are fetched at start, and the first token waits for them', async () => {
    const { answer } = server;
    server.answer = (response, request) => setTimeout(() => answer(response, request), 50);
    await trust(server.url);
    assert.equal(await outcome(await one.sign(claimsWith())), 'ingest');
    assert.equal(server.asked, 1);
  });

  it('that were rotated are fetched for the first token that names the new one', async () => {
    await trust(server.url);
    assert.equal(await outcome(await one.sign(claimsWith())), 'ingest');
    server.list(one, two);
    await sleep(times.cooldown);
    assert.equal(await outcome(await two.sign(claimsWith())), 'ingest');
    assert.equal(server.asked, 2);
  });

  it('are not fetched more often than the cooldown allows, whatever strangers name', async () => {
    const tokens = await Promise.all(Array.from({ length: 200 }, (_, index) => strange(index)));
    const cooldown = 1500;
    await trust(server.url, { ...times, cooldown });
    assert.equal(await outcome(await one.sign(claimsWith())), 'ingest');
    const judge = () => Promise.all(tokens.map(outcome));
    assert.deepEqual([...new Set(await judge())], ['unauthenticated']);
    assert.equal(server.asked, 1);
    await sleep(cooldown);
    assert.deepEqual([...new Set(await judge())], ['unauthenticated']);
    assert.equal(server.asked, 2, 'one fetch for 200 tokens at once');
    assert.deepEqual([...new Set(await judge())], ['unauthenticated']);
    assert.equal(server.asked, 2);
    assert.deepEqual(troubles, []);
  });

  it('a withdrawn one is believed no longer than until the next fetch, verified tokens or not', async () => {
    await trust(server.url, { ...times, every: 50 });
    const token = await one.sign(claimsWith());
    assert.equal(await outcome(token), 'ingest');
    server.list(two);
    const asked = server.asked;
    await until('the next fetches', () => server.asked >= asked + 2);
    assert.equal(await outcome(token), 'unauthenticated');
  });

  it('that can not be fetched: tokens are answered 503, it is told once, and all is well when they come', async () => {
    const { port, url } = server;
    await server.close();
    await trust(url);
    const token = await one.sign(claimsWith());
    assert.equal(await outcome(token), 'identity-unavailable');
    await sleep(3 * times.retry);
    assert.equal(await outcome(token), 'identity-unavailable');
    assert.deepEqual(troubles, [
      `the keys of token issuer "${ISSUER}" could not be fetched: ECONNREFUSED; its tokens are answered 503`,
    ]);
    await server.listen(port);
    await until('the keys', () => server.asked > 0);
    await sleep(20);
    assert.equal(await outcome(token), 'ingest');
  });

  it('stay in use while their server is down; a token of a key that is not among them is answered 503', async () => {
    const { port, url } = server;
    await trust(url, { ...times, every: 30 });
    assert.equal(await outcome(await one.sign(claimsWith())), 'ingest');
    await server.close();
    await until('the outage', () => troubles.length > 0);
    assert.match(troubles[0]!, /; the keys of before stay$/);
    assert.equal(await outcome(await one.sign(claimsWith({ sub: 'another' }))), 'another');
    assert.equal(await outcome(await two.sign(claimsWith())), 'identity-unavailable');
    server.list(two);
    const asked = server.asked;
    await server.listen(port);
    await until('the keys', () => server.asked > asked + 1);
    assert.equal(await outcome(await two.sign(claimsWith())), 'ingest');
    await server.close();
    await until('the next outage', () => troubles.length > 1);
    await sleep(3 * times.retry);
    assert.equal(troubles.length, 2, 'told once for each outage');
    const recovered = read.map((event) => event.kind === 'read' && [event.entries, event.recovered]);
    assert.deepEqual(recovered, [
      [1, false],
      [1, true],
    ]);
  });

  it('come from no redirect, no endless, late, broken or private answer', async () => {
    const trap = await KeyServer.open(two);
    const cases: [KeyServer['answer'], RegExp][] = [
      [(response) => response.writeHead(302, { location: trap.url }).end(), /: status 302;/],
      [(response) => response.writeHead(503).end(), /: status 503;/],
      [(response) => response.end('<html>'), /: it is not JSON;/],
      [(response) => response.end(JSON.stringify({ keys: [{ ...one.publicJwk, d: 'AA' }] })), /private key/],
      [(response) => response.end('x'.repeat(fetch.maxBytes + 1)), /: more than 20000 bytes;/],
      [(response) => void response.write('{'), /: no whole answer within 1000 ms;/],
      [() => undefined, /: no whole answer within 1000 ms;/],
      [(response) => void response.destroy(), /: ECONNRESET;/],
    ];
    for (const [answer, why] of cases) {
      server.answer = answer;
      troubles = [];
      await trust(server.url);
      await until('the trouble', () => troubles.length > 0);
      assert.match(troubles[0]!, why);
      assert.equal(await outcome(await one.sign(claimsWith())), 'identity-unavailable');
      identity!.close();
    }
    assert.equal(trap.asked, 0);
    await trap.close();
  });

  it('are fetched at once when the identity is reloaded', async () => {
    await trust(server.url);
    assert.equal(await outcome(await one.sign(claimsWith())), 'ingest');
    server.list(two);
    identity!.reload();
    await until('the reload', () => server.asked === 2);
    await sleep(20);
    assert.equal(await outcome(await two.sign(claimsWith())), 'ingest');
  });

  it('are fetched no more once the identity is closed', async () => {
    await trust(server.url, { ...times, every: 20 });
    await until('some fetches', () => server.asked > 2);
    identity!.close();
    await sleep(50);
    const { asked } = server;
    await sleep(100);
    assert.equal(server.asked, asked);
    assert.deepEqual(troubles, []);
  });
});

describe('keys over TLS', () => {
  const certificates = makeCertificates();
  const server = certificates === undefined ? undefined : createTlsServer(certificates.selfSigned);
  before(() => new Promise<void>((resolve) => (server ? server.listen(0, '127.0.0.1', resolve) : resolve())));
  after(() => server?.close());

  it('of a server that can not prove who it is are not taken', { skip: server === undefined }, async () => {
    let asked = 0;
    server!.on('request', () => asked++);
    const troubles: string[] = [];
    const url = `https://127.0.0.1:${(server!.address() as AddressInfo).port}/keys`;
    const issuer = { issuer: ISSUER, audiences: [AUDIENCE], clockTolerance: 0, subjectClaim: 'sub' };
    const identity = await createIdentity(
      {
        tokens: [{ ...issuer, jwks: { kind: 'url', url }, algorithms: asymmetricAlgorithms }],
        users: undefined,
        apiKeys: undefined,
      },
      troublesTo(troubles),
    );
    await until('the trouble', () => troubles.length > 0);
    identity.close();
    assert.match(troubles[0]!, /DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED/);
    assert.equal(asked, 0);
  });
});
