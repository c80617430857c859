/** Uploads that are not left alone: the proxy is told to stop, or the client leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openClient } from '../clients.ts';
import { bulkLines, digest } from '../documents.ts';
import { askJson, readAll } from '../http.ts';
import { withSluice } from '../sluice.ts';
import { corpus, type Stage } from '../stage.ts';
import { Wire } from '../wire.ts';

async function until(what: () => Promise<boolean>, deadline: number): Promise<void> {
  const late = Date.now() + deadline;
  while (!(await what())) {
    if (Date.now() > late) throw new Error('it did not come to that');
    await sleep(20);
  }
}

interface HttpStats {
  readonly nodes: Readonly<Record<string, { readonly http: { readonly current_open: number } }>>;
}

/** Connections the server has open, the one that asks included. */
async function openConnections(stage: Stage): Promise<number> {
  const stats = (await askJson(stage.direct, 'GET', '/_nodes/stats/http')) as HttpStats;
  return Object.values(stats.nodes).reduce((sum, node) => sum + node.http.current_open, 0);
}

export function endingCases(stage: Stage): void {
  test('SIGTERM in the middle of an upload of 99 MB: it is stored whole, then the proxy ends', async () => {
    await stage.withIndex(async (index) => {
      const { documents, digest: sent } = corpus(99);
      await withSluice([stage.direct], async (sluice) => {
        const client = await openClient(stage.kind.javascript[0]!, sluice.url, { gzip: false });
        const upload = client.bulk(index, documents, { flushBytes: Number.MAX_SAFE_INTEGER, concurrency: 1 });
        await until(async () => (await sluice.metric('sluice_requests_in_flight')) === 1, 30_000);
        const [stats] = await Promise.all([upload, sluice.stop('SIGTERM')]);
        await client.close();
        assert.equal(stats.successful, documents.length);
      });
      assert.deepEqual(digest(await readAll(stage.direct, index)), sent);
    });
  });

  test('clients that leave in mid upload leave no connection behind, and harm nobody else', async () => {
    const body = corpus(10).documents.map(bulkLines).join('');
    const leave = async (base: string, path: string): Promise<void> => {
      const wire = await Wire.open(base);
      const fields = 'Host: search.test\r\nContent-Type: application/x-ndjson\r\nContent-Length: 50000000';
      await wire.send(`POST ${path} HTTP/1.1\r\n${fields}\r\n\r\n${body}`);
      wire.close();
    };
    await stage.withIndex((index) =>
      withSluice([stage.direct], async (sluice) => {
        const path = `/${index}/_bulk`;
        const before = await openConnections(stage);
        await Promise.all(Array.from({ length: 8 }, () => leave(sluice.url, path)));
        for (const { status, end } of await sluice.exchanges(path, 8)) {
          assert.deepEqual([status, end], [499, 'client-gone']);
        }
        await until(async () => (await openConnections(stage)) <= before, 10_000);
        // Elasticsearch 9 stores what it has read so far; the others store nothing. All go on serving.
        await askJson(sluice.url, 'GET', `/${index}/_count`);
      }),
    );
  });
}
