/**
 * A FIN or a reset at every point of an exchange, from both sides: the other side is let go at once (behind a whole
 * request a FIN is passed on, and the server decides), the client gets the right status or can tell that it has not got
 * everything, and no connection of the exchange is used again.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body } from '../support/body.ts';
import { chunked } from '../support/chunked-body.ts';
import { until } from '../support/deadline.ts';
import { readAnswer, readHead } from '../support/http-peer.ts';
import { Origin, type Script } from '../support/origin.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const size = 100_000;
const bytes = body(size);
const noPreflight = { threshold: Number.POSITIVE_INFINITY };
const requestHead = 'POST /i HTTP/1.1\r\nHost: es\r\n';
const requests = {
  length: Buffer.concat([Buffer.from(`${requestHead}Content-Length: ${size}\r\n\r\n`), bytes]),
  chunked: Buffer.concat([
    Buffer.from(`${requestHead}Transfer-Encoding: chunked\r\n\r\n`),
    chunked(bytes, 1000),
  ]),
};
const answerHead = 'HTTP/1.1 200 OK\r\n';
const answers = {
  length: Buffer.concat([Buffer.from(`${answerHead}Content-Length: ${size}\r\n\r\n`), bytes]),
  chunked: Buffer.concat([
    Buffer.from(`${answerHead}Transfer-Encoding: chunked\r\n\r\n`),
    chunked(bytes, 1000),
  ]),
  'until close': Buffer.concat([Buffer.from(`${answerHead}\r\n`), bytes]),
};
type Cut = 'FIN' | 'reset';
const cuts: readonly Cut[] = ['FIN', 'reset'];

const headEnd = (message: Buffer) => message.indexOf('\r\n\r\n') + 4;

/** Where a message can be cut, as offsets into it; its very end is not among them. */
function places(message: Buffer): readonly (readonly [string, number])[] {
  const end = headEnd(message);
  return [
    ['inside the head', end - 10],
    ['right behind the head', end],
    ['after one byte of the body', end + 1],
    ['inside the body', end + 50_000],
    ['before the last byte', message.length - 1],
  ];
}

function cut(peer: RawPeer, how: Cut): void {
  if (how === 'reset') peer.reset();
  else peer.destroy();
}

/** As the servers do: a client that ends its side is taken as gone. Says how it went. */
async function letGo(peer: RawPeer): Promise<string> {
  const ending = await peer.ending();
  peer.destroy();
  return ending;
}

onEachTransport('a client that leaves', (kind) => {
  for (const how of cuts) {
    for (const [framing, request] of Object.entries(requests)) {
      for (const [where, offset] of places(request)) {
        it(`${how} ${where} of a request (${framing})`, async () => {
          const seen: string[] = [];
          await using origin = await Origin.open(async (peer) => {
            seen.push(await peer.ending());
          });
          await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
          const client = await stand.client();
          await client.write(request.subarray(0, offset));
          if (offset >= headEnd(request)) await until('the origin to see it', () => origin.accepted === 1);
          cut(client, how);
          const { failure, status } = await stand.ended();
          assert.deepEqual([failure?.code, status], ['client-gone', 499]);
          await until('the server to be let go', () => seen.length === origin.accepted);
          await until('the connection to close', () => stand.front.connections === 0);
          assert.equal(stand.cluster.nodes[0]!.idleConnections, 0);
        });
      }
    }

    it(`${how} while it waits for an answer`, async () => {
      for (const request of [
        requests.length,
        requests.chunked,
        Buffer.from('GET / HTTP/1.1\r\nHost: es\r\n\r\n'),
      ]) {
        const seen: string[] = [];
        await using origin = await Origin.open(async (peer) => {
          await origin.receive(peer);
          seen.push(await letGo(peer));
        });
        await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
        const client = await stand.client();
        await client.write(request);
        await until('the request to arrive', () => origin.received.length === 1);
        cut(client, how);
        assert.equal((await stand.ended()).failure?.code, 'client-gone');
        await until('the server to be let go', () => seen.length === 1);
        assert.equal(stand.cluster.nodes[0]!.idleConnections, 0);
      }
    });

    for (const [framing, answer] of Object.entries(answers)) {
      it(`${how} in the middle of an answer (${framing}), whether it flows or not`, async () => {
        for (const flows of [true, false]) {
          const seen: string[] = [];
          await using origin = await Origin.open(async (peer) => {
            await readHead(peer);
            // Fifty chunks of 1,000 bytes, each with its framing, and nothing of the next.
            await peer.write(answer.subarray(0, headEnd(answer) + 50 * 1007));
            // The body goes on while its client is gone: more of it than any buffer holds.
            if (flows)
              while (await peer.write(framing === 'chunked' ? `1000\r\n${'x'.repeat(4096)}\r\n` : bytes));
            seen.push(await letGo(peer));
          });
          await using stand = await Stand.open(kind, { nodes: [origin.port] });
          const client = await stand.client();
          await client.write('GET / HTTP/1.1\r\nHost: es\r\n\r\n');
          await client.exactly(10_000);
          cut(client, how);
          const exchange = await stand.ended();
          // A body until close ends well where the server closes because it was told of the end.
          const endsWell = framing === 'until close' && how === 'FIN' && !flows;
          if (framing !== 'length' && !endsWell) assert.equal(exchange.failure?.code, 'client-gone');
          await until('the server to be let go', () => seen.length === 1);
          assert.equal(stand.cluster.nodes[0]!.idleConnections, 0);
        }
      });
    }

    it(`${how} between two requests, or before the first, is no exchange`, async () => {
      await using origin = await Origin.open();
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      for (const before of ['', 'GET / HTTP/1.1\r\nHost: es\r\n\r\n']) {
        const client = await stand.client();
        await client.write(before);
        if (before !== '') await readAnswer(client);
        cut(client, how);
        await until('the connection to close', () => stand.front.connections === 0);
      }
      assert.equal(stand.exchanges.length, 1);
      // The server has done nothing wrong: its connection stays.
      assert.equal(stand.cluster.nodes[0]!.idleConnections, 1);
    });
  }
});

