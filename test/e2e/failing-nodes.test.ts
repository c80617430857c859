/** Nodes that accept connections and fail, or answer nothing: they keep no share of the traffic. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { until } from '../support/deadline.ts';
import { readHead, readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin, type Script } from '../support/origin.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const get = 'GET /_cat HTTP/1.1\r\nHost: es\r\n\r\n';
const long = { baseTime: 600_000, maxTime: 600_000 };

const closing: Script = async (peer) => {
  await readHead(peer);
  peer.destroy();
};
const silent: Script = async (peer) => {
  await readHead(peer);
};
const always = (status: number) => answering(() => answerText(status, 'not now'));

async function ask(stand: Stand, client: RawPeer, request = get): Promise<number> {
  await client.write(request);
  const { head } = await readWhole(client);
  await stand.ended();
  return head.status;
}

function ejectedNames({ cluster }: Stand): string[] {
  return cluster.nodes.filter((node) => node.isEjected(performance.now())).map(({ name }) => name);
}

onEachTransport('a node that fails', (kind) => {
  for (const [what, script, cause] of [
    ['accepts and closes', closing, 'The upstream node closed before it answered.'],
    ['answers 503 to all', always(503), 'it answered 503'],
    ['answers 502 to all', always(502), 'it answered 502'],
  ] as const) {
    it(`one that ${what} is left alone after five in a row, and the cause is told`, async () => {
      await using bad = await Origin.open(script);
      await using good = await Origin.open();
      await using stand = await Stand.open(kind, { nodes: [bad.port, good.port], ejection: long });
      const client = await stand.client();
      const deadline = performance.now() + 60_000;
      while (ejectedNames(stand).length === 0) {
        await ask(stand, client);
        assert.ok(performance.now() < deadline, 'the node is never left alone');
      }
      const node = `127.0.0.1:${bad.port}`;
      assert.deepEqual(ejectedNames(stand), [node]);
      assert.deepEqual(stand.events, [{ kind: 'ejected', node, cause, lasts: 600_000, again: false }]);
      const [asked, connections] = [bad.received.length, bad.accepted];
      for (let i = 0; i < 30; i++) assert.equal(await ask(stand, client), 200);
      assert.deepEqual([bad.received.length, bad.accepted], [asked, connections]);
    });
  }

  it('one that serves again is back after one good answer, and both are told once', async () => {
    let status = 503;
    await using bad = await Origin.open(answering(() => answerText(status, 'x')));
    await using good = await Origin.open();
    const ejection = { baseTime: 50, maxTime: 50 };
    await using stand = await Stand.open(kind, { nodes: [bad.port, good.port], ejection });
    const client = await stand.client();
    const deadline = performance.now() + 60_000;
    const told = (what: string) => stand.events.filter((event) => event.kind === what);
    while (told('back').length === 0) {
      await ask(stand, client);
      if (told('ejected').length > 0) status = 200;
      assert.ok(performance.now() < deadline, 'the node never comes back');
    }
    assert.deepEqual(
      told('ejected').filter((event) => 'again' in event && !event.again),
      told('ejected').slice(0, 1),
    );
    assert.deepEqual(told('back'), [{ kind: 'back', node: `127.0.0.1:${bad.port}` }]);
    assert.deepEqual(ejectedNames(stand), []);
  });

  it("one client's requests that kill whatever serves them leave half of the nodes in use", async () => {
    const poisoned: Script = async (peer, _nth, origin) => {
      for (;;) {
        const received = await origin.receive(peer);
        if (received === undefined || received.head.target === '/poison') break;
        await peer.write(answerText(200, 'fine'));
      }
      peer.destroy();
    };
    await using one = await Origin.open(poisoned);
    await using two = await Origin.open(poisoned);
    await using three = await Origin.open(poisoned);
    const nodes = [one.port, two.port, three.port];
    await using stand = await Stand.open(kind, { nodes, ejection: long });
    const client = await stand.client();
    for (let i = 0; i < 30; i++) {
      assert.equal(await ask(stand, client, 'GET /poison HTTP/1.1\r\nHost: es\r\n\r\n'), 502);
    }
    assert.equal(ejectedNames(stand).length, 1);
    for (let i = 0; i < 10; i++) assert.equal(await ask(stand, client), 200);
  });

  it('a status that may be the fault of the request, such as 429 or 500, is not held against a node', async () => {
    for (const status of [429, 500, 404]) {
      await using one = await Origin.open(always(status));
      await using two = await Origin.open(always(status));
      await using stand = await Stand.open(kind, { nodes: [one.port, two.port], ejection: long });
      const client = await stand.client();
      for (let i = 0; i < 30; i++) assert.equal(await ask(stand, client), status);
      assert.deepEqual(stand.events, []);
    }
  });

  it('when all are dead this is told once, and all are used', async () => {
    const [one, two] = [await Origin.open(), await Origin.open()];
    const nodes = [one.port, two.port];
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
    await using stand = await Stand.open(kind, { nodes, ejection: long });
    const client = await stand.client();
    for (let i = 0; i < 10; i++) assert.equal(await ask(stand, client), 502);
    assert.deepEqual(
      stand.events.map((event) => event.kind),
      ['ejected', 'ejected', 'all-ejected'],
    );
    assert.equal(stand.exchanges.at(-1)?.attempts, 2);
  });
});

onEachTransport('a node that answers nothing', (kind) => {
  it('gets no second request without a body while another node answers', async () => {
    await using hung = await Origin.open(silent);
    await using good = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [hung.port, good.port] });
    const client = await stand.client();
    const waiting: RawPeer[] = [];
    // Chance sends one of a few to it.
    for (let i = 0; hung.accepted === 0; i++) {
      const stuck = await stand.client();
      waiting.push(stuck);
      await stuck.write(get);
      await until('an answer, or none', () => hung.accepted > 0 || stand.exchanges.length > i);
    }
    stand.exchanges.length = 0;
    for (let i = 0; i < 50; i++) {
      await client.write(get);
      assert.equal((await readWhole(client)).head.status, 200);
    }
    assert.equal(hung.accepted, 1);
    // A mere FIN leaves the server the choice, and this one never makes it.
    for (const stuck of waiting) stuck.reset();
  });

  it('keeps no share while it has begun a chunked answer and does not end it', async () => {
    const endless: Script = async (peer, _nth, origin) => {
      for (;;) {
        const received = await origin.receive(peer);
        if (received === undefined) return;
        if (received.head.target === '/endless') {
          await peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
        } else await peer.write(answerText(200, 'x'));
      }
    };
    await using one = await Origin.open(endless);
    await using two = await Origin.open(endless);
    await using stand = await Stand.open(kind, { nodes: [one.port, two.port] });
    const stuck = await stand.client();
    await stuck.write('GET /endless HTTP/1.1\r\nHost: es\r\n\r\n');
    await readHead(stuck);
    const [busy, free] = one.accepted > 0 ? [one, two] : [two, one];
    const client = await stand.client();
    for (let i = 0; i < 20; i++) assert.equal(await ask(stand, client), 200);
    assert.deepEqual([busy.received.length, free.received.length], [1, 20]);
    assert.ok(stand.cluster.nodes.some(({ bytesInFlight }) => bytesInFlight >= 16 << 20));
    stuck.reset();
  });
});
