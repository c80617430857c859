/** The process that reads policies for a proxy: a line of JSON in, a line of JSON out. See reader-process.ts. */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { ReadRequest } from '../reader-process.ts';
import type { Reading } from '../store.ts';
import { readSet, toReading } from './reading.ts';

/** Resolves when the proxy has closed its end. */
export async function serveReading(input: Readable, output: Writable): Promise<void> {
  for await (const line of createInterface({ input })) {
    const { texts, surroundings } = JSON.parse(line) as ReadRequest;
    const reading: Reading = toReading(await readSet(texts, surroundings));
    output.write(`${JSON.stringify(reading)}\n`);
  }
}
