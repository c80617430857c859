/**
 * JSON Web Tokens: whose they are, and whether they are genuine, meant for us and of today (RFC 7519; RFC 8725).
 * What a token says about itself only chooses the issuer and the key; jose then checks all of it.
 */
import type { jwtVerify } from 'jose/jwt/verify';
import { ownerOf } from '../../networks.ts';
import type { Principal } from '../principal.ts';
import { fingerprint } from './fingerprint.ts';
import type { Gate } from './gate.ts';
import { claimed, type Identified, identifiedAs, unauthenticated, unavailable } from './identity.ts';
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

/**
 * Whether a bearer token is a JWT; Elasticsearch's own tokens and encrypted ones are not. `broken`: it has the parts of
 * one, and a server that reads base64 less strictly (OpenSearch takes padding) could take it for one.
 */
export function jwtness(token: string): 'jwt' | 'broken' | 'other' {
  if (jwt.test(token)) return 'jwt';
  return token.split('.', 4).length === 3 ? 'broken' : 'other';
}

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

  /**
   * Of a token that is a JWT, brought by the client of this address; at once where it was verified lately and has not
   * expired.
   */
  identify(token: string, address: string): Identified | Promise<Identified> {
    if (token.length > maxToken) {
      return unauthenticated('malformed', `the token is longer than ${maxToken} characters`);
    }
    const key = fingerprint(`token\0${token}`);
    const known = this.#genuine.get(key, Date.now()) ?? this.#pending.get(key);
    if (known !== undefined) return known;
    const said = readUnverified(token);
    if (said === undefined) return unauthenticated('malformed', 'the token is malformed');
    const { hint, claims } = said;
    const issuer = this.#issuers.get(said.issuer);
    const who = subjectClaimed(claims, issuer?.subjectClaim ?? 'sub');
    if (issuer === undefined) {
      return unauthenticated('token-issuer', 'the token is of an issuer that is not known here', who);
    }
    if (!issuer.algorithms.includes(hint.alg)) return refusalOf({ code: 'ERR_JOSE_ALG_NOT_ALLOWED' }, who);

    const changes = this.#keyChanges;
    const judged = this.#judge({ token, issuer, hint, who, address }).then(({ identified, until }) => {
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

  async #judge(presented: Presented): Promise<Judged> {
    const { issuer, hint, who } = presented;
    const badKey = (detail: string) => refused(unauthenticated('token-key', detail, who));
    const found = await issuer.keys.find(hint);
    switch (found.kind) {
      case 'key':
        return await this.#check(presented, found.key);
      case 'unknown':
        return badKey('the token is signed with a key that its issuer does not list');
      case 'ambiguous':
        return badKey('the token does not name its key, and several of its issuer fit');
      case 'unusable':
        return badKey("the issuer's key that the token names can not be used");
      case 'unavailable': {
        const detail = 'the keys of the token issuer can not be fetched at the moment';
        return refused(unavailable('unavailable', detail, who));
      }
    }
  }

  async #check({ token, issuer, who, address }: Presented, key: PublicKey): Promise<Judged> {
    const verified = this.#gate.run({ source: ownerOf(address), name: issuer.issuer }, () =>
      this.#verify(token, key, {
        algorithms: [...issuer.algorithms],
        issuer: issuer.issuer,
        audience: [...issuer.audiences],
        requiredClaims: ['exp'],
        clockTolerance: issuer.clockTolerance / 1000,
      }),
    );
    try {
      const genuine = await verified.done;
      if (genuine === undefined) {
        return refused(unavailable('busy', 'too many tokens are being verified', who));
      }
      const { payload } = genuine;
      if (!times.every((claim) => payload[claim] === undefined || isTime(payload[claim]))) {
        return refused(unauthenticated('token-claims', 'a time that the token says is none', who));
      }
      const name = payload[issuer.subjectClaim];
      if (!isSubject(name)) {
        return refused(unauthenticated('token-claims', 'the token does not say whose it is'));
      }
      // Without a prototype: a policy that asks for `constructor` must find none.
      const claims: Readonly<Record<string, unknown>> = Object.assign(Object.create(null), payload);
      const principal = { kind: 'token', name, verified: true, issuer: issuer.issuer, claims } as const;
      return {
        identified: identifiedAs([principal]),
        until: (payload.exp ?? 0) * 1000 + issuer.clockTolerance,
      };
    } catch (error) {
      return refused(refusalOf(error, who));
    }
  }
}

/** A token of a known issuer, before anything of it is believed. */
interface Presented {
  readonly token: string;
  readonly issuer: KeyedIssuer;
  readonly hint: KeyHint;
  readonly who: Principal | undefined;
  readonly address: string;
}

interface Judged {
  readonly identified: Identified;
  /** Milliseconds since 1970; 0 is not to be remembered. */
  readonly until: number;
}

const times = ['exp', 'nbf', 'iat'] as const;
/** Seconds since 1970: the last one of the year 9999, the last that RFC 3339 can write. */
const lastTime = 253_402_300_799;

/**
 * A NumericDate (RFC 7519, section 2) of a time that comes. jose takes any number: `1e400` is Infinity once it is
 * parsed, and a time in milliseconds lies 50,000 years ahead, so that such tokens would never expire.
 */
function isTime(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= lastTime;
}

const refused = (identified: Identified): Judged => ({ identified, until: 0 });

function isSubject(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.length <= maxSubject && !/\p{Cc}/u.test(name);
}

/** For the log of a token that is refused. */
function subjectClaimed(claims: Claims, subjectClaim: string): Principal | undefined {
  const name = Object.hasOwn(claims, subjectClaim) ? claims[subjectClaim] : undefined;
  return isSubject(name) ? claimed('token', name) : undefined;
}

type Claims = Readonly<Record<string, unknown>>;

interface Unverified {
  readonly issuer: string;
  readonly hint: KeyHint;
  readonly claims: Claims;
}

function readUnverified(token: string): Unverified | undefined {
  const [header, payload] = token.split('.').map(readPart);
  if (typeof header?.alg !== 'string' || typeof payload?.iss !== 'string') return undefined;
  const { alg, kid } = header;
  if (kid === undefined) return { issuer: payload.iss, hint: { alg }, claims: payload };
  return typeof kid === 'string' ? { issuer: payload.iss, hint: { alg, kid }, claims: payload } : undefined;
}

function readPart(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