onEachTransport('a server that leaves', (kind) => {
  /** Runs one exchange against `script` and gives what the client makes of it. */
  async function ask(script: Script, request: Buffer) {
    await using origin = await Origin.open(script);
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: noPreflight });
    const client = await stand.client();
    void client.write(request);
    const answer = await readAnswer(client);
    const exchange = await stand.ended();
    await stand.settled();
    assert.equal(stand.cluster.nodes[0]!.idleConnections, 0);
    // Of a cut exchange nothing may go on: neither connection.
    if (answer.kind !== 'whole') {
      await until('the client to be let go', () => stand.front.connections === 0);
    }
    return { answer, exchange, origin };
  }

  for (const how of cuts) {
    it(`${how} before it has read anything: 502`, async () => {
      for (const request of Object.values(requests)) {
        const { answer, exchange } = await ask(async (peer) => cut(peer, how), request);
        assert.equal(answer.kind === 'whole' && answer.head.status, 502);
        // A reset can come before the connect is seen to have succeeded.
        assert.match(
          exchange.failure?.code ?? '',
          how === 'FIN' ? /^upstream-closed$/ : /^upstream-(closed|refused)$/,
        );
      }
    });

    for (const [framing, request] of Object.entries(requests)) {
      for (const [where, read] of [
        ['after the head', 150],
        ['in the middle of the body', 50_000],
        ['after the body', -1],
      ] as const) {
        it(`${how} ${where} of a request (${framing}): 502, and it is not sent again`, async () => {
          const { answer, exchange, origin } = await ask(async (peer, _nth, origin) => {
            if (read > 0) await peer.exactly(read);
            else await origin.receive(peer);
            cut(peer, how);
          }, request);
          assert.equal(answer.kind === 'whole' && answer.head.status, 502);
          assert.equal(exchange.failure?.code, 'upstream-closed');
          if (read !== 150) assert.equal(origin.accepted, 1);
        });
      }
    }

    for (const [framing, answer] of Object.entries(answers)) {
      for (const [where, offset] of places(answer)) {
        it(`${how} ${where} of an answer (${framing})`, async () => {
          const outcome = await ask(async (peer, _nth, origin) => {
            await origin.receive(peer);
            await peer.write(answer.subarray(0, offset));
            await until('it to be sent', () => peer.socket.writableLength === 0);
            // What is lost in flight to a reset is the kernel's to decide; here it has arrived.
            await new Promise((resolve) => setTimeout(resolve, 20));
            cut(peer, how);
          }, requests.length);
          const { kind: got } = outcome.answer;
          const { failure, status } = outcome.exchange;
          if (where === 'inside the head') {
            assert.equal(outcome.answer.kind === 'whole' && outcome.answer.head.status, 502);
            assert.equal(failure?.code, 'upstream-closed');
          } else if (framing === 'until close' && how === 'FIN') {
            assert.deepEqual([got, failure], ['whole', undefined]);
          } else {
            assert.notEqual(got, 'whole', 'the client takes what it got for the whole');
            assert.deepEqual([failure?.code, status], ['upstream-truncated', 200]);
          }
        });
      }
    }
  }

  it('in the middle of a chunked answer: a client of HTTP/1.0, for whom the close is the end, is reset', async () => {
    const request = Buffer.from('GET / HTTP/1.0\r\n\r\n');
    const { answer } = await ask(async (peer) => {
      await readHead(peer);
      await peer.write(answers.chunked.subarray(0, 50_000));
      peer.end();
    }, request);
    assert.notEqual(answer.kind, 'whole');
  });
});
