/**
 * The streaming bulk of OpenSearch's reactive HTTP module. The server takes each chunk of the request for a bulk of its
 * own: a chunk's bound in the middle of a document loses that document.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAll } from '../http.ts';
import type { Stage } from '../stage.ts';
import { Wire } from '../wire.ts';

/** `http.max_chunk_size` is 8 KB unless said otherwise: the server itself cuts chunks that are larger. */
export const streaming = { 'http.type': 'reactor-netty4', 'http.max_chunk_size': '2mb' };

const sizes = [1000, 5000, 30_000, 200_000, 700_000];
const rounds = 8;

interface Item {
  readonly index: { readonly _id: string; readonly status: number; readonly result?: string };
}
interface BulkAnswer {
  readonly errors: boolean;
  readonly items: readonly Item[];
}

/** Whole documents, exactly `size` bytes of them. */
function chunk(prefix: string, size: number): { readonly ids: readonly string[]; readonly text: string } {
  const count = 1 + Math.floor(size / 3000);
  const ids = Array.from({ length: count }, (_, at) => `${prefix}-${at}`);
  const lines = (pad: number) =>
    ids.map((id, at) => {
      const text = 'x'.repeat(at === count - 1 ? pad : Math.floor(size / count) - 120);
      return `{"index":{"_id":"${id}"}}\n{"id":"${id}","text":"${text}"}\n`;
    });
  const bare = lines(0).join('').length;
  assert.ok(bare < size, 'a chunk has room for its documents');
  return { ids, text: lines(size - bare).join('') };
}

const made = Array.from({ length: rounds }, (_, round) =>
  sizes.map((size, at) => chunk(`${round}-${at}`, size)),
).flat();

const coded = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

const head = (index: string) =>
  `POST /${index}/_bulk/stream HTTP/1.1\r\nHost: search.test\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n`;

/** Sends all chunks in turn and gives the server's answers. */
async function upload(base: string, index: string, texts: readonly string[]): Promise<BulkAnswer[]> {
  const wire = await Wire.open(base);
  try {
    await wire.send(head(index));
    for (const text of texts) await wire.send(coded(text));
    await wire.send('0\r\n\r\n');
    const answer = await wire.answer(60_000);
    assert.equal(answer?.status, 200, answer?.body);
    return answer.body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  } finally {
    wire.close();
  }
}

/** Each chunk was answered by itself, and each document is stored once. */
async function assertStored(stage: Stage, index: string, answers: readonly BulkAnswer[]): Promise<void> {
  assert.equal(answers.length, made.length, 'an answer for each chunk');
  const items = answers.flatMap((answer) => answer.items);
  assert.deepEqual(
    items.filter((item) => item.index.status !== 201 || item.index.result !== 'created'),
    [],
  );
  const ids = made.flatMap((one) => one.ids).toSorted();
  assert.deepEqual(items.map((item) => item.index._id).toSorted(), ids);
  const stored = await readAll(stage.direct, index);
  assert.deepEqual(stored.map((hit) => hit._id).toSorted(), ids);
}

export function streamedBulkCases(stage: Stage): void {
  const texts = made.map((one) => one.text);
  for (const way of ['direct', 'through Sluice'] as const) {
    test(`streaming bulk, ${way}: every document of every chunk is stored once, none is cut`, async () => {
      await stage.withIndex(async (index) => {
        const base = way === 'direct' ? stage.direct : stage.sluice.url;
        await assertStored(stage, index, await upload(base, index, texts));
        if (way === 'direct') return;
        const [exchange] = await stage.sluice.exchanges(`/${index}/_bulk/stream`, 1);
        const sent = texts.reduce((sum, text) => sum + text.length, 0);
        assert.deepEqual([exchange?.end, exchange?.request.bytes], ['complete', sent]);
        if (exchange?.transport === 'engine') assert.ok((exchange.request.spliced ?? 0) > 0.8 * sent);
      });
    });
  }

  test('streaming bulk, direct: a document that a chunk cuts in two is lost', async () => {
    await stage.withIndex(async (index) => {
      const all = texts.slice(0, 3).join('');
      const cut = all.match(/.{1,16295}/gs) ?? [];
      await upload(stage.direct, index, cut);
      const stored = await readAll(stage.direct, index);
      const ids = made.slice(0, 3).flatMap((one) => one.ids);
      assert.ok(stored.length < ids.length, `${stored.length} of ${ids.length} documents`);
    });
  });
}
