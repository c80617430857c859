/** Users or API keys whose hashes a file holds: right, wrong, or not known here and for the server to judge. */
import { ownerOf } from '../../networks.ts';
import { fingerprint } from './fingerprint.ts';
import type { Entry, Gate } from './gate.ts';
import { type Hashes, type Holder, readHashFile } from './hash-file.ts';
import { matches } from './hashes.ts';
import { claimed, type Identified, named, unauthenticated, unavailable } from './identity.ts';
import { Recent } from './recent.ts';
import { type Taken, wrong } from './taken.ts';

export interface SecretLimits {
  /** Verdicts remembered, right ones and wrong ones each. */
  readonly cached: number;
  /** Milliseconds since it was used last. */
  readonly rightFor: number;
  /** Milliseconds since it was found. */
  readonly wrongFor: number;
}

/** A name with its secret, and the address of the client that brings them. */
export interface Presented {
  readonly name: string;
  readonly secret: string;
  readonly address: string;
}

interface Pending {
  readonly entry: Entry<boolean>;
  readonly verdict: Promise<Identified>;
}

export class KnownSecrets {
  readonly #holder: Holder;
  readonly #limits: SecretLimits;
  readonly #gate: Gate;
  #hashes: Hashes = new Map();
  /** Apart from the wrong ones, so that guesses don't drive them out. */
  readonly #right: Recent<Identified>;
  readonly #wrong: Recent<Identified>;
  /** A client's many connections bring the same secret at the same time: it is computed once. */
  readonly #pending = new Map<string, Pending>();

  constructor(holder: Holder, limits: SecretLimits, gate: Gate) {
    this.#holder = holder;
    this.#limits = limits;
    this.#gate = gate;
    this.#right = new Recent(limits.cached);
    this.#wrong = new Recent(limits.cached);
  }

  /** How many verdicts are remembered. */
  get remembered(): number {
    return this.#right.size + this.#wrong.size;
  }

  /**
   * Takes a file's text in, or tells what is wrong with it and changes nothing. Verdicts are of a hash, so those of
   * entries that stay as they are stay, too.
   */
  accept(text: string): Taken {
    const hashes = readHashFile(text, this.#holder);
    if (typeof hashes === 'string') return wrong(hashes);
    this.#hashes = hashes;
    return { kind: 'taken', entries: hashes.size, same: false };
  }

  /** At once where the verdict is remembered, the name is not known, or the hash costs nothing. */
  identify({ name, secret, address }: Presented): Identified | Promise<Identified> {
    const known = this.#hashes.get(name);
    if (known === undefined) return named(this.#holder, name, false);
    const { hash, text } = known;
    if (hash.kind === 'sha256') return this.#verdict(name, matches(hash, secret) === true);
    // Neither names nor holders nor hashes hold a NUL.
    const key = fingerprint(`${this.#holder}\0${name}\0${text}\0${secret}`);
    const now = Date.now();
    // A client that comes often enough never waits for its turn among those who guess.
    const verdict = this.#right.get(key, now, this.#limits.rightFor) ?? this.#wrong.get(key, now);
    if (verdict !== undefined) return verdict;
    const asker = { source: ownerOf(address), name };
    const pending = this.#pending.get(key);
    if (pending !== undefined) {
      pending.entry.join(asker);
      return pending.verdict;
    }
    const entry = this.#gate.run(asker, async () => matches(hash, secret));
    const settled = entry.done.then((right) => {
      if (right === undefined) return busy(this.#holder, name);
      const value = this.#verdict(name, right);
      this.#remember(key, right, value);
      return value;
    });
    const computed = { entry, verdict: settled.finally(() => this.#pending.delete(key)) };
    this.#pending.set(key, computed);
    return computed.verdict;
  }

  #remember(key: string, right: boolean, value: Identified): void {
    const { rightFor, wrongFor } = this.#limits;
    const until = Date.now() + (right ? rightFor : wrongFor);
    (right ? this.#right : this.#wrong).set(key, { value, until, weight: 1 });
  }

  #verdict(name: string, right: boolean): Identified {
    if (right) return named(this.#holder, name, true);
    const who = claimed(this.#holder, name);
    return this.#holder === 'user'
      ? unauthenticated('wrong-password', 'the user or the password is wrong', who)
      : unauthenticated('wrong-api-key', 'the API key is wrong', who);
  }
}

const busy = (holder: Holder, name: string): Identified =>
  unavailable('busy', 'too many credentials are being verified', claimed(holder, name));
