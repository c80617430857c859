/** The public keys of one issuer (RFC 7517), as a JWKS document said them last. */
import type { createLocalJWKSet, LocalJWKSet } from 'jose/jwks/local';
import { type Taken, wrong } from './taken.ts';

export type PublicKey = Awaited<ReturnType<LocalJWKSet>>;

/** Of a token's header; believed only once the signature has proved right. */
export interface KeyHint {
  readonly alg: string;
  readonly kid?: string;
}

export type KeyLookup =
  | { readonly kind: 'key'; readonly key: PublicKey }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'ambiguous' }
  | { readonly kind: 'unusable' };

const unknown: KeyLookup = { kind: 'unknown' };
const ambiguous: KeyLookup = { kind: 'ambiguous' };
const unusable: KeyLookup = { kind: 'unusable' };

/** An issuer has a handful; a document with more is not read. */
const maxKeys = 64;

export class KeySet {
  readonly #create: typeof createLocalJWKSet;
  readonly #onChange: () => void;
  #text: string | undefined;
  #size = 0;
  #find: LocalJWKSet | undefined;

  constructor(create: typeof createLocalJWKSet, onChange: () => void) {
    this.#create = create;
    this.#onChange = onChange;
  }

  /** Undefined until the first keys have come; another document, another value. */
  get version(): string | undefined {
    return this.#text;
  }

  /** Takes a document's text in, or tells what is wrong with it and keeps the keys it has. */
  accept(text: string): Taken {
    if (text === this.#text) return { kind: 'taken', entries: this.#size, same: true };
    const keys = readKeys(text);
    if (typeof keys === 'string') return wrong(keys);
    try {
      this.#find = this.#create({ keys });
    } catch {
      return wrong('it is no JWKS that jose can read');
    }
    this.#text = text;
    this.#size = keys.length;
    this.#onChange();
    return { kind: 'taken', entries: keys.length, same: false };
  }

  async find(hint: KeyHint): Promise<KeyLookup> {
    if (this.#find === undefined) return unknown;
    try {
      return { kind: 'key', key: await this.#find({ ...hint }) };
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 'ERR_JWKS_NO_MATCHING_KEY') return unknown;
      return code === 'ERR_JWKS_MULTIPLE_MATCHING_KEYS' ? ambiguous : unusable;
    }
  }
}

type Keys = Parameters<typeof createLocalJWKSet>[0]['keys'];

function readKeys(text: string): Keys | string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  const keys = isRecord(document) ? document.keys : undefined;
  if (!Array.isArray(keys) || !keys.every(isRecord)) return 'it is no JWKS: `{"keys": [...]}` belongs here';
  if (keys.length > maxKeys) return `it holds more than ${maxKeys} keys`;
  if (keys.some((key) => 'd' in key)) return 'it holds a private key, which is private no longer: replace it';
  return keys as unknown as Keys;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
