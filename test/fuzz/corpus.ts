/** The inputs in test/fuzz/corpus: where the fuzzers start from, and what they have found. */
import { readdirSync, readFileSync } from 'node:fs';

export interface CorpusFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export function corpus(target: 'head' | 'chunk-decoder'): readonly CorpusFile[] {
  const folder = new URL(`corpus/${target}/`, import.meta.url);
  return readdirSync(folder).map((file) => ({
    name: file.replace(/\.http$/, ''),
    bytes: readFileSync(new URL(file, folder)),
  }));
}
