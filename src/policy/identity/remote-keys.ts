/**
 * The keys of one issuer from its URL: fetched at start and from time to time, and once more when a token names
 * a key that is not there, but not more often than the cooldown allows, whatever strangers send.
 */
import { type FetchLimits, fetchText } from './fetch-text.ts';
import type { KeyHint, KeyLookup, KeySet } from './key-set.ts';
import { type IdentityEvent, type Taken, wrong } from './taken.ts';

/** Milliseconds. */
export interface RemoteKeysTimes {
  /** Between fetches, when all goes well: how long a key that was withdrawn is still believed. */
  readonly every: number;
  /** After a fetch that failed. */
  readonly retry: number;
  /** From one fetch to another that a token causes. */
  readonly cooldown: number;
}

export interface RemoteKeysOptions {
  readonly issuer: string;
  readonly url: string;
  readonly times: RemoteKeysTimes;
  readonly fetch: FetchLimits;
  tell(event: IdentityEvent): void;
}

export class RemoteKeys {
  readonly #options: RemoteKeysOptions;
  readonly #keys: KeySet;
  readonly #closed = new AbortController();
  #fetching: Promise<void> | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #failing = false;
  #timer: NodeJS.Timeout | undefined;

  /** Begins to fetch at once. */
  constructor(options: RemoteKeysOptions, keys: KeySet) {
    this.#options = options;
    this.#keys = keys;
    this.refresh();
  }

  /** Waits for keys that are on their way. `unavailable`: the issuer could not be asked for this key. */
  async find(hint: KeyHint): Promise<KeyLookup | { readonly kind: 'unavailable' }> {
    if (this.#keys.version === undefined) await this.#fetching;
    else {
      const found = await this.#keys.find(hint);
      if (found.kind !== 'unknown') return found;
      if (performance.now() - this.#fetchedAt >= this.#options.times.cooldown) this.refresh();
      await this.#fetching;
    }
    const found = await this.#keys.find(hint);
    return found.kind === 'unknown' && this.#failing ? { kind: 'unavailable' } : found;
  }

  /** Fetches now, unless it is being done. */
  refresh(): void {
    if (this.#fetching !== undefined || this.#closed.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#fetchedAt = performance.now();
    this.#fetching = this.#fetch().then(() => {
      this.#fetching = undefined;
      const { every, retry } = this.#options.times;
      const wait = this.#failing ? retry : every;
      if (!this.#closed.signal.aborted) this.#timer = setTimeout(() => this.refresh(), wait).unref();
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#closed.abort();
  }

  async #fetch(): Promise<void> {
    const { url, fetch } = this.#options;
    const fetched = await fetchText(url, fetch, this.#closed.signal);
    const taken = fetched.kind === 'failed' ? wrong(fetched.why) : this.#keys.accept(fetched.text);
    if (!this.#closed.signal.aborted) this.#tell(taken);
    this.#failing = taken.kind === 'wrong';
  }

  /** An outage is told once, however often it is tried, and so is its end. */
  #tell(taken: Taken): void {
    const { issuer, tell } = this.#options;
    const source = `the keys of token issuer ${JSON.stringify(issuer)}`;
    if (taken.kind === 'taken') {
      const { entries, same } = taken;
      if (!same || this.#failing) tell({ kind: 'read', source, entries, recovered: this.#failing });
    } else if (!this.#failing) {
      const rest =
        this.#keys.version === undefined ? 'its tokens are answered 503' : 'the keys of before stay';
      tell({ kind: 'trouble', why: `${source} could not be fetched: ${taken.wrong}; ${rest}` });
    }
  }
}
