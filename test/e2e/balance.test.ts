/** Nodes are chosen by the bytes under way to them. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { exchangeWeight } from '../../src/upstream/weight.ts';
import { body } from '../support/body.ts';
import { until } from '../support/deadline.ts';
import { readHead, readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin, type Script } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const noPreflight = { threshold: Number.POSITIVE_INFINITY };
const post = (length: number) => `POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${length}\r\n\r\n`;

/** Reads a head and holds a large body back; answers all else at once. */
const holding: Script = async (peer) => {
  for (;;) {
    const head = await readHead(peer);
    if (!head) return;
    const length = Number(head.field('content-length') ?? 0);
    if (length > MIB) return;
    await peer.exactly(length);
    await peer.write(answerText(200, 'small'));
  }
};

onEachTransport('the balance', (kind) => {
  for (const [what, framing] of [
    ['of 100 MB', post(100 * MIB)],
    [
      'of unknown length',
      'POST /_bulk HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    ],
  ] as const) {
    it(`a node that has an upload ${what} under way gets no small request`, async () => {
      await using one = await Origin.open(holding);
      await using two = await Origin.open(holding);
      await using stand = await Stand.open(kind, { nodes: [one.port, two.port], preflight: noPreflight });
      const large = await stand.client();
      await large.write(framing);
      await until('the upload to begin', () => one.accepted + two.accepted === 1);
      const [busy, free] = stand.cluster.nodes[0]!.bytesInFlight > 0 ? [0, 1] : [1, 0];
      assert.ok(stand.cluster.nodes[busy]!.bytesInFlight >= 16 * MIB);
      const small = await stand.client();
      for (let i = 0; i < 30; i++) {
        await small.write(`${post(10)}0123456789`);
        await readWhole(small);
        assert.equal((await stand.ended()).node, stand.cluster.nodes[free]!.name);
      }
      large.reset();
      await until('the weight to be taken off', () => stand.cluster.nodes[busy]!.bytesInFlight === 0);
    });
  }

  it('an answer weighs as well', async () => {
    const sending: Script = async (peer) => {
      const head = await readHead(peer);
      if (head?.target !== '/large') return void (await peer.write(answerText(200, 'small')));
      await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${100 * MIB}\r\n\r\n`);
    };
    await using one = await Origin.open(sending);
    await using two = await Origin.open(sending);
    await using stand = await Stand.open(kind, { nodes: [one.port, two.port] });
    const large = await stand.client();
    await large.write('GET /large HTTP/1.1\r\nHost: es\r\n\r\n');
    await readHead(large);
    const weights = stand.cluster.nodes.map(({ bytesInFlight }) => bytesInFlight).sort((a, b) => a - b);
    assert.deepEqual(weights, [0, exchangeWeight + 100 * MIB]);
    // A mere FIN leaves the server the choice, and this one never makes it.
    large.reset();
  });

  it('both nodes share what is alike', async () => {
    const origin = () => Origin.open(answering());
    await using one = await origin();
    await using two = await origin();
    await using stand = await Stand.open(kind, { nodes: [one.port, two.port] });
    const client = await stand.client();
    for (let i = 0; i < 60; i++) {
      await client.write(post(100));
      await client.write(body(100));
      await readWhole(client);
    }
    // Of 60 fair throws fewer than 10 fall on one side once in ten million runs.
    assert.ok(Math.min(one.received.length, two.received.length) >= 10);
  });
});
