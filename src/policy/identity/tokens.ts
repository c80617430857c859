/**
 * JSON Web Tokens: whose they are, and whether they are genuine, meant for us and of today (RFC 7519; RFC 8725).
 * What a token says about itself only chooses the issuer and the key; jose then checks all of it.
 */
import type { jwtVerify } from 'jose/jwt/verify';
import { fingerprint } from './fingerprint.ts';
import type { Gate } from './gate.ts';
import { type Identified, unauthenticated, unavailable } from './identity.ts';
import type { KeyHint, KeyLookup, PublicKey } from './key-set.ts';
import type { TokenIssuer } from './options.ts';
import { Recent } from './recent.ts';
import { refusalOf } from './token-refusals.ts';

/** An issuer and where its keys are looked up. */
export interface KeyedIssuer extends TokenIssuer {
  readonly keys: {
    find(hint: KeyHint): Promise<KeyLookup | { readonly kind: 'unavailable' }>;
  };
}

export interface TokenLimits {
  /** Tokens remembered, and the characters of all of them together. */
  readonly cached: number;
  readonly cachedCharacters: number;
}

/** Characters, all of them ASCII. */
const maxToken = 8192;
const maxSubject = 256;

/** Three parts of base64url (RFC 7515, section 3.1); only a signature may be empty, which `none` has. */
const jwt = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Whether a bearer token is a JWT; Elasticsearch's own tokens and encrypted ones are not. */
export const isJwt = (token: string): boolean => jwt.test(token);

export class Tokens {
  readonly #verify: typeof jwtVerify;
  readonly #gate: Gate;
  readonly #genuine: Recent<Identified>;
  readonly #pending = new Map<string, Promise<Identified>>();
  #issuers: ReadonlyMap<string, KeyedIssuer> = new Map();
  #keyChanges = 0;

  constructor(verify: typeof jwtVerify, limits: TokenLimits, gate: Gate) {
    this.#verify = verify;
    this.#gate = gate;
    this.#genuine = new Recent(limits.cached, limits.cachedCharacters);
  }

  /** How many tokens are remembered. */
  get remembered(): number {
    return this.#genuine.size;
  }

  trust(issuers: readonly KeyedIssuer[]): void {
    this.#issuers = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));
  }

  /** To be called when an issuer's keys have changed: a token may rest on one that was withdrawn. */
  forget(): void {
    this.#keyChanges++;
    this.#genuine.clear();
    this.#pending.clear();
  }

  /** Of a token that `isJwt`; at once where it was verified lately and has not expired. */
  identify(token: string): Identified | Promise<Identified> {
    if (token.length > maxToken) return unauthenticated(`the token is longer than ${maxToken} characters`);
    const key = fingerprint(`token\0${token}`);
    const known = this.#genuine.get(key, Date.now()) ?? this.#pending.get(key);
    if (known !== undefined) return known;
    const claimed = readUnverified(token);
    if (claimed === undefined) return unauthenticated('the token is malformed');
    const issuer = this.#issuers.get(claimed.issuer);
    if (issuer === undefined) return unauthenticated('the token is of an issuer that is not known here');
    if (!issuer.algorithms.includes(claimed.hint.alg)) return refusalOf({ code: 'ERR_JOSE_ALG_NOT_ALLOWED' });

    const changes = this.#keyChanges;
    const judged = this.#judge(token, issuer, claimed.hint).then(({ identified, until }) => {
      if (until > 0 && changes === this.#keyChanges) {
        this.#genuine.set(key, { value: identified, until, weight: token.length });
      }
      return identified;
    });
    const pending = judged.finally(() => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    });
    this.#pending.set(key, pending);
    return pending;
  }

  async #judge(token: string, issuer: KeyedIssuer, hint: KeyHint): Promise<Judged> {
    const found = await issuer.keys.find(hint);
    switch (found.kind) {
      case 'key':
        return await this.#check(token, issuer, found.key);
      case 'unknown':
        return refused(unauthenticated('the token is signed with a key that its issuer does not list'));
      case 'ambiguous':
        return refused(unauthenticated('the token does not name its key, and several of its issuer fit'));
      case 'unusable':
        return refused(unauthenticated("the issuer's key that the token names can not be used"));
      case 'unavailable':
        return refused(unavailable('the keys of the token issuer can not be fetched at the moment'));
    }
  }

  async #check(token: string, issuer: KeyedIssuer, key: PublicKey): Promise<Judged> {
    const verified = this.#gate.run(issuer.issuer, () =>
      this.#verify(token, key, {
        algorithms: [...issuer.algorithms],
        issuer: issuer.issuer,
        audience: [...issuer.audiences],
        requiredClaims: ['exp'],
        clockTolerance: issuer.clockTolerance / 1000,
      }),
    );
    if (verified === undefined) return refused(unavailable('too many tokens are being verified'));
    try {
      const { payload } = await verified;
      const name = payload[issuer.subjectClaim];
      if (typeof name !== 'string' || name === '' || name.length > maxSubject || /\p{Cc}/u.test(name)) {
        return refused(unauthenticated('the token does not say whose it is'));
      }
      // Without a prototype: a policy that asks for `constructor` must find none.
      const claims: Readonly<Record<string, unknown>> = Object.assign(Object.create(null), payload);
      const principal = { kind: 'token', name, verified: true, issuer: issuer.issuer, claims } as const;
      return {
        identified: { kind: 'identified', principals: [principal] },
        until: (payload.exp ?? 0) * 1000 + issuer.clockTolerance,
      };
    } catch (error) {
      return refused(refusalOf(error));
    }
  }
}

interface Judged {
  readonly identified: Identified;
  /** Milliseconds since 1970; 0 is not to be remembered. */
  readonly until: number;
}

const refused = (identified: Identified): Judged => ({ identified, until: 0 });

function readUnverified(token: string): { readonly issuer: string; readonly hint: KeyHint } | undefined {
  const [header, payload] = token.split('.').map(readPart);
  if (typeof header?.alg !== 'string' || typeof payload?.iss !== 'string') return undefined;
  const { alg, kid } = header;
  if (kid === undefined) return { issuer: payload.iss, hint: { alg } };
  return typeof kid === 'string' ? { issuer: payload.iss, hint: { alg, kid } } : undefined;
}

function readPart(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
