/** Answers of every kind: through Sluice they have the status, the fields and the body they have without it. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { openClient, type ResponseError } from '../clients.ts';
import { bulkParts } from '../documents.ts';
import { ask, askJson, type Question, type Reply } from '../http.ts';
import { corpus, type Stage } from '../stage.ts';

/** For a server that takes bodies of at most 1 MB and 512 KB of bulk at a time. */
export const tight = { 'http.max_content_length': '1mb', 'indexing_pressure.memory.limit': '512kb' };

const index = 'answers';

function bulkOf(bytes: number): string {
  const lines = `{"index":{}}\n{"text":"${'Ærøskøbing '.repeat(80)}"}\n`;
  return lines.repeat(Math.floor(bytes / Buffer.byteLength(lines)));
}

const questions: readonly (Question & { readonly status: number })[] = [
  { status: 400, method: 'POST', path: `/${index}/_bulk`, body: '{"not":"ended by a newline"}' },
  { status: 400, method: 'POST', path: `/${index}/_search`, body: '{"query":{"unheard-of":{}}}' },
  { status: 400, method: 'PUT', path: `/${index}`, body: '{}' },
  { status: 404, method: 'GET', path: `/${index}/_doc/missing` },
  { status: 404, method: 'GET', path: '/missing/_search' },
  { status: 405, method: 'DELETE', path: `/${index}/_search` },
  { status: 406, method: 'POST', path: `/${index}/_doc`, body: '-', headers: { 'content-type': 'text/odd' } },
  { status: 409, method: 'PUT', path: `/${index}/_create/1`, body: '{"n":2}' },
  { status: 413, method: 'POST', path: `/${index}/_bulk`, body: bulkOf(3_000_000) },
  { status: 429, method: 'POST', path: `/${index}/_bulk`, body: bulkOf(1_000_000) },
  { status: 200, method: 'HEAD', path: `/${index}` },
  { status: 404, method: 'HEAD', path: '/missing' },
  { status: 200, method: 'HEAD', path: `/${index}/_doc/1` },
  { status: 404, method: 'HEAD', path: `/${index}/_doc/missing` },
  { status: 200, method: 'OPTIONS', path: `/${index}` },
  {
    status: 200,
    method: 'GET',
    path: '/_nodes/_all/http?filter_path=nodes.*.name,nodes.*.http.publish_address',
  },
  { status: 200, method: 'GET', path: `/_cat/indices/${index}?h=index,docs.count` },
  { status: 200, method: 'GET', path: `/%3C${index}%3E/_count` },
];

/** What two runs of one request may differ in: sizes of what was in flight when indexing was refused. */
function comparable(reply: Reply): unknown {
  // An answer to HEAD has no body, so that its transfer coding may be dropped (RFC 9112, section 6.1).
  const { connection, 'transfer-encoding': coding, ...headers } = reply.headers;
  if (reply.status === 429) delete headers['content-length'];
  return { status: reply.status, headers, body: reply.body.toString().replaceAll(/bytes=\d+/g, 'bytes=n') };
}

/** What Sluice adds is its own business; nothing that the server said may be missing or different. */
function assertSame(through: Reply, direct: Reply): void {
  const expected = comparable(direct) as { headers: Record<string, unknown> };
  const actual = comparable(through) as { headers: Record<string, unknown> };
  const kept = Object.keys(expected.headers).map((name) => [name, actual.headers[name]]);
  assert.deepEqual({ ...actual, headers: Object.fromEntries(kept) }, expected);
}

export function answerCases(stage: Stage): void {
  describe('answers', () => {
    before(async () => {
      await askJson(stage.direct, 'PUT', `/${index}`, { settings: { number_of_replicas: 0 } });
      await askJson(stage.direct, 'PUT', `/${index}/_doc/1?refresh=true`, { n: 1 });
    });
    after(() => askJson(stage.direct, 'DELETE', `/${index}`));

    for (const { status, ...question } of questions) {
      test(`${status} to ${question.method} ${question.path} is the server's own`, async () => {
        const direct = await ask(stage.direct, question);
        assert.equal(direct.status, status);
        assertSame(await ask(stage.sluice.url, question), direct);
      });
    }

    for (const client of stage.kind.javascript) {
      test(`${client}: errors reach the caller with their status and body`, async () => {
        const opened = await openClient(client, stage.sluice.url, { gzip: false });
        const thrown = async (status: number, action: () => Promise<unknown>): Promise<ResponseError> => {
          const error = await action().then(
            () => assert.fail(`${status} expected`),
            (error: ResponseError) => error,
          );
          assert.equal(error.statusCode, status, error.message);
          return error;
        };
        const typeOf = (error: ResponseError) => (error.meta.body as { error: { type: string } }).error.type;
        const { documents } = corpus(10);
        const bulk = (count: number) => () =>
          opened.bulk(index, documents.slice(0, count), { flushBytes: 100_000_000, concurrency: 1 });
        const bad = await thrown(400, () =>
          opened.request('POST', `/${index}/_search`, { query: { odd: {} } }),
        );
        assert.equal(typeOf(bad), 'parsing_exception');
        const missing = await thrown(404, () => opened.request('GET', '/missing/_search'));
        assert.equal(typeOf(missing), 'index_not_found_exception');
        const taken = await thrown(409, () => opened.request('PUT', `/${index}/_create/1`, { n: 2 }));
        assert.equal(typeOf(taken), 'version_conflict_engine_exception');
        const pressed = await thrown(429, bulk(400));
        assert.match(typeOf(pressed), /rejected_execution_exception$/);
        await thrown(413, bulk(documents.length));
        await opened.close();
      });

      // Without a proxy a client is often still writing when the server closes, and sees a broken pipe instead.
      test(`${client}: the 413 in the middle of a chunked upload arrives as a 413`, async () => {
        const opened = await openClient(client, stage.sluice.url, { gzip: false });
        const body = Readable.from(bulkParts(corpus(10).documents, 65_536));
        await assert.rejects(opened.bulkStream(index, body), { statusCode: 413 });
        await opened.close();
      });
    }
  });
}
