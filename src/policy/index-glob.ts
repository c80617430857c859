/**
 * What patterns have in common whose only wildcard is `*`, any run of characters, the empty one included: all that
 * Elasticsearch and OpenSearch know in index expressions (Regex.simpleMatch).
 *
 * Whether a pattern contains another is found by matching the other's text, its stars looked at as one more
 * character, that only a star can take. That is exact: if it matches so, the star that took a star takes whatever
 * may stand there; if not, neither does it match the name in which a character stands there that it does not have.
 * As that is one name, a union of patterns contains another only where one of them does.
 *
 * Both lists can be long, and one of them is a client's. So they are sorted, and only those are compared whose
 * beginnings fit; and what is left is bounded by what the decision may still spend.
 */
import { beginsWith, compileGlob, endsWith, type Glob } from './glob.ts';

/** What may still be spent: about 10 ns each. What is then left open is answered on the safe side. */
export interface Work {
  workLeft: number;
}

interface Wildcard {
  /** What stands before the first star, and after the last one. */
  readonly head: string;
  readonly tail: string;
  readonly glob: Glob;
  readonly stars: number;
  /** Of a look at its head and tail. */
  readonly price: number;
  /** The next one down the list whose head is a beginning of this one's: all of them are found by going on so. */
  readonly within: Wildcard | undefined;
}

export class GlobSet {
  /** Ascending. */
  readonly #names: readonly string[];
  /** Ascending, and those that they belong to. */
  readonly #heads: readonly string[];
  readonly #wildcards: readonly Wildcard[];

  constructor(globs: readonly string[]) {
    const sorted = globs.length === 1 ? globs : [...new Set(globs)].sort();
    this.#names = sorted.filter((glob) => !glob.includes('*'));
    this.#wildcards = nested(sorted.filter((glob) => glob.includes('*')));
    this.#heads = this.#wildcards.map(({ head }) => head);
  }

  /** Whether one of them contains a name or a wildcard; false where there is too little work left to tell. */
  contains(glob: string, work: Work): boolean {
    return this.#names[lastUpTo(this.#names, glob, work)] === glob || this.#takes(glob, work);
  }

  /** Whether one `head*` among them contains all that begin with a text. */
  containsAllWith(beginning: string, work: Work): boolean {
    let wildcard = this.#wildcards[lastUpTo(this.#heads, beginning, work)];
    while (wildcard !== undefined && work.workLeft >= 0) {
      work.workLeft -= wildcard.price;
      if (isOpen(wildcard) && beginsWith(beginning, wildcard.head)) return true;
      wildcard = wildcard.within;
    }
    return false;
  }

  /** Whether any name is in both; true where there is too little work left to tell. */
  meets(other: GlobSet, work: Work): boolean {
    return (
      namesMeet(this.#names, other.#names, work) ||
      this.#takesOne(other.#names, work) ||
      other.#takesOne(this.#names, work) ||
      (this.#wildcards.length < other.#wildcards.length
        ? other.#overlaps(this.#wildcards, work)
        : this.#overlaps(other.#wildcards, work)) ||
      work.workLeft < 0
    );
  }

  /** Whether a wildcard matches. */
  #takes(text: string, work: Work): boolean {
    if (this.#heads.length === 0) return false;
    let wildcard = this.#wildcards[lastUpTo(this.#heads, text, work)];
    while (wildcard !== undefined && work.workLeft >= 0) {
      if (matches(wildcard, text, work)) return true;
      wildcard = wildcard.within;
    }
    return false;
  }

  /** Whether a wildcard matches a name. What there are fewer of is looked up among the others. */
  #takesOne(names: readonly string[], work: Work): boolean {
    if (names.length < this.#wildcards.length) return names.some((name) => this.#takes(name, work));
    return this.#wildcards.some((wildcard) => {
      const { head } = wildcard;
      const last = lastUpTo(names, head, work);
      for (let at = names[last] === head ? last : last + 1; at < names.length; at++) {
        const name = names[at] ?? '';
        if (work.workLeft < 0 || !beginsWith(name, head)) break;
        if (matches(wildcard, name, work)) return true;
      }
      return false;
    });
  }

  /** With a star in both there is room for what both ask for in the middle, one after the other. */
  #overlaps(others: readonly Wildcard[], work: Work): boolean {
    return others.some(({ head, tail }) => {
      const last = lastUpTo(this.#heads, head, work);
      let wildcard = this.#wildcards[last];
      while (wildcard !== undefined && work.workLeft >= 0) {
        work.workLeft -= wildcard.price;
        if (beginsWith(head, wildcard.head) && endAlike(wildcard.tail, tail)) return true;
        wildcard = wildcard.within;
      }
      for (let at = last + 1; work.workLeft >= 0; at++) {
        const longer = this.#wildcards[at];
        work.workLeft -= longer?.price ?? 0;
        if (longer === undefined || !beginsWith(longer.head, head)) break;
        if (endAlike(longer.tail, tail)) return true;
      }
      return false;
    });
  }
}

function namesMeet(some: readonly string[], others: readonly string[], work: Work): boolean {
  const [few, many] = some.length < others.length ? [some, others] : [others, some];
  return few.some((name) => many[lastUpTo(many, name, work)] === name);
}

/** A search costs some for each star that it gets past, and some for each character. */
function matches({ head, tail, glob, stars, price }: Wildcard, text: string, work: Work): boolean {
  work.workLeft -= price;
  if (!beginsWith(text, head) || !endsWith(text, tail)) return false;
  if (stars === 1) return text.length >= head.length + tail.length;
  work.workLeft -= 4 * Math.min(stars - 1, text.length) + (text.length >> 1);
  return glob(text);
}

/** Whether it matches whatever begins with its head. */
function isOpen({ stars, tail }: Wildcard): boolean {
  return stars === 1 && tail === '';
}

function endAlike(one: string, other: string): boolean {
  return endsWith(one, other) || endsWith(other, one);
}

/** The index of the last text that is not after `text`; -1 where all are, and where no work is left. */
function lastUpTo(sorted: readonly string[], text: string, work: Work): number {
  if (sorted.length === 0 || work.workLeft < 0) return -1;
  work.workLeft -= 2 + (32 - Math.clz32(sorted.length)) * (1 + (text.length >> 5));
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? '') <= text) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * Sorted by their heads, without those that `head*` contains. Whatever begins a text is the last head up to it or,
 * again and again, within that.
 */
function nested(texts: readonly string[]): readonly Wildcard[] {
  const all = texts.map((text) => ({ text, head: literalHead(text) }));
  if (all.length > 1)
    all.sort((one, other) => compare(one.head, other.head) || compare(one.text, other.text));
  const wildcards: Wildcard[] = [];
  let within: Wildcard | undefined;
  for (const { text, head } of all) {
    while (within !== undefined && !head.startsWith(within.head)) within = within.within;
    if (within !== undefined && isOpen(within)) continue;
    const tail = text.slice(text.lastIndexOf('*') + 1);
    const stars = text.split('*').length - 1;
    const price = 1 + Math.min(8, (head.length + tail.length) >> 3);
    within = { head, tail, glob: compileGlob(text), stars, price, within };
    wildcards.push(within);
  }
  return wildcards;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** What everything that a pattern stands for begins with. */
export function literalHead(pattern: string): string {
  const star = pattern.indexOf('*');
  return star === -1 ? pattern : pattern.slice(0, star);
}
