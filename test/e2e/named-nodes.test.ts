/** A node configured by name is a node for each address of the name, now and after the name has moved. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { NodeAddress } from '../../src/upstream/node.ts';
import type { Resolver } from '../../src/upstream/resolver.ts';
import { bodyBlocks, digestOf } from '../support/body.ts';
import { until } from '../support/deadline.ts';
import { readWhole } from '../support/http-peer.ts';
import { answering, Origin } from '../support/origin.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const get = 'GET /_cat HTTP/1.1\r\nHost: es\r\n\r\n';
const long = { baseTime: 600_000, maxTime: 600_000 };
const silent: Resolver = () => new Promise(() => {});

function named(port: number): NodeAddress {
  return { name: `es.test:${port}`, host: 'es.test', port, tls: undefined };
}

/** Origins on one port of several addresses of loopback. */
async function originsAt(first: string, ...rest: string[]): Promise<readonly Origin[]> {
  const one = await Origin.open(answering(), 0, first);
  return [one, ...(await Promise.all(rest.map((address) => Origin.open(answering(), one.port, address))))];
}

async function ask(stand: Stand, client: RawPeer) {
  await client.write(get);
  const { head } = await readWhole(client);
  return { status: head.status, exchange: await stand.ended() };
}

onEachTransport('a name with several addresses', (kind) => {
  it('each gets its share, and is shown by its own address and the name', async () => {
    const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const;
    const [one, two, three] = await originsAt(...addresses);
    await using first = one!;
    await using second = two!;
    await using third = three!;
    const { port } = first;
    await using stand = await Stand.open(kind, { nodes: [named(port)], resolver: async () => addresses });
    const client = await stand.client();
    for (let i = 0; i < 90; i++) {
      const { status, exchange } = await ask(stand, client);
      assert.deepEqual([status, exchange.nodeName], [200, `es.test:${port}`]);
    }
    assert.deepEqual(
      [...new Set(stand.exchanges.map(({ node }) => node))].sort(),
      addresses.map((address) => `${address}:${port}`),
    );
    // Of 90 fair throws fewer than 10 fall on one of three once in a million runs.
    for (const { received } of [first, second, third]) assert.ok(received.length >= 10);
  });

  it('one that is dead costs one dial and not one for each connection, and no body is lost to it', async () => {
    const [one, two] = await originsAt('127.0.0.1', '127.0.0.2');
    await using first = one!;
    await using second = two!;
    const { port } = first;
    await using stand = await Stand.open(kind, {
      nodes: [named(port)],
      resolver: async () => ['127.0.0.9', '127.0.0.1', '127.0.0.2'],
      ejection: long,
    });
    const digest = digestOf(bodyBlocks(MIB));
    for (let round = 0; round < 30; round++) {
      const client = await stand.client();
      await client.write(`PUT / HTTP/1.1\r\nHost: es\r\nContent-Length: ${MIB}\r\n\r\n`);
      await client.writeAll(bodyBlocks(MIB));
      assert.equal((await readWhole(client)).text, digest);
      client.destroy();
      await stand.ended();
    }
    assert.equal(stand.exchanges.filter(({ attempts }) => attempts > 1).length, 1);
    assert.equal(first.received.length + second.received.length, 30);
    const ejected = stand.cluster.nodes.filter((node) => node.isEjected(performance.now()));
    assert.deepEqual(
      ejected.map(({ name }) => name),
      [`127.0.0.9:${port}`],
    );
    assert.deepEqual(
      stand.events.map((event) => event.kind),
      ['resolved', 'ejected'],
    );
  });
});

onEachTransport('a name that moves', (kind) => {
  it('under steady traffic the old address gets nothing more, its exchange ends, its connections close', async () => {
    const [one, two] = await originsAt('127.0.0.1', '127.0.0.2');
    await using old = one!;
    await using young = two!;
    let addresses = ['127.0.0.1'];
    await using stand = await Stand.open(kind, {
      nodes: [named(old.port)],
      resolver: async () => addresses,
      dns: { refresh: 50 },
    });
    const client = await stand.client();
    const uploader = await stand.client();
    assert.equal((await ask(stand, client)).status, 200);
    await uploader.write('PUT / HTTP/1.1\r\nHost: es\r\nContent-Length: 10\r\n\r\nhello');
    await until('the upload to be under way', () => stand.transport.counters().relays === 1);
    const left = stand.cluster.nodes[0];
    addresses = ['127.0.0.2'];
    await until('the name to move', () => stand.cluster.nodes[0] !== left, 30_000);
    for (let i = 0; i < 20; i++) {
      assert.equal((await ask(stand, client)).exchange.node, `127.0.0.2:${old.port}`);
    }
    assert.equal(old.received.length, 1);
    await uploader.write('world');
    assert.equal((await readWhole(uploader)).text, digestOf([Buffer.from('helloworld')]));
    await until('the old connections to be closed', () => old.open === 0);
    assert.equal(young.received.length, 20);
    assert.deepEqual(stand.events.at(-1), {
      kind: 'resolved',
      name: 'es.test',
      addresses: ['127.0.0.2'],
      joined: [`127.0.0.2:${old.port}`],
      left: [`127.0.0.1:${old.port}`],
    });
  });

  it('a connection under steady traffic does not grow older than its greatest age', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], pool: { maxAge: 50 } });
    const client = await stand.client();
    const deadline = performance.now() + 30_000;
    while (origin.accepted < 3) {
      assert.equal((await ask(stand, client)).status, 200);
      assert.ok(performance.now() < deadline, 'the first connection serves for as long as there is traffic');
    }
    await until('nothing old to lie idle', () => stand.cluster.nodes[0]?.idleConnections === 0);
  });
});

