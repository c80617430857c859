/** Runs an official Python client in its own interpreter and reads what it reports. */
import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { cached, here } from './cache.ts';
import type { PythonClient } from './catalogue.ts';
import type { Digest, Document } from './documents.ts';

export interface PythonRun {
  readonly client: PythonClient;
  readonly url: string;
  readonly index: string;
  readonly documents: readonly Document[];
  /** The size at which the client cuts a bulk. */
  readonly bulkBytes: number;
  readonly gzip: boolean;
}

/** Indexes the documents and scans them back, all through `url`; resolves with what the client saw. */
export async function runPython(run: PythonRun): Promise<Digest & { readonly indexed: number }> {
  const file = path.join(cached('run'), `${run.index}.ndjson`);
  writeFileSync(file, run.documents.map((document) => JSON.stringify(document)).join('\n'));
  try {
    const { stdout } = await promisify(execFile)(
      path.join(cached('venv'), 'bin', 'python'),
      [
        path.join(here, 'python', 'client.py'),
        run.client,
        run.url,
        run.index,
        file,
        String(run.bulkBytes),
        run.gzip ? '1' : '0',
      ],
      {
        env: { PATH: process.env.PATH, PYTHONPATH: cached('python', run.client), PYTHONWARNINGS: 'ignore' },
        timeout: 150_000,
      },
    );
    return JSON.parse(stdout);
  } finally {
    rmSync(file);
  }
}
