/** Things that arrive on their own, each to be fetched by the one that waits for it. */
import { within } from './deadline.ts';

export class Arrivals<T> {
  #items: T[] = [];
  readonly #waiting = new Set<() => void>();

  push(item: T): void {
    this.#items.push(item);
    for (const look of [...this.#waiting]) look();
  }

  /** Waits for the first that `fits`, and takes it out. */
  take(what: string, fits: (item: T) => boolean): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const look = () => {
      const item = this.#items.find(fits);
      if (item === undefined) return;
      this.#items = this.#items.filter((other) => other !== item);
      this.#waiting.delete(look);
      resolve(item);
    };
    this.#waiting.add(look);
    look();
    return within(what, promise);
  }

  /** Empties it. */
  rest(): T[] {
    return this.#items.splice(0);
  }
}
