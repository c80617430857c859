/** Nodes that can't be reached: others are tried with nothing lost, and where there is none the client is told why. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { it } from 'node:test';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { chunks } from '../support/chunked-body.ts';
import { withFullBacklog } from '../support/full-backlog.ts';
import { readHead, readWhole } from '../support/http-peer.ts';
import { answering, Origin } from '../support/origin.ts';
import { nodeAt, onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const get = 'GET /_cat HTTP/1.1\r\nHost: es\r\n\r\n';
const nameless = { name: 'nowhere.invalid:9200', host: 'nowhere.invalid', port: 9200, tls: undefined };

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

onEachTransport('an unreachable node', (kind) => {
  it('costs no body: the next node gets all of it, of known length and chunked', async () => {
    const refused = await closedPort();
    await using origin = await Origin.open();
    const nodes = [refused, nameless, origin.port];
    const ejection = { baseTime: 0, maxTime: 0 };
    for (const threshold of [MIB, Number.POSITIVE_INFINITY]) {
      await using stand = await Stand.open(kind, { nodes, ejection, preflight: { threshold, timeout: 200 } });
      const digest = digestOf(bodyBlocks(8 * MIB));
      using _living = stand.weighDown(origin.port);
      let failures = 0;
      for (let round = 0; round < 6; round++) {
        const client = await stand.client();
        if (round % 2 === 0) {
          await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${8 * MIB}\r\n\r\n`);
          await client.writeAll(bodyBlocks(8 * MIB));
        } else {
          await client.write('POST /_bulk HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n');
          await client.writeAll(chunks(body(8 * MIB), 100_000));
        }
        assert.equal((await readWhole(client)).text, digest);
        const exchange = await stand.ended();
        assert.equal(exchange.failure, undefined);
        assert.equal(exchange.node, `127.0.0.1:${origin.port}`);
        failures += exchange.attempts - 1;
        client.destroy();
      }
      assert.ok(failures > 0, 'no node that fails was tried');
    }
    assert.equal(origin.received.length, 12);
    assert.deepEqual(origin.faults, []);
  });

  for (const [what, status, type, nodes] of [
    ['refuses', 502, 'sluice_upstream_refused', async () => [await closedPort()]],
    ['has a name that does not resolve', 502, 'sluice_upstream_name_unresolved', async () => [nameless]],
  ] as const) {
    it(`that ${what} is told as ${status} in the shape that clients read, and the connection lives on`, async () => {
      await using stand = await Stand.open(kind, { nodes: await nodes() });
      const client = await stand.client();
      for (let round = 0; round < 2; round++) {
        await client.write(get);
        const { head, text } = await readWhole(client);
        assert.equal(head.status, status);
        assert.equal(head.field('content-type'), 'application/json');
        assert.equal(head.field('x-elastic-product'), undefined);
        const told = JSON.parse(text);
        assert.deepEqual([told.status, told.error.type], [status, type]);
        assert.equal(told.error.root_cause[0].type, type);
        const exchange = await stand.ended();
        assert.equal(`sluice_${exchange.failure?.code.replaceAll('-', '_')}`, type);
        assert.equal(head.field('x-request-id'), exchange.id);
        assert.ok(!text.includes('127.0.0.1'), 'the answer gives the address of a node away');
      }
    });
  }

  it('that does not accept in time is 504 after the connect timeout', async () => {
    await withFullBacklog(async (port) => {
      await using stand = await Stand.open(kind, { nodes: [port], timeouts: { connect: 300 } });
      const client = await stand.client();
      await client.write(get);
      const { head, text } = await readWhole(client);
      assert.equal(head.status, 504);
      assert.equal(JSON.parse(text).error.type, 'sluice_upstream_connect_timeout');
      const { endedAfter } = await stand.ended();
      assert.ok(endedAfter >= 290, `${endedAfter} ms`);
    });
  });

  it('that does not accept in time gives way to another, with the body whole', async () => {
    await using origin = await Origin.open();
    await withFullBacklog(async (port) => {
      const nodes = [port, origin.port];
      await using stand = await Stand.open(kind, {
        nodes,
        timeouts: { connect: 150 },
        ejection: { baseTime: 0, maxTime: 0 },
      });
      for (let round = 0; round < 6; round++) {
        const client = await stand.client();
        await client.write(`PUT / HTTP/1.1\r\nHost: es\r\nContent-Length: ${MIB}\r\n\r\n`);
        await client.writeAll(bodyBlocks(MIB));
        assert.equal((await readWhole(client)).text, digestOf(bodyBlocks(MIB)));
        client.destroy();
      }
    });
  });

  it('a refused upload of 100 MB is answered without a reset, its body read away', async () => {
    await using stand = await Stand.open(kind, { nodes: [await closedPort()] });
    const client = await stand.client();
    await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${100 * MIB}\r\n\r\n`);
    assert.ok(await client.writeAll(bodyBlocks(100 * MIB)));
    const { head } = await readWhole(client);
    assert.deepEqual([head.status, head.field('connection')], [502, 'close']);
    assert.equal(await client.ending(), 'end');
  });

  it('no more nodes are tried than the limit says', async () => {
    const nodes = await Promise.all([0, 1, 2, 3, 4].map(closedPort));
    await using stand = await Stand.open(kind, { nodes, limits: { attempts: 2 } });
    const client = await stand.client();
    await client.write(get);
    assert.equal((await readWhole(client)).head.status, 502);
    assert.equal((await stand.ended()).attempts, 2);
  });

  it('that has failed is left alone for a while, and then asked again', async () => {
    const port = await closedPort();
    await using good = await Origin.open();
    const ejection = { baseTime: 400, maxTime: 400 };
    await using stand = await Stand.open(kind, { nodes: [port, good.port], ejection });
    const client = await stand.client();
    const ask = async () => {
      await client.write(get);
      assert.equal((await readWhole(client)).head.status, 200);
      return stand.ended();
    };
    const bad = stand.cluster.nodes[0]!;
    for (let i = 0; i < 50 && !bad.isEjected(performance.now()); i++) await ask();
    assert.ok(bad.isEjected(performance.now()));
    for (let i = 0; i < 20; i++) assert.equal((await ask()).attempts, 1);
    await using back = await Origin.open(answering(), port);
    const deadline = performance.now() + 5000;
    while (back.received.length === 0) {
      await ask();
      assert.ok(performance.now() < deadline, 'the node that came back was never asked');
    }
    assert.equal(bad.isEjected(performance.now()), false);
  });

  it('a client that leaves while its node is dialled costs no body', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
    });
    await withFullBacklog(async (port) => {
      const nodes = [nodeAt(port)];
      await using stand = await Stand.open(kind, { nodes, timeouts: { connect: 400 } });
      const client = await stand.client();
      await client.write(get);
      client.reset();
      assert.equal((await stand.ended()).failure?.code, 'client-gone');
      assert.equal(origin.accepted, 0);
    });
  });
});
