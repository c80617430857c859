/** Policies that route: each request reaches the cluster of its policy, and a cluster that is down harms no other. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, digestOf } from '../support/body.ts';
import { closedPort } from '../support/closed-port.ts';
import { withFullBacklog } from '../support/full-backlog.ts';
import { readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { PolicyStand } from '../support/policy-stand.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport } from '../support/stand.ts';

const MIB = 1024 * 1024;
const policies = {
  hot: { action: 'allow', match: { indices: ['hot-*'] }, bodyIndices: 'trust', route: { cluster: 'hot' } },
  down: { action: 'allow', match: { indices: ['down-*'] }, bodyIndices: 'trust', route: { cluster: 'down' } },
  rest: { action: 'allow', match: { groups: ['read', 'write'] } },
};
const get = (index: string) => `GET /${index}/_search HTTP/1.1\r\nHost: es\r\n\r\n`;
const post = (index: string, length: number) =>
  `POST /${index}/_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${length}\r\n\r\n`;

async function ask(client: RawPeer, request: string) {
  await client.write(request);
  return readWhole(client);
}

onEachTransport('a policy that routes', (kind) => {
  it('sends each request of one connection to its own cluster, whole', async () => {
    await using rest = await Origin.open();
    await using hot = await Origin.open();
    const nodes = [rest.port];
    await using stand = await PolicyStand.open(kind, {
      nodes,
      policies,
      clusters: { hot: [hot.port], down: [1] },
    });
    const client = await stand.client();
    const all = body(4 * MIB);
    for (let round = 0; round < 3; round++) {
      for (const index of ['hot-1', 'cold-1']) {
        await client.write(post(index, all.length));
        await client.write(all);
        assert.equal((await readWhole(client)).text, digestOf([all]));
        assert.equal((await ask(client, get(index))).head.status, 200);
      }
    }
    for (const { origin, index } of [
      { origin: rest, index: 'cold-1' },
      { origin: hot, index: 'hot-1' },
    ]) {
      const targets = origin.received.map(({ head }) => head.target.split('/')[1]);
      assert.deepEqual([new Set(targets), targets.length, origin.accepted], [new Set([index]), 6, 1]);
    }
    const clusters = stand.stand.exchanges.map(({ cluster, policy }) => `${policy} ${cluster}`);
    assert.deepEqual(new Set(clusters), new Set(['hot hot', 'rest test']));
  });

  it('to a cluster that is down is answered 502, a body under way or not; the others go on', async () => {
    await using rest = await Origin.open();
    await using hot = await Origin.open();
    const clusters = { hot: [hot.port], down: [await closedPort(), await closedPort()] };
    await using stand = await PolicyStand.open(kind, { nodes: [rest.port], policies, clusters });
    const kept = await stand.client();
    for (let round = 0; round < 4; round++) {
      const { head, text } = await ask(kept, get('down-1'));
      assert.ok(head.status === 502 || head.status === 503, text);
      assert.doesNotMatch(text, /127\.0\.0\.1/, 'the client was told the address of a node');
      for (const index of ['hot-1', 'cold-1']) assert.equal((await ask(kept, get(index))).head.status, 200);
    }
    const all = body(16 * MIB);
    const client = await stand.client();
    await client.write(post('down-1', all.length));
    assert.ok(await client.write(all), 'the client was reset while it wrote');
    const { head } = await readWhole(client);
    assert.ok([502, 503].includes(head.status) && head.field('connection') === 'close', head.text);
    assert.equal(await client.ending(), 'end');
    const exchange = stand.stand.exchanges.at(-1);
    assert.deepEqual([exchange?.cluster, exchange?.policy, exchange?.request.bytes], ['down', 'down', 0]);
    assert.deepEqual([rest.received.length, hot.received.length], [4, 4]);
  });

  it('to a cluster that does not accept is answered 504 in time, and keeps nobody else waiting', async () => {
    await withFullBacklog(async (port) => {
      await using rest = await Origin.open();
      await using stand = await PolicyStand.open(kind, {
        nodes: [rest.port],
        policies,
        clusters: { hot: [rest.port], down: [port] },
        timeouts: { connect: 5000 },
      });
      const waiting = await stand.client();
      await waiting.write(get('down-1'));
      const client = await stand.client();
      for (let round = 0; round < 5; round++)
        assert.equal((await ask(client, get('hot-1'))).head.status, 200);
      assert.equal((await readWhole(waiting)).head.status, 504);
      // The others had their answers while it was still waited for.
      assert.deepEqual(
        stand.stand.exchanges.map(({ status }) => status),
        [200, 200, 200, 200, 200, 504],
      );
    });
  });

  it('to a cluster that is back serves again', async () => {
    await using rest = await Origin.open();
    const port = await closedPort();
    const clusters = { hot: [rest.port], down: [port] };
    const ejection = { baseTime: 10, maxTime: 10 };
    await using stand = await PolicyStand.open(kind, { nodes: [rest.port], policies, clusters, ejection });
    const client = await stand.client();
    assert.equal((await ask(client, get('down-1'))).head.status, 502);
    await using back = await Origin.open(undefined, port);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal((await ask(client, get('down-1'))).head.status, 200);
    assert.equal(back.received.length, 1);
  });

  it('to a cluster that is not configured is answered 503 and told so', async () => {
    await using rest = await Origin.open();
    await using stand = await PolicyStand.open(kind, {
      nodes: [rest.port],
      policies: { lost: { action: 'allow', route: { cluster: 'default' } } },
    });
    const client = await stand.client();
    const { head, text } = await ask(client, get('logs'));
    assert.deepEqual([head.status, JSON.parse(text).error.type], [503, 'sluice_no_cluster']);
    assert.equal(rest.accepted, 0);
  });
});
