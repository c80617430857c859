/** Downloads of tens of megabytes: what arrives through Sluice is what the server sends without it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openClient } from '../clients.ts';
import { digest } from '../documents.ts';
import { ask, createIndex, decoded, deleteIndex, load, sha256 } from '../http.ts';
import { corpus, type Stage } from '../stage.ts';

const index = 'stored';
const megabytes = 50;
const least = 15_000_000;

export function readCases(stage: Stage): void {
  describe('an index of 50 MB', () => {
    before(async () => {
      await createIndex(stage.direct, index);
      await load(stage.direct, index, corpus(megabytes).documents);
    });
    after(() => deleteIndex(stage.direct, index));

    for (const accept of ['identity', 'gzip']) {
      test(`one answer of 10,000 documents, ${accept}, is the server's own to the byte`, async () => {
        // Without `took` and with the index's own order the answer is the same each time.
        const path = `/${index}/_search?size=10000&sort=_doc&filter_path=hits.total,hits.hits`;
        const question = { method: 'GET', path, headers: { 'accept-encoding': accept } };
        const direct = await ask(stage.direct, question);
        const through = await ask(stage.sluice.url, question);
        assert.equal(through.status, 200);
        assert.equal(through.headers['content-length'], direct.headers['content-length']);
        assert.equal(through.headers['content-encoding'], direct.headers['content-encoding']);
        assert.equal(sha256(through.body), sha256(direct.body));
        assert.ok(decoded(through).length > least);
      });
    }

    for (const [at, client] of stage.kind.javascript.entries()) {
      for (const gzip of at === 0 ? [false, true] : [at % 2 === 0]) {
        test(`${client}: a scroll in answers of 5,000, ${gzip ? 'gzip' : 'plain'}, finds all documents`, async () => {
          const opened = await openClient(client, stage.sluice.url, { gzip });
          const hits = await opened.scroll(index, 5000);
          await opened.close();
          assert.deepEqual(digest(hits), corpus(megabytes).digest);
        });
      }
    }
  });
}
