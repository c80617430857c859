/** Uploads by the official clients: what the server holds afterwards is exactly what the client was given. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { JavaScriptClient, PythonClient } from '../catalogue.ts';
import { openClient, type SearchClient } from '../clients.ts';
import { bulkParts, type Document, digest } from '../documents.ts';
import { readAll } from '../http.ts';
import { runPython } from '../python.ts';
import { corpus, type Stage } from '../stage.ts';

interface Upload {
  /** The `_bulk` body's size before it is compressed. */
  readonly megabytes: number;
  readonly gzip: boolean;
  /** The body is a stream of parts of about so many bytes, each a chunk; otherwise its length is known. */
  readonly chunk?: number;
}

const titleOf = ({ megabytes, gzip, chunk }: Upload) =>
  `a ${gzip ? 'gzip' : 'plain'} bulk of ${megabytes} MB${chunk === undefined ? '' : `, in chunks,`}`;

/** `http.max_content_length`, at which the Python clients are told to cut a bulk in two. */
const limit = 104_857_600;

/** The access log has the upload as one body, of the size it should be, that went the way it should. */
async function assertMoved(stage: Stage, index: string, upload: Upload): Promise<void> {
  const [exchange, ...more] = await stage.sluice.exchanges(`/${index}/_bulk`, 1);
  assert.ok(exchange);
  assert.equal(more.length, 0, 'one body was expected');
  const { request, status, end, transport } = exchange;
  const framing = upload.chunk === undefined ? 'length' : 'chunked';
  assert.deepEqual([status, end, request.framing], [200, 'complete', framing]);
  const least = upload.megabytes * (upload.gzip ? 150_000 : 990_000);
  assert.ok(request.bytes >= least, `${request.bytes} of ${least} bytes`);
  // Where the engine is not built, on node:net, every byte is copied.
  if (transport === 'engine' && framing === 'length' && request.bytes >= 10_000_000) {
    assert.ok(
      (request.spliced ?? 0) >= 0.99 * request.bytes,
      `${request.spliced} spliced of ${request.bytes}`,
    );
  }
}

/** The client's bulk helper where the length is known, else a stream given to the client's transport. */
async function send(
  client: SearchClient,
  index: string,
  documents: readonly Document[],
  { chunk }: Upload,
): Promise<void> {
  if (chunk === undefined) {
    const all = { flushBytes: Number.MAX_SAFE_INTEGER, concurrency: 1 };
    assert.equal((await client.bulk(index, documents, all)).successful, documents.length);
  } else {
    const answer = await client.bulkStream(index, Readable.from(bulkParts(documents, chunk)));
    assert.equal(answer.status, 200);
    assert.equal((answer.body as { errors: boolean }).errors, false);
  }
}

function uploadCase(stage: Stage, name: JavaScriptClient, upload: Upload): void {
  test(`${name}: ${titleOf(upload)} is stored whole`, async () => {
    await stage.withIndex(async (index) => {
      const { documents, digest: sent } = corpus(upload.megabytes);
      const client = await openClient(name, stage.sluice.url, upload);
      await send(client, index, documents, upload);
      await client.close();
      assert.deepEqual(digest(await readAll(stage.direct, index)), sent);
      await assertMoved(stage, index, upload);
    });
  });
}

function pythonCase(stage: Stage, client: PythonClient, upload: Upload): void {
  test(`python ${client}: ${titleOf(upload)} is stored whole and comes back by a scan`, async () => {
    await stage.withIndex(async (index) => {
      const { documents, digest: sent } = corpus(upload.megabytes);
      const run = { client, url: stage.sluice.url, index, documents, bulkBytes: limit, gzip: upload.gzip };
      const { indexed, ...scanned } = await runPython(run);
      assert.equal(indexed, documents.length);
      assert.deepEqual(scanned, sent);
      assert.deepEqual(digest(await readAll(stage.direct, index)), sent);
      await assertMoved(stage, index, upload);
    });
  });
}

export function bulkCases(stage: Stage): void {
  const [main, ...others] = stage.kind.javascript;
  assert.ok(main);
  for (const megabytes of [10, 50, 99]) {
    for (const gzip of [false, true]) uploadCase(stage, main, { megabytes, gzip });
  }
  uploadCase(stage, main, { megabytes: 99, gzip: false, chunk: 65_536 });
  uploadCase(stage, main, { megabytes: 50, gzip: true, chunk: 65_536 });
  for (const [at, client] of others.entries()) {
    uploadCase(stage, client, { megabytes: at === 0 ? 50 : 10, gzip: false });
    uploadCase(stage, client, { megabytes: 10, gzip: true });
    uploadCase(stage, client, { megabytes: 10, gzip: false, chunk: 1 });
  }

  const [mainPython, ...otherPythons] = stage.kind.python;
  assert.ok(mainPython);
  pythonCase(stage, mainPython, { megabytes: 99, gzip: false });
  pythonCase(stage, mainPython, { megabytes: 10, gzip: true });
  for (const client of otherPythons) pythonCase(stage, client, { megabytes: 10, gzip: false });
}
