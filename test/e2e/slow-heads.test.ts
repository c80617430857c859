/** A record tells of an exchange from its first byte on, however long its head takes. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sleep } from '../support/deadline.ts';
import { readAnswer, readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const head = 'GET /_search HTTP/1.1\r\nHost: es\r\n\r\n';

onEachTransport('slow heads', (kind) => {
  it('a head that takes a while counts from its first byte', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(head.slice(0, 10));
    await sleep(400);
    const restAt = Date.now();
    await client.write(head.slice(10));
    assert.equal((await readWhole(client)).head.status, 200);
    const record = await stand.ended();
    assert.ok(record.startedWall < restAt - 200, `${restAt - record.startedWall} ms before the rest`);
    for (const duration of [record.connectedAfter, record.firstByteAfter, record.endedAfter]) {
      assert.ok((duration ?? 0) > 200, `${duration} ms`);
    }
  });

  it('a head that never ends is logged with the time that it was given', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts: { head: 500 } });
    const client = await stand.client();
    await client.write(head.slice(0, 10));
    const answer = await readAnswer(client);
    assert.ok(answer.kind === 'whole' && answer.head.status === 408);
    const record = await stand.ended();
    assert.equal(record.failure?.code, 'head-timeout');
    assert.ok(record.endedAfter > 400, `${record.endedAfter} ms`);
  });

  it('a head that is cut is logged with the time that it took', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(head.slice(0, 10));
    await sleep(400);
    client.end();
    const record = await stand.ended();
    assert.equal(record.failure?.code, 'client-gone');
    assert.ok(record.endedAfter > 200, `${record.endedAfter} ms`);
  });

  it('the time between two requests is neither of theirs', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    for (let turn = 0; turn < 2; turn++) {
      const sentAt = Date.now();
      await client.write(head);
      await readWhole(client);
      // The wall clock has whole milliseconds, and the two clocks may differ by one.
      assert.ok((await stand.ended()).startedWall >= sentAt - 2);
      await sleep(200);
    }
  });

  it('a request sent ahead begins when the one before it has ended', async () => {
    await using origin = await Origin.open(async (peer, _nth, self) => {
      while ((await self.receive(peer)) !== undefined) {
        await sleep(200);
        await peer.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      }
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(head + head);
    await readWhole(client);
    await readWhole(client);
    const [first, second] = [await stand.ended(), await stand.ended()];
    assert.ok(second.startedWall >= first.startedWall + first.endedAfter - 3);
  });
});
