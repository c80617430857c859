/** Proxies whose upstreams lead back to them: a request is stopped where it comes for the second time. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { failure } from '../../src/errors.ts';
import { newPseudonym } from '../../src/proxy/via.ts';
import { Balancer } from '../support/balancer.ts';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const get = 'GET /i/_doc/1 HTTP/1.1\r\nHost: es\r\n\r\n';

onEachTransport('a loop', (kind) => {
  it('of a proxy whose upstream is itself: one request is two, and the client hears 508', async () => {
    await using balancer = await Balancer.open();
    await using stand = await Stand.open(kind, { nodes: [balancer.port] });
    balancer.targets = [stand.port];
    const client = await stand.client();
    for (let round = 1; round <= 3; round++) {
      await client.write(get);
      const { head, text } = await readWhole(client);
      assert.equal(head.status, 508);
      assert.equal(JSON.parse(text).error.type, 'sluice_loop_detected');
      const inner = await stand.ended();
      const outer = await stand.ended();
      assert.deepEqual(
        [inner.failure?.code, inner.status, outer.failure, outer.status, stand.exchanges.length],
        ['loop-detected', 508, undefined, 508, 2 * round],
      );
    }
    balancer.cut();
  });

  it('stops a large body before a byte of it has left', async () => {
    await using balancer = await Balancer.open();
    await using stand = await Stand.open(kind, { nodes: [balancer.port] });
    balancer.targets = [stand.port];
    const client = await stand.client();
    const size = 8 * 1024 * 1024;
    await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${size}\r\n\r\n`);
    await client.writeAll(bodyBlocks(size));
    assert.equal((await readWhole(client)).head.status, 508);
    assert.deepEqual([(await stand.ended()).request.bytes, (await stand.ended()).request.bytes], [0, 0]);
    balancer.cut();
  });

  it('of replicas through a balancer ends when one is met again', async () => {
    await using balancer = await Balancer.open();
    const nodes = [balancer.port];
    await using first = await Stand.open(kind, { nodes });
    await using second = await Stand.open(kind, { nodes });
    await using third = await Stand.open(kind, { nodes });
    const stands = [first, second, third];
    balancer.targets = stands.map(({ port }) => port);
    const client = await first.client();
    await client.write(get);
    assert.equal((await readWhole(client)).head.status, 508);
    const records = stands.flatMap(({ exchanges }) => exchanges);
    assert.equal(records.filter(({ failure: why }) => why?.code === 'loop-detected').length, 1);
    assert.ok(records.length <= 4, `${records.length} exchanges`);
    balancer.cut();
  });

  it('of more proxies than any chain has ends, although none is met again', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    const through = (count: number) =>
      get.replace(
        '\r\n\r\n',
        `\r\nVia: ${Array.from({ length: count }, () => `1.1 ${newPseudonym()}`).join(', ')}\r\n\r\n`,
      );
    await client.write(through(9));
    assert.equal((await readWhole(client)).head.status, 200);
    await client.write(through(10));
    assert.equal((await readWhole(client)).head.status, 508);
    assert.equal(origin.received.length, 1);
  });

  it('is none where three proxies stand in a chain', async () => {
    await using origin = await Origin.open();
    await using last = await Stand.open(kind, { nodes: [origin.port] });
    await using middle = await Stand.open(kind, { nodes: [last.port] });
    await using first = await Stand.open(kind, { nodes: [middle.port] });
    const client = await first.client();
    const bytes = body(100_000);
    await client.write(
      `POST /_bulk HTTP/1.1\r\nHost: es\r\nVia: 1.1 lb\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    await client.write(bytes);
    const { head, text } = await readWhole(client);
    assert.deepEqual([head.status, text], [200, digestOf([bytes])]);
    const names = [first, middle, last].map(({ pseudonym }) => `1.1 ${pseudonym}`);
    assert.equal(origin.received[0]?.head.field('via'), ['1.1 lb', ...names].join(', '));
  });

  it('that a policy refuses anyway is refused by it', async () => {
    await using stand = await Stand.open(kind, {
      nodes: [1],
      judge: { judge: () => ({ kind: 'refused', failure: failure('policy-denied') }) },
    });
    const client = await stand.client();
    await client.write(get.replace('\r\n\r\n', `\r\nVia: 1.1 ${stand.pseudonym}\r\n\r\n`));
    assert.equal((await readWhole(client)).head.status, 403);
  });
});
