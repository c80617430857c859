/** Whose turn it is, where sources take turns and within each of them names. Small: all of it is looked through. */

/** For whom something is done. */
export interface Asker {
  /** The network that it comes from. */
  readonly source: string;
  /** Whom it claims to be. */
  readonly name: string;
}

export interface Place<T> {
  readonly asker: Asker;
  readonly item: T;
}

type Names<T> = Map<string, Place<T>[]>;

/** A Map keeps the order of insertion: who had its turn is put in again, behind the others. */
export class Turns<T> {
  readonly #sources = new Map<string, Names<T>>();

  add(place: Place<T>): void {
    const { source, name } = place.asker;
    const names: Names<T> = this.#sources.get(source) ?? new Map();
    this.#sources.set(source, names);
    const places = names.get(name);
    if (places === undefined) names.set(name, [place]);
    else places.push(place);
  }

  /** Takes out the place whose turn it is. */
  next(): Place<T> | undefined {
    for (const [source, names] of this.#sources) {
      for (const [name, [place, ...rest]] of names) {
        names.delete(name);
        this.#sources.delete(source);
        if (rest.length > 0) names.set(name, rest);
        if (names.size > 0) this.#sources.set(source, names);
        return place;
      }
    }
    return undefined;
  }

  remove(place: Place<T>): void {
    const { source, name } = place.asker;
    const names = this.#sources.get(source);
    const left = names?.get(name)?.filter((one) => one !== place);
    if (names === undefined || left === undefined) return;
    if (left.length > 0) names.set(name, left);
    else names.delete(name);
    if (names.size === 0) this.#sources.delete(source);
  }

  /**
   * The last place of whoever holds more than `asker` does: of the source that holds the most, or, where that is the
   * asker's own, of its name that does. Undefined where nobody holds more.
   */
  lastOfTheMost(asker: Asker): Place<T> | undefined {
    const own = this.#sources.get(asker.source);
    const most = largest(this.#sources.values(), placesOf);
    if (most === undefined) return undefined;
    if (own === undefined || placesOf(most) > placesOf(own)) return largest(most.values(), sizeOf)?.at(-1);
    const places = largest(own.values(), sizeOf) ?? [];
    return places.length > sizeOf(own.get(asker.name) ?? []) ? places.at(-1) : undefined;
  }
}

const sizeOf = (places: readonly unknown[]): number => places.length;

function placesOf(names: Names<unknown>): number {
  let count = 0;
  for (const places of names.values()) count += places.length;
  return count;
}

/** The first of those of the greatest size. */
function largest<V>(all: Iterable<V>, size: (one: V) => number): V | undefined {
  let found: V | undefined;
  let most = 0;
  for (const one of all) {
    const own = size(one);
    if (own <= most) continue;
    most = own;
    found = one;
  }
  return found;
}
