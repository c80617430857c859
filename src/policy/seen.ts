/**
 * What was made of a text, kept for when the text comes again. Bounded; and what comes once, as strangers can send
 * at will, costs next to nothing and displaces nothing: a text is kept from its second coming on.
 */
export class Seen<V> {
  readonly #half: number;
  readonly #prints: Int32Array;
  /** The younger half, and the older one: what is asked for again grows young. */
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  /** At most `size` are kept, a power of two. */
  constructor(size: number) {
    this.#half = size / 2;
    this.#prints = new Int32Array(2 * size);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(text: string): V | undefined {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const old = this.#old.get(text);
    if (old !== undefined) this.#keep(text, old);
    return old;
  }

  /** After a `get` that found nothing. */
  offer(text: string, value: V): void {
    const print = printOf(text);
    const at = print & (this.#prints.length - 1);
    if (this.#prints[at] !== print) {
      this.#prints[at] = print;
      return;
    }
    // A copy: a piece of a head would keep the whole head in memory, its credentials among it.
    this.#keep(Buffer.from(text, 'latin1').toString('latin1'), value);
  }

  #keep(text: string, value: V): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, value);
  }
}

/** FNV-1a, 32 bits. Two texts of one print do no harm: one of them is kept a little early. */
function printOf(text: string): number {
  let print = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) print = Math.imul(print ^ text.charCodeAt(at), 0x01000193);
  return print;
}
