/** Many bodies at once, and a cluster of which a node is dead. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePorts } from '../../support/child.ts';
import { openClient } from '../clients.ts';
import { digest, digestOf } from '../documents.ts';
import { readAll } from '../http.ts';
import { withSluice } from '../sluice.ts';
import { corpus, type Stage } from '../stage.ts';

const crowd = 10;

export function crowdCases(stage: Stage): void {
  test('ten clients upload and read back their own documents at the same time', async () => {
    const { documents } = corpus(99);
    const share = Math.floor(documents.length / crowd);
    const one = (at: number): Promise<void> =>
      stage.withIndex(async (index) => {
        const mine = documents.slice(at * share, (at + 1) * share);
        const name = stage.kind.javascript[at % stage.kind.javascript.length]!;
        const client = await openClient(name, stage.sluice.url, { gzip: at % 3 === 0 });
        const stats = await client.bulk(index, mine, { flushBytes: 2_500_000, concurrency: 2 });
        assert.equal(stats.successful, mine.length);
        const sent = digestOf(mine);
        assert.deepEqual(digest(await readAll(stage.direct, index)), sent);
        assert.deepEqual(digest(await client.scroll(index, 1000)), sent);
        await client.close();
      });
    await Promise.all(Array.from({ length: crowd }, (_, at) => one(at)));
  });

  test('a dead node beside the living one costs no upload', async () => {
    const [nobody] = await freePorts(1);
    const { documents, digest: sent } = corpus(50);
    await stage.withIndex((index) =>
      withSluice([`http://127.0.0.1:${nobody}`, stage.direct], async (sluice) => {
        const client = await openClient(stage.kind.javascript[0]!, sluice.url, { gzip: false });
        const stats = await client.bulk(index, documents, { flushBytes: 2_500_000, concurrency: 5 });
        await client.close();
        assert.equal(stats.successful, documents.length);
        assert.deepEqual(digest(await readAll(stage.direct, index)), sent);
      }),
    );
  });
}
