/** What was found out lately, by key: bounded in number and in weight, the longest unused goes first. */

interface Entry<V> {
  readonly value: V;
  until: number;
  readonly weight: number;
}

export class Recent<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #maxEntries: number;
  readonly #maxWeight: number;
  #weight = 0;

  constructor(maxEntries: number, maxWeight = Number.POSITIVE_INFINITY) {
    this.#maxEntries = maxEntries;
    this.#maxWeight = maxWeight;
  }

  get size(): number {
    return this.#entries.size;
  }

  get weight(): number {
    return this.#weight;
  }

  /**
   * Undefined where there is none, or where `now` is not before its `until`; milliseconds, of any one clock. With
   * `renewed` it stays for so long again.
   */
  get(key: string, now: number, renewed = 0): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (now >= entry.until) {
      this.#drop(key, entry);
      return undefined;
    }
    // A Map keeps the order of insertion: now it is the youngest.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (renewed > 0) entry.until = now + renewed;
    return entry.value;
  }

  set(key: string, entry: Entry<V>): void {
    const before = this.#entries.get(key);
    if (before !== undefined) this.#drop(key, before);
    this.#entries.set(key, entry);
    this.#weight += entry.weight;
    for (const [oldest, { weight }] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && this.#weight <= this.#maxWeight) return;
      this.#entries.delete(oldest);
      this.#weight -= weight;
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
  }

  #drop(key: string, entry: Entry<V>): void {
    this.#entries.delete(key);
    this.#weight -= entry.weight;
  }
}
