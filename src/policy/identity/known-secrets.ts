/** Users or API keys whose hashes a file holds: right, wrong, or not known here and for the server to judge. */
import { fingerprint } from './fingerprint.ts';
import type { Gate } from './gate.ts';
import { type Hashes, type Holder, readHashFile } from './hash-file.ts';
import { type Hash, matches } from './hashes.ts';
import { claimed, type Identified, named, unauthenticated, unavailable } from './identity.ts';
import { Recent } from './recent.ts';
import { type Taken, wrong } from './taken.ts';

export interface SecretLimits {
  /** Verdicts remembered, right ones and wrong ones each. */
  readonly cached: number;
  /** Milliseconds. */
  readonly rightFor: number;
  readonly wrongFor: number;
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
  readonly #pending = new Map<string, Promise<Identified>>();

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

  /** Takes a file's text in and forgets all verdicts, or tells what is wrong with it and changes nothing. */
  accept(text: string): Taken {
    const hashes = readHashFile(text, this.#holder);
    if (typeof hashes === 'string') return wrong(hashes);
    this.#hashes = hashes;
    this.#right.clear();
    this.#wrong.clear();
    this.#pending.clear();
    return { kind: 'taken', entries: hashes.size, same: false };
  }

  /** At once where the verdict is remembered, the name is not known, or the hash costs nothing. */
  identify(name: string, secret: string): Identified | Promise<Identified> {
    const hash = this.#hashes.get(name);
    if (hash === undefined) return named(this.#holder, name, false);
    if (hash.kind === 'sha256') return this.#verdict(name, matches(hash, secret) === true);
    // Neither names nor holders hold a NUL.
    const key = fingerprint(`${this.#holder}\0${name}\0${secret}`);
    const now = Date.now();
    const known = this.#right.get(key, now) ?? this.#wrong.get(key, now) ?? this.#pending.get(key);
    if (known !== undefined) return known;
    const hashes = this.#hashes;
    const computed = this.#gate.run(`${this.#holder}\0${name}`, async () =>
      this.#compute(hash, name, secret),
    );
    if (computed === undefined) {
      return unavailable('busy', 'too many credentials are being verified', claimed(this.#holder, name));
    }
    const settled = computed.then(({ right, verdict }) => {
      // By a file that has been replaced meanwhile: good for this request, no longer for the next.
      if (hashes === this.#hashes) this.#remember(key, right, verdict);
      return verdict;
    });
    const pending = settled.finally(() => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    });
    this.#pending.set(key, pending);
    return pending;
  }

  async #compute(hash: Hash, name: string, secret: string): Promise<{ right: boolean; verdict: Identified }> {
    const right = await matches(hash, secret);
    return { right, verdict: this.#verdict(name, right) };
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
