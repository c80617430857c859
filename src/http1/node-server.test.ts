/**
 * Node's server as a second opinion on requests: whatever is accepted here, it accepts too and reads alike,
 * so that nobody behind Sluice sees another request than the one that was judged. What differs on purpose is
 * `deliberate`.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { patience } from '../../test/support/deadline.ts';
import { chunkedBodies, knownMethods, requestHeads, spoiled } from '../../test/support/generated-heads.ts';
import { headFixtures } from '../../test/support/head-fixtures.ts';
import { ChunkedDecoder, chunkHeader, lastChunk } from './chunked.ts';
import { parseRequestHead, type RequestHead } from './request-head.ts';

/** Accepted here and read otherwise by Node, each with its reason. */
const deliberate: Readonly<Record<string, string>> = {
  'unknown-method': 'Node knows a fixed list of methods; a proxy passes every token on',
  'upgrade-to-h2c': 'Node reads no further on the connection; Sluice strips Upgrade and stays with HTTP/1.1',
};
const isAbsolute = (url: string) => /^https?:/i.test(url);

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly version: string;
  readonly rawHeaders: readonly string[];
  /** Undefined when it did not end. */
  body: string | undefined;
}

const sentinel = 'GET /sentinel HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\n\r\n';
const seenBy = new Map<number, Seen[]>();

async function record(message: IncomingMessage): Promise<void> {
  const { method, url, httpVersion, rawHeaders } = message;
  const seen: Seen = { method, url, version: httpVersion, rawHeaders, body: undefined };
  seenBy.get(message.socket.remotePort ?? 0)?.push(seen);
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  seen.body = Buffer.concat(chunks).toString('latin1');
}

const server = createServer({ insecureHTTPParser: false, maxHeaderSize: 65_536 }, (message, response) => {
  record(message).then(
    () => response.end(),
    () => response.destroy(),
  );
});
server.on('checkExpectation', (_, response) => response.writeHead(417).end());
server.maxHeadersCount = 0;

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => server.close());

/** What Node makes of these bytes, sent on a connection of their own and followed by a FIN. */
async function nodeReads(bytes: Buffer): Promise<readonly Seen[]> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.setTimeout(5000, () => socket.destroy(new Error('Node did not answer in time')));
  await once(socket, 'connect');
  const seen: Seen[] = [];
  const port = socket.localPort ?? 0;
  seenBy.set(port, seen);
  socket.end(bytes);
  socket.resume();
  await once(socket, 'close');
  seenBy.delete(port);
  return seen;
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

function bodyFor(head: RequestHead): { text: string; data: string } {
  if (head.framing.kind === 'chunked') return { text: '5\r\nhello\r\n0\r\n\r\n', data: 'hello' };
  const data = 'x'.repeat(head.framing.kind === 'length' ? head.framing.length : 0);
  return { text: data, data };
}

/**
 * Sends an accepted head with a body of its framing and, where one may follow, a second request right behind
 * it.
 */
async function assertReadAlike(headBytes: Buffer, head: RequestHead): Promise<void> {
  const { text, data } = bodyFor(head);
  const [first, second] = await nodeReads(
    Buffer.concat([headBytes, latin1(text + (head.persistent ? sentinel : ''))]),
  );
  assert.ok(first !== undefined, `Node refuses ${JSON.stringify(headBytes.toString('latin1'))}`);
  assert.deepEqual([first.method, first.version, first.body], [head.method, head.version, data]);
  if (first.url === undefined || !isAbsolute(first.url)) assert.equal(first.url, head.target);
  else assert.ok(first.url.includes(head.host), 'the authority of an absolute target');
  const ours = head.fields.list.flatMap(({ name, value }) => [name, value]);
  const kept = new Set(head.fields.list.map(({ name }) => name));
  // Look-alikes with `_` are dropped here and shown by Node.
  const theirs = first.rawHeaders.filter((_, at, all) => {
    const name = all[at - (at % 2)] ?? '';
    return kept.has(name) || !name.includes('_');
  });
  assert.deepEqual(theirs, ours);
  if (head.persistent) assert.equal(second?.url, '/sentinel', 'the next request begins where the body ends');
}

const limits = { maxTarget: 4096, maxFields: 100 };
const parse = (bytes: Buffer) => parseRequestHead(bytes, 0, bytes.length, limits);

describe('Node reads a good head alike', { timeout: patience }, () => {
  for (const { name, bytes, expected } of headFixtures('request')) {
    if (expected !== undefined) continue;
    const head = parse(bytes);
    if ('code' in head || (head.contentLength ?? 0) > 1_000_000) continue;
    test(name, async () => {
      if (deliberate[name] === undefined) await assertReadAlike(bytes, head);
      else await assert.rejects(assertReadAlike(bytes, head));
    });
  }
});

test('Node reads every generated head alike', { timeout: patience }, async () => {
  await fc.assert(
    fc.asyncProperty(requestHeads(knownMethods), async ({ text }) => {
      const head = parse(latin1(text));
      assert.ok(!('code' in head));
      await assertReadAlike(latin1(text), head);
    }),
    { numRuns: 150 },
  );
});

test('a spoiled head that is accepted here, Node reads alike', { timeout: patience }, async () => {
  await fc.assert(
    fc.asyncProperty(spoiled(requestHeads(knownMethods).map(({ text }) => text)), async (text) => {
      const head = parse(latin1(text));
      if ('code' in head || (head.contentLength ?? 0) > 1_000_000) return;
      if (!/^(?:GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH)$/.test(head.method)) return;
      await assertReadAlike(latin1(text), head);
    }),
    { numRuns: 2000 },
  );
});

test('a chunked body, sound or spoiled, that is accepted here, Node reads alike as received and as forwarded', {
  timeout: patience,
}, async () => {
  const sound = chunkedBodies.map(({ text }) => text);
  await fc.assert(
    fc.asyncProperty(fc.oneof(sound, spoiled(sound)), async (text) => {
      const bytes = latin1(text);
      const decoder = new ChunkedDecoder();
      let data = '';
      let step = decoder.next(bytes, 0, bytes.length);
      for (; step.kind === 'data'; step = decoder.next(bytes, step.end, bytes.length)) {
        data += bytes.toString('latin1', step.start, step.end);
      }
      if (step.kind !== 'end') return;
      const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
      const [received] = await nodeReads(latin1(head + text.slice(0, step.at)));
      // Node may refuse what is dropped here: extensions that break their own grammar, framing in trailers.
      if (received?.body !== undefined) assert.equal(received.body, data);

      const chunk = data === '' ? '' : `${chunkHeader(data.length)}${data}\r\n`;
      const written = chunk + lastChunk(decoder.trailers);
      const [forwarded, next] = await nodeReads(latin1(head + written + sentinel));
      assert.deepEqual([forwarded?.body, next?.url], [data, '/sentinel']);
    }),
    { numRuns: 300 },
  );
});
