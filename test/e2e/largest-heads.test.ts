/** What the schema allows works, on every transport: heads at the maximum of their settings. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { schema } from '../../src/config/schema.ts';
import { readBody, readHead, readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const largest = 2 ** 20;
const upstream = { nodes: ['http://127.0.0.1:9200'] };
const accepts = (limits: Record<string, number>) => schema.safeParse({ upstream, limits }).success;

it('the largest heads are those that the schema allows', () => {
  assert.ok(accepts({ headBytes: largest, targetBytes: largest - 1, responseHeadBytes: largest }));
  for (const over of ['headBytes', 'responseHeadBytes']) assert.ok(!accepts({ [over]: largest + 1 }), over);
});

onEachTransport('the largest heads', (kind) => {
  const limits = { headBytes: largest, targetBytes: largest - 1, responseHeadBytes: largest };
  /** `text` with as many of `x` for its `@` as make it `length` long. */
  const padded = (text: string, length: number) => text.replace('@', 'x'.repeat(length - (text.length - 1)));

  it('a request head and a target of just the limit pass, one byte more does not', async () => {
    await using origin = await Origin.open(
      answering(({ head }) => answerText(200, head.text.length.toString())),
    );
    await using stand = await Stand.open(kind, { nodes: [origin.port], limits });
    for (const text of [
      'GET / HTTP/1.1\r\nHost: es\r\nX: @\r\n\r\n',
      'GET /?@ HTTP/1.1\r\nHost: es\r\n\r\n',
    ]) {
      const client = await stand.client();
      await client.write(padded(text, largest));
      assert.equal((await readWhole(client)).head.status, 200);
      const received = origin.received.at(-1)?.head.text ?? '';
      assert.match(received, /x{1048000}/, 'it arrived whole');
      assert.equal((await stand.ended()).failure, undefined);
      await client.write(padded(text, largest + 1));
      assert.equal((await readWhole(client)).head.status, 431);
      await stand.ended();
    }
  });

  it('a response head of just the limit passes, one byte more does not', async () => {
    for (const [length, status] of [
      [largest, 200],
      [largest + 1, 502],
    ] as const) {
      await using origin = await Origin.open(async (peer) => {
        const head = await readHead(peer);
        if (head) await readBody(peer, head);
        await peer.write(`${padded('HTTP/1.1 200 OK\r\nX: @\r\nContent-Length: 2\r\n\r\n', length)}ok`);
      });
      await using stand = await Stand.open(kind, { nodes: [origin.port], limits });
      const client = await stand.client();
      await client.write('GET / HTTP/1.1\r\nHost: es\r\n\r\n');
      const answer = await readWhole(client);
      assert.equal(answer.head.status, status);
      if (status === 200) assert.match(answer.head.text, /x{1048000}/);
      assert.equal(
        (await stand.ended()).failure?.code,
        status === 200 ? undefined : 'upstream-head-too-large',
      );
    }
  });
});