onEachTransport('a resolver that does not answer', (kind) => {
  it('holds no request back while another node is known', async () => {
    await using origin = await Origin.open();
    let lookups = 0;
    const resolver: Resolver = (name) => {
      lookups += 1;
      return silent(name);
    };
    const nodes = [named(9200), origin.port];
    // Longer than a test may take: a request that waited for the lookup would never be answered.
    await using stand = await Stand.open(kind, { nodes, resolver, timeouts: { connect: 600_000 } });
    const client = await stand.client();
    for (let i = 0; i < 20; i++) assert.equal((await ask(stand, client)).status, 200);
    assert.equal(lookups, 1);
  });

  it('is waited for within the connect timeout, once for all requests, and then no more', async () => {
    let lookups = 0;
    const resolver: Resolver = (name) => {
      lookups += 1;
      return silent(name);
    };
    await using stand = await Stand.open(kind, {
      nodes: [named(9200)],
      resolver,
      timeouts: { connect: 400 },
    });
    const clients = await Promise.all([0, 1, 2].map(() => stand.client()));
    await Promise.all(
      clients.map(async (client) => {
        for (let i = 0; i < 5; i++) {
          await client.write(get);
          const { head, text } = await readWhole(client);
          assert.equal(head.status, 502);
          assert.equal(JSON.parse(text).error.type, 'sluice_upstream_name_unresolved');
        }
      }),
    );
    assert.equal(lookups, 1);
    const causes = new Set(stand.exchanges.map(({ failure }) => failure?.detail));
    assert.deepEqual([...causes], ['es.test: no answer within 400 ms']);
  });

  it('the last good answer serves while lookups fail, and afterwards', async () => {
    await using origin = await Origin.open();
    let lookups = 0;
    const resolver: Resolver = async () => {
      lookups += 1;
      if (lookups === 2 || lookups === 3) throw Object.assign(new Error('no'), { code: 'EAI_AGAIN' });
      return ['127.0.0.1'];
    };
    const nodes = [named(origin.port)];
    await using stand = await Stand.open(kind, { nodes, resolver, dns: { refresh: 50 } });
    const client = await stand.client();
    const deadline = performance.now() + 30_000;
    while (lookups < 6) {
      assert.equal((await ask(stand, client)).status, 200);
      assert.ok(performance.now() < deadline, `${lookups} lookups`);
    }
    assert.deepEqual(
      stand.events.map((event) => event.kind),
      ['resolved', 'unresolved', 'resolved'],
    );
  });
});

onEachTransport('the Host that a server sees', (kind) => {
  for (const host of ['client', 'node'] as const) {
    it(`is the ${host}'s, and X-Forwarded-Host the client's`, async () => {
      await using origin = await Origin.open();
      const nodes = [named(origin.port)];
      await using stand = await Stand.open(kind, { nodes, host, resolver: async () => ['127.0.0.1'] });
      const client = await stand.client();
      await client.write('GET / HTTP/1.1\r\nHost: outside.example\r\n\r\n');
      assert.equal((await readWhole(client)).head.status, 200);
      const head = origin.received[0]?.head;
      assert.equal(head?.field('host'), host === 'node' ? `es.test:${origin.port}` : 'outside.example');
      assert.equal(head?.field('x-forwarded-host'), 'outside.example');
    });
  }

  it('is the name of the node where an HTTP/1.0 client named none', async () => {
    await using origin = await Origin.open();
    const nodes = [named(origin.port)];
    await using stand = await Stand.open(kind, { nodes, resolver: async () => ['127.0.0.1'] });
    const client = await stand.client();
    await client.write('GET / HTTP/1.0\r\n\r\n');
    assert.equal((await readWhole(client)).head.status, 200);
    assert.equal(origin.received[0]?.head.field('host'), `es.test:${origin.port}`);
  });
});
