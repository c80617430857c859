/** One name and the addresses it has: looked up again and again in the background, so that no request waits for it. */
import type { Resolver } from './resolver.ts';

export interface NameOptions {
  readonly host: string;
  readonly resolver: Resolver;
  /** From one lookup's end to the next one, milliseconds. */
  readonly refresh: number;
  /** A lookup that takes longer counts as failed, milliseconds; its answer is used when it comes. */
  readonly timeout: number;
  /** Told when a lookup has told something new: other addresses, a failure, the end of failures. */
  readonly onChange: (name: FollowedName) => void;
}

/** More addresses of one name than these are not used: whoever answers for the name must not fill the memory. */
const maxAddresses = 256;

/** A name that does not resolve is looked up again after a second, then two, and so on up to `refresh`. */
const firstRetry = 1000;

export class FollowedName {
  readonly host: string;
  /** Of the last lookup that succeeded; they stay while lookups fail. */
  addresses: readonly string[] = [];
  /** Why the last lookup failed; undefined where it did not, or none has ended. */
  fault: string | undefined;
  /** Resolves when the first lookup has ended or is late. */
  readonly known: Promise<void>;
  /** The first lookup has neither ended nor is it late. */
  pending = true;
  readonly #options: NameOptions;
  #looking = false;
  #failures = 0;
  #endedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #open = true;
  #tell: () => void = () => {};

  /** The first lookup begins at once. */
  constructor(options: NameOptions) {
    this.host = options.host;
    this.#options = options;
    this.known = new Promise((resolve) => {
      this.#tell = resolve;
    });
    this.#look();
  }

  /** Something speaks for other addresses, such as a node that can't be reached. Once a second at most. */
  recheck(now: number): void {
    if (now - this.#endedAt >= firstRetry) this.#look();
  }

  close(): void {
    this.#open = false;
    clearTimeout(this.#timer);
    this.#settle();
  }

  #look(): void {
    if (this.#looking || !this.#open) return;
    this.#looking = true;
    const { resolver, timeout } = this.#options;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#failed(`no answer within ${timeout} ms`), timeout).unref();
    resolver(this.host).then(
      (addresses) => this.#ended(() => this.#answered(addresses)),
      (error: unknown) => this.#ended(() => this.#failed(codeOf(error))),
    );
  }

  #ended(take: () => void): void {
    this.#looking = false;
    clearTimeout(this.#timer);
    if (!this.#open) return;
    this.#endedAt = performance.now();
    take();
    const { refresh } = this.#options;
    const wait = this.#failures === 0 ? refresh : Math.min(firstRetry * 2 ** (this.#failures - 1), refresh);
    this.#timer = setTimeout(() => this.#look(), wait).unref();
  }

  #answered(answer: readonly string[]): void {
    const addresses = [...new Set(answer)].slice(0, maxAddresses);
    if (addresses.length === 0) {
      this.#failed('no address');
      return;
    }
    const isNew = this.fault !== undefined || !hasSame(addresses, this.addresses);
    this.#failures = 0;
    this.fault = undefined;
    this.addresses = addresses;
    this.#settle();
    if (isNew) this.#options.onChange(this);
  }

  #failed(fault: string): void {
    const isNew = this.fault === undefined;
    this.#failures = Math.min(this.#failures + 1, 30);
    this.fault = fault;
    this.#settle();
    if (isNew) this.#options.onChange(this);
  }

  #settle(): void {
    this.pending = false;
    this.#tell();
  }
}

/** In any order: resolvers turn the list around from answer to answer. */
function hasSame(some: readonly string[], others: readonly string[]): boolean {
  const known = new Set(others);
  return some.length === known.size && some.every((one) => known.has(one));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
