/**
 * The heads in test/fixtures/heads: real bytes, each named for why it is refused (`bad.*`), what it shows
 * (`good.*`), or what is wrong in it and goes on without that (`mended.*`).
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { ErrorCode } from '../../src/errors.ts';

export interface HeadFixture {
  /** Without the first word and the extension. */
  readonly name: string;
  readonly bytes: Buffer;
  /** The code it must be refused with; undefined for one that is accepted. */
  readonly expected: ErrorCode | undefined;
  /** Goes on in another form than it came. */
  readonly mended: boolean;
}

/** What a response is read by: that it answers `method`, and as many fields as in a request. */
export const responseTo = (method: string) => ({ method, maxFields: 100 });

const directory = new URL('../fixtures/heads/', import.meta.url);

/** Reads all of them; throws when a bad one has no row in codes.json, or a row has no file. */
export function headFixtures(kind: 'request' | 'response'): readonly HeadFixture[] {
  const codes = new Map(
    Object.entries<ErrorCode>(JSON.parse(readFileSync(new URL('codes.json', directory), 'utf8'))[kind]),
  );
  const fixtures = readdirSync(new URL(`${kind}/`, directory)).map((file) => {
    const parts = /^(bad|good|mended)\.(.+)\.http$/.exec(file);
    if (parts?.[2] === undefined) throw new Error(`${file} is not named bad.<reason>.http, good or mended`);
    const expected = parts[1] === 'bad' ? codes.get(parts[2]) : undefined;
    if (parts[1] === 'bad' && !codes.delete(parts[2])) throw new Error(`${file} has no row in codes.json`);
    return {
      name: parts[2],
      bytes: readFileSync(new URL(`${kind}/${file}`, directory)),
      expected,
      mended: parts[1] === 'mended',
    };
  });
  if (codes.size > 0) throw new Error(`codes.json names heads that are not there: ${[...codes.keys()]}`);
  return fixtures;
}
