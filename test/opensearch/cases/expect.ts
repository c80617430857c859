/** `Expect: 100-continue`, where the server keeps a connection open that a proxy must never use again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, askJson } from '../http.ts';
import { withSluice } from '../sluice.ts';
import type { Stage } from '../stage.ts';
import { Wire, type WireAnswer } from '../wire.ts';

/** `http.max_content_length`, bytes. */
const limit = 104_857_600;

const lines = '{"index":{"_id":"1"}}\n{"n":1}\n';

function head(method: string, path: string, ...fields: readonly string[]): string {
  const all = ['Host: search.test', 'Content-Type: application/x-ndjson', ...fields];
  return `${method} ${path} HTTP/1.1\r\n${all.map((field) => `${field}\r\n`).join('')}\r\n`;
}

const expect = 'Expect: 100-continue';

/** The next request of a client: on the connection it has unless that is closed, as a client library does it. */
async function goesOn(wire: Wire, last: WireAnswer, base: string, request: string): Promise<WireAnswer> {
  const closed = /close/i.test(last.headers.get('connection') ?? '');
  if (closed) wire.close();
  const next = closed ? await Wire.open(base) : wire;
  next.send(request);
  const answer = await next.answer();
  next.close();
  assert.ok(answer, 'the next request got no answer');
  return answer;
}

export function expectCases(stage: Stage): void {
  test('an allowed Expect gets its 100 from the server, then the answer', async () => {
    await stage.withIndex(async (index) => {
      const wire = await Wire.open(stage.sluice.url);
      wire.send(head('POST', `/${index}/_bulk`, expect, `Content-Length: ${lines.length}`));
      assert.equal((await wire.answer())?.status, 100);
      wire.send(lines);
      const answer = await wire.answer();
      assert.equal(answer?.status, 200);
      assert.equal(JSON.parse(answer.body).errors, false);
      const next = await goesOn(wire, answer, stage.sluice.url, head('GET', `/${index}/_source/1`));
      assert.equal(next.body, '{"n":1}');
    });
  });

  test('an allowed Expect of a chunked body gets its 100, too', async () => {
    await stage.withIndex(async (index) => {
      const wire = await Wire.open(stage.sluice.url);
      wire.send(head('POST', `/${index}/_bulk`, expect, 'Transfer-Encoding: chunked'));
      assert.equal((await wire.answer())?.status, 100);
      wire.send(`${lines.length.toString(16)}\r\n${lines}\r\n0\r\n\r\n`);
      assert.equal((await wire.answer())?.status, 200);
      wire.close();
    });
  });

  test('after a refused Expect the next request is answered, on another upstream connection', async () => {
    // A proxy of its own, in whose pool no other connection can be found than the one that was refused on.
    await stage.withIndex((index) =>
      withSluice([stage.direct], async (sluice) => {
        const path = `/${index}/_bulk`;
        for (let round = 1; round <= 3; round++) {
          const wire = await Wire.open(sluice.url);
          wire.send(head('POST', path, expect, `Content-Length: ${limit + 1}`));
          const refused = await wire.answer();
          assert.equal(refused?.status, 413);
          assert.equal(refused.headers.get('content-length'), '0');
          const answer = await goesOn(wire, refused, sluice.url, head('GET', `/${index}/_count`));
          assert.equal(answer.status, 200);
          assert.equal(JSON.parse(answer.body).count, 0);
        }
        for (const { status, request } of await sluice.exchanges(path, 3)) {
          assert.deepEqual([status, request.bytes], [413, 0]);
        }
        for (const { reused } of await sluice.exchanges(`/${index}/_count`, 3)) assert.equal(reused, false);
      }),
    );
  });

  // Sent straight to OpenSearch, the body's first lines would be obeyed as the next request.
  test('a body sent in spite of a refused Expect is never read as a request', async () => {
    await stage.withIndex(async (index) => {
      const wire = await Wire.open(stage.sluice.url);
      wire.send(head('POST', `/${index}/_bulk`, expect, `Content-Length: ${limit + 1}`));
      assert.equal((await wire.answer())?.status, 413);
      wire.send(head('DELETE', `/${index}`, 'Content-Length: 0'));
      assert.equal(await wire.answer(5000), undefined);
      wire.close();
      const still = await ask(stage.direct, { method: 'HEAD', path: `/${index}` });
      assert.equal(still.status, 200);
    });
  });

  test('a body over the limit without Expect gets a 413, and the client goes on', async () => {
    await stage.withIndex(async (index) => {
      const body = Buffer.alloc(limit + 1, 'x');
      const refused = await ask(stage.sluice.url, { method: 'POST', path: `/${index}/_bulk`, body });
      assert.equal(refused.status, 413);
      await askJson(stage.sluice.url, 'GET', `/${index}/_count`);
    });
  });

  test('an expectation that nobody knows is a 417', async () => {
    const wire = await Wire.open(stage.sluice.url);
    wire.send(head('POST', '/_bulk', 'Expect: 200-surely', `Content-Length: ${lines.length}`));
    assert.equal((await wire.answer())?.status, 417);
    wire.close();
  });
}
