/** Streams at once, and who waits for a place: nobody is lost in the queue, and nobody holds a place that has left. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, digestOf } from '../support/body.ts';
import { chunked } from '../support/chunked-body.ts';
import { sleep, until } from '../support/deadline.ts';
import { readWhole } from '../support/http-peer.ts';
import { answerText, Origin, type Script } from '../support/origin.ts';
import { PolicyProcess } from '../support/policy-process.ts';
import { PolicyStand } from '../support/policy-stand.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport } from '../support/stand.ts';

const MIB = 1024 * 1024;
const get = 'GET /logs/_search HTTP/1.1\r\nHost: es\r\n\r\n';
const post = (length: number) => `POST /logs/_doc HTTP/1.1\r\nHost: es\r\nContent-Length: ${length}\r\n\r\n`;
const limitedTo = (streams: number, queue?: { depth: number; wait?: string }) => ({
  few: { action: 'allow', limits: { streams, ...(queue && { queue }) } },
});

/** Answers each request only when it is told to, in the order in which they came. */
class Held {
  readonly #held: (() => void)[] = [];

  readonly script: Script = async (peer, _nth, origin) => {
    for (;;) {
      const received = await origin.receive(peer);
      if (received === undefined) break;
      await new Promise<void>((resolve) => this.#held.push(resolve));
      await peer.write(answerText(200, received.digest));
    }
    peer.end();
  };

  get count(): number {
    return this.#held.length;
  }

  letGo(count = this.#held.length): void {
    for (const answer of this.#held.splice(0, count)) answer();
  }
}

async function asking(stand: PolicyStand, count: number, request = get): Promise<RawPeer[]> {
  const clients: RawPeer[] = [];
  for (let nth = 0; nth < count; nth++) {
    const client = await stand.client();
    await client.write(request);
    clients.push(client);
  }
  return clients;
}

onEachTransport('a policy of so many streams', (kind) => {
  const open = (origin: Origin, policies: ReturnType<typeof limitedTo>) =>
    PolicyStand.open(kind, { nodes: [origin.port], policies });

  it('of 8: the 9th waits, and is let in when one of them ends', async () => {
    const held = new Held();
    await using origin = await Origin.open(held.script);
    await using stand = await open(origin, limitedTo(8, { depth: 4, wait: '30s' }));
    const clients = await asking(stand, 8);
    await until('8 to be with the server', () => held.count === 8);
    const all = body(3 * MIB);
    const ninth = await stand.client();
    await ninth.write(post(all.length));
    const wrote = ninth.write(all);
    await until('the 9th to wait', () => stand.readings('few').waiting === 1);
    await sleep(50);
    assert.deepEqual([held.count, stand.readings('few').streams], [8, 8]);
    held.letGo(1);
    await until('the 9th to be with the server', () => origin.received.length === 9);
    assert.ok(await wrote);
    held.letGo();
    assert.equal((await readWhole(ninth)).text, digestOf([all]));
    for (const client of clients) assert.equal((await readWhole(client)).head.status, 200);
    await until('all to be recorded', () => stand.stand.exchanges.length === 9);
    const queued = stand.stand.exchanges.filter(({ queuedFor }) => queuedFor > 0);
    assert.deepEqual(
      queued.map(({ method, policy }) => [method, policy]),
      [['POST', 'few']],
    );
    assert.ok(queued[0]!.queuedFor >= 50);
  });

  it('lets those who wait in one after the other, first come, first served', async () => {
    const held = new Held();
    await using origin = await Origin.open(held.script);
    await using stand = await open(origin, limitedTo(1, { depth: 20, wait: '30s' }));
    const clients: RawPeer[] = [];
    for (let nth = 0; nth < 12; nth++) {
      clients.push(...(await asking(stand, 1, `GET /logs/_doc/${nth} HTTP/1.1\r\nHost: es\r\n\r\n`)));
      await until('it to be counted', () => {
        const { streams, waiting } = stand.readings('few');
        return streams + waiting === nth + 1;
      });
    }
    for (let nth = 0; nth < 12; nth++) {
      await until('one to be with the server', () => held.count === 1);
      held.letGo();
      assert.equal((await readWhole(clients[nth]!)).head.status, 200);
    }
    const order = origin.received.map(({ head }) => Number(head.target.split('/').at(-1)));
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
  });

  const requests = {
    'without a body': get,
    'its body sent': `${post(10_000)}${body(10_000).toString('latin1')}`,
  };
  const ending = {
    'ends its side': (client: RawPeer) => client.end(),
    closes: (client: RawPeer) => client.destroy(),
  };
  for (const [how, end] of Object.entries(ending)) {
    for (const [what, request] of Object.entries(requests)) {
      it(`a client that ${how} in the queue (${what}) keeps its place, and its server is told of the end`, async () => {
        const seen: string[] = [];
        const held = new Held();
        await using origin = await Origin.open(async (peer, nth, self) => {
          if (nth === 0) return held.script(peer, nth, self);
          const received = await self.receive(peer);
          seen.push(await peer.ending());
          if (how === 'ends its side') await peer.write(answerText(200, received?.digest ?? ''));
          peer.destroy();
        });
        await using stand = await open(origin, limitedTo(1, { depth: 1, wait: '30s' }));
        const [first] = await asking(stand, 1);
        await until('one to be with the server', () => held.count === 1);
        const [second] = await asking(stand, 1, request);
        await until('the second to wait', () => stand.readings('few').waiting === 1);
        end(second!);
        await sleep(100);
        assert.deepEqual([stand.readings('few').waiting, stand.readings('few').streams], [1, 1]);
        // The second gets a connection of its own: the first one's is still busy when it is let in.
        first!.reset();
        await until('the server to know of the end', () => seen.length === 1);
        assert.deepEqual(seen, ['end']);
        if (how === 'ends its side') {
          const bytes = request === get ? [] : [body(10_000)];
          assert.equal((await readWhole(second!)).text, digestOf(bytes));
        }
        await until('both to be recorded', () => stand.stand.exchanges.length === 2);
        const [, ended] = stand.stand.exchanges;
        assert.equal(ended?.failure?.code, how === 'ends its side' ? undefined : 'client-gone');
        assert.deepEqual([stand.readings('few').waiting, stand.readings('few').streams], [0, 0]);
      });
    }
  }

  for (const [what, request] of Object.entries(requests)) {
    it(`a client that resets in the queue (${what}) makes room for another`, async () => {
      const held = new Held();
      await using origin = await Origin.open(held.script);
      await using stand = await open(origin, limitedTo(1, { depth: 1, wait: '30s' }));
      const [first] = await asking(stand, 1);
      await until('one to be with the server', () => held.count === 1);
      const [second] = await asking(stand, 1, request);
      await until('the second to wait', () => stand.readings('few').waiting === 1);
      const [third] = await asking(stand, 1);
      assert.equal((await readWhole(third!)).head.status, 429);
      second!.reset();
      await until('the second to have left', () => stand.readings('few').waiting === 0);
      await third!.write(get);
      await until('the third to wait', () => stand.readings('few').waiting === 1);
      held.letGo();
      assert.equal((await readWhole(first!)).head.status, 200);
      await until('the third to be with the server', () => held.count === 1);
      held.letGo();
      assert.equal((await readWhole(third!)).head.status, 200);
      await until('all to be recorded', () => stand.stand.exchanges.length === 4);
      const left = stand.stand.exchanges.filter(({ failure }) => failure?.code === 'client-gone');
      assert.deepEqual(
        left.map(({ attempts, request }) => [attempts, request.bytes]),
        [[0, 0]],
      );
      assert.equal(origin.received.length, 2);
    });
  }

  it('and a full queue: 429 with Retry-After before the body is read, to a client that writes all first', async () => {
    const held = new Held();
    await using origin = await Origin.open(held.script);
    await using stand = await open(origin, limitedTo(1, { depth: 1, wait: '30s' }));
    const inside = await asking(stand, 2);
    await until(
      'one with the server, one waiting',
      () => held.count === 1 && stand.readings('few').waiting === 1,
    );
    const all = body(32 * MIB);
    for (const bytes of [
      Buffer.concat([Buffer.from(post(all.length)), all]),
      Buffer.concat([
        Buffer.from('POST /logs/_bulk HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n'),
        chunked(all, 500_000),
      ]),
    ]) {
      const client = await stand.client();
      assert.ok(await client.write(bytes), 'the client was reset while it wrote');
      const { head, text } = await readWhole(client);
      assert.deepEqual(
        [head.status, head.field('retry-after'), head.field('connection')],
        [429, '1', 'close'],
      );
      assert.equal(JSON.parse(text).error.type, 'sluice_policy_limited');
      assert.equal(await client.ending(), 'end');
      const exchange = await stand.ended();
      assert.deepEqual([exchange.failure?.code, exchange.request.bytes], ['policy-limited', 0]);
    }
    assert.deepEqual([origin.accepted, stand.readings('few').refused], [1, 2]);
    for (const client of inside) {
      await until('one to be with the server', () => held.count === 1);
      held.letGo();
      assert.equal((await readWhole(client)).head.status, 200);
    }
  });

  it('without a queue: 429 at once, and the connection of a request without a body is kept', async () => {
    const held = new Held();
    await using origin = await Origin.open(held.script);
    await using stand = await open(origin, limitedTo(1));
    const [inside] = await asking(stand, 1);
    await until('one to be with the server', () => held.count === 1);
    const [client] = await asking(stand, 1);
    const refused = await readWhole(client!);
    assert.equal(refused.head.status, 429);
    const { reason } = JSON.parse(refused.text).error;
    assert.equal(reason, 'Policy few allows 1 requests at once.', 'it names its policy');
    held.letGo();
    await readWhole(inside!);
    await client!.write(get);
    await until('it to be with the server', () => held.count === 1);
    held.letGo();
    assert.equal((await readWhole(client!)).head.status, 200);
  });

  it('and a wait that is over: 429 in time, while the stream that was in the way goes on', async () => {
    const held = new Held();
    await using origin = await Origin.open(held.script);
    await using stand = await open(origin, limitedTo(1, { depth: 4, wait: '300ms' }));
    const [inside] = await asking(stand, 1);
    await until('one to be with the server', () => held.count === 1);
    const late = await asking(stand, 2, `${post(5)}hello`);
    for (const client of late) {
      const { head } = await readWhole(client);
      assert.deepEqual([head.status, head.field('retry-after')], [429, '1']);
      assert.equal(await client.ending(), 'end');
    }
    for (const { queuedFor } of stand.stand.exchanges) assert.ok(queuedFor >= 280, `${queuedFor} ms`);
    held.letGo();
    assert.equal((await readWhole(inside!)).head.status, 200);
  });

  for (const [what, end] of [
    ['the client leaves', (client: RawPeer) => client.reset()],
    ['the server dies', (_: RawPeer, origin: Origin) => origin.peers[0]?.reset()],
  ] as const) {
    it(`gives the place of a stream on when ${what}`, async () => {
      const held = new Held();
      await using origin = await Origin.open(held.script);
      await using stand = await open(origin, limitedTo(1, { depth: 4, wait: '30s' }));
      const [inside] = await asking(stand, 1, `${post(5)}hello`);
      await until('one to be with the server', () => held.count === 1);
      const [next] = await asking(stand, 1);
      await until('the next to wait', () => stand.readings('few').waiting === 1);
      end(inside!, origin);
      await until('the next to be with the server', () => held.count === 2);
      held.letGo();
      assert.equal((await readWhole(next!)).head.status, 200);
    });
  }

  it('at a drain: those who wait are served, and the process ends', async () => {
    const held = new Held();
    await using origin = await Origin.open(held.script);
    await using running = await PolicyProcess.start([origin.port], {
      transport: kind,
      policies: limitedTo(1, { depth: 8, wait: '60s' }),
      config: { timeouts: { accept: 0 } },
    });
    const { sluice } = running;
    const clients: RawPeer[] = [];
    for (let nth = 0; nth < 4; nth++) {
      const client = await sluice.client();
      await client.write(`${post(5)}hello`);
      clients.push(client);
    }
    await until('one to be with the server', () => held.count === 1);
    await sleep(100);
    sluice.signal('SIGTERM');
    await running.told('draining');
    for (let nth = 0; nth < 4; nth++) {
      await until('one more to be with the server', () => held.count === 1);
      held.letGo();
    }
    for (const client of clients) {
      const { head } = await readWhole(client);
      assert.deepEqual([head.status, head.field('connection')], [200, 'close']);
      client.destroy();
    }
    assert.equal(await sluice.exit(), 0);
    assert.equal(sluice.access.length, 4);
  });

  it('at the end of a drain that nobody ends: all are cut, recorded, and the process ends', async () => {
    const held = new Held();
    await using origin = await Origin.open(held.script);
    await using running = await PolicyProcess.start([origin.port], {
      transport: kind,
      policies: limitedTo(1, { depth: 8, wait: '60s' }),
      config: { timeouts: { accept: 0, drain: '300ms' } },
    });
    const { sluice } = running;
    const clients: RawPeer[] = [];
    for (let nth = 0; nth < 3; nth++) {
      const client = await sluice.client();
      await client.write(get);
      clients.push(client);
    }
    await until('one to be with the server', () => held.count === 1);
    await sleep(100);
    sluice.signal('SIGTERM');
    for (const client of clients) {
      const { head, text } = await readWhole(client);
      assert.deepEqual([head.status, head.field('connection')], [503, 'close']);
      assert.equal(JSON.parse(text).error.type, 'sluice_shutting_down');
      client.destroy();
    }
    assert.equal(await sluice.exit(), 3);
    assert.deepEqual(
      sluice.access.map(({ end, side, status }) => [end, side, status]),
      Array.from({ length: 3 }, () => ['shutting-down', 'proxy', 503]),
    );
  });
});
