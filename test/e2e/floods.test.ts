/**
 * Clients that ask for more than is good for others: requests that cost them nothing, sent ahead by the thousand, answers
 * that they do not read. What they cause is theirs alone to wait for.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { maxEmptyLines, maxQueued } from '../../src/net/contract.ts';
import { sleep, until, within } from '../support/deadline.ts';
import { readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin } from '../support/origin.ts';
import { PolicyStand } from '../support/policy-stand.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport } from '../support/stand.ts';

const reason = 'No. '.repeat(64);
const policies = {
  health: { action: 'allow', match: { endpoints: ['cluster.health'] } },
  searches: { action: 'deny', match: { groups: ['read'] }, deny: { reason } },
};
const refused = 'GET /secret/_search HTTP/1.1\r\nHost: es\r\n\r\n';
/** An answer to it has at least so many: the reason stands in it twice. */
const answerBytes = 2 * reason.length;
const minute = 60_000;

/** Reads until so many answers with this status have come; gives their bytes. */
async function readAnswers(peer: RawPeer, status: number, count: number): Promise<number> {
  const mark = `HTTP/1.1 ${status} `;
  let [seen, bytes, rest] = [0, 0, ''];
  while (seen < count) {
    const block = await within(`answer ${seen + 1} of ${count}`, peer.some(), minute);
    assert.ok(block, `the connection ended after ${seen} answers`);
    bytes += block.length;
    const parts = (rest + block.toString('latin1')).split(mark);
    seen += parts.length - 1;
    rest = (parts.at(-1) ?? '').slice(1 - mark.length);
  }
  return bytes;
}

/** The most that the kernel holds of what a peer does not read: its send buffer and the other's receive buffer. */
function kernelBuffers(): number {
  return ['tcp_wmem', 'tcp_rmem']
    .map((name) => Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').split(/\s+/)[2]))
    .reduce((sum, most) => sum + most);
}

/** What `read` gives once it no longer changes. */
async function settledAt(read: () => number): Promise<number> {
  for (;;) {
    const last = read();
    await sleep(1000);
    if (read() === last) return last;
  }
}

onEachTransport('a flood', (kind) => {
  it('of refused requests sent ahead does not keep another client waiting', async () => {
    const count = 20_000;
    let ended = 0;
    const onEnded = () => {
      ended += 1;
      // In the middle of the flood, and of a turn: the kernel has both at once.
      if (ended === 1000) other.socket.write(refused);
    };
    await using stand = await PolicyStand.open(kind, { nodes: [1], policies, onEnded });
    const { exchanges } = stand.stand;
    const [flooder, other] = [await stand.client(), await stand.client()];
    const writing = flooder.write(refused.repeat(count));
    const reading = readAnswers(flooder, 403, count);
    const answer = await within('the other answer', readWhole(other), 2 * minute);
    assert.equal(answer.head.status, 403);
    const port = other.socket.localPort;
    const between = exchanges.findIndex(({ peerPort }) => peerPort === port) - 1000;
    assert.ok(between < 500, `${between} requests of the flood were answered first`);
    await within('the flood', Promise.all([writing, reading]), 2 * minute);
    assert.equal(exchanges.length, count + 1);
  });

  it('of several connections gives each of them its turn', async () => {
    await using stand = await PolicyStand.open(kind, { nodes: [1], policies });
    const { exchanges } = stand.stand;
    const count = 4000;
    const flooders = await Promise.all(Array.from({ length: 4 }, () => stand.client()));
    await Promise.all(
      flooders.map((flooder) =>
        Promise.all([flooder.write(refused.repeat(count)), readAnswers(flooder, 403, count)]),
      ),
    );
    assert.equal(exchanges.length, flooders.length * count);
    // No connection is served in one go: between two of its exchanges, others have theirs.
    const ports = exchanges.map(({ peerPort }) => peerPort);
    const changes = ports.filter((port, at) => port !== ports[at - 1]).length;
    assert.ok(changes > count, `the connections took turns ${changes} times only`);
  });

  it('whose answers nobody reads is read no further', async () => {
    await using stand = await PolicyStand.open(kind, { nodes: [1], policies });
    const { exchanges } = stand.stand;
    const count = Math.ceil((2 * kernelBuffers()) / answerBytes);
    const flooder = await stand.client();
    const writing = flooder.write(refused.repeat(count));
    const last = await settledAt(() => exchanges.length);
    assert.ok(last * answerBytes < kernelBuffers() + 2 * maxQueued, `${last} requests were answered unread`);
    assert.ok(last < count);
    flooder.destroy();
    await writing;
  });

  it('whose answers nobody reads is ended after the stall time, as the client that stalled', async () => {
    await using stand = await PolicyStand.open(kind, { nodes: [1], policies, timeouts: { stall: 500 } });
    const { exchanges } = stand.stand;
    const flooder = await stand.client();
    void flooder.write(refused.repeat(Math.ceil((2 * kernelBuffers()) / answerBytes)));
    await until(
      'the end of the connection',
      () => exchanges.at(-1)?.failure?.code === 'client-stalled',
      minute,
    );
    await until('no client left', () => stand.stand.front.connections === 0);
  });

  const padding = `X-Padding: ${'x'.repeat(60_000)}\r\n\r\n`;
  const early = `HTTP/1.1 103 Early Hints\r\n${padding}`;
  const unread = {
    'answers to HEAD': { method: 'HEAD', answer: `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n${padding}` },
    'answers 204': { method: 'POST', answer: `HTTP/1.1 204 No Content\r\n${padding}` },
    'interim answers': { method: 'GET', answer: early.repeat(20) + answerText(200, 'done') },
  };
  for (const [name, { method, answer }] of Object.entries(unread)) {
    it(`of ${name} that nobody reads is read no further, and goes on once they are read`, async () => {
      await using origin = await Origin.open(answering(() => answer));
      const options = { nodes: [origin.port], policies, fallback: 'allow' } as const;
      await using stand = await PolicyStand.open(kind, options);
      const count = Math.ceil((2 * kernelBuffers()) / answer.length);
      const target = method === 'POST' ? '/logs/_flush' : '/_cluster/health';
      const flooder = await stand.client();
      const writing = flooder.write(`${method} ${target} HTTP/1.1\r\nHost: es\r\n\r\n`.repeat(count));
      const ended = await settledAt(() => stand.stand.exchanges.length);
      const most = kernelBuffers() + 2 * maxQueued + answer.length;
      assert.ok(ended > 0 && ended * answer.length < most, `${ended} of ${count} were answered unread`);
      await readAnswers(flooder, method === 'POST' ? 204 : 200, count);
      assert.ok(await within('the flood', writing, minute));
      await until('all exchanges', () => stand.stand.exchanges.length === count, minute);
    });
  }

  it('of empty lines is refused', async () => {
    await using stand = await PolicyStand.open(kind, { nodes: [1], policies });
    const flooder = await stand.client();
    await flooder.write('\r\n'.repeat(maxEmptyLines) + refused);
    assert.equal((await readWhole(flooder)).head.status, 403);
    await flooder.write('\r\n'.repeat(100_000));
    assert.equal((await readWhole(flooder)).head.status, 400);
    assert.equal(await flooder.ending(), 'end');
    assert.deepEqual(
      stand.stand.exchanges.map(({ failure }) => failure?.code),
      ['policy-denied', 'request-line-malformed'],
    );
  });
});
