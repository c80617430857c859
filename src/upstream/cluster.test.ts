import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until } from '../../test/support/deadline.ts';
import { RawServer } from '../../test/support/raw-peer.ts';
import { sockets } from '../../test/support/wires.ts';
import type { Transport } from '../net/contract.ts';
import { createStreamsTransport } from '../net/streams.ts';
import { Cluster, type Lease } from './cluster.ts';

describe('a cluster', () => {
  let transport: Transport;
  let server: RawServer;
  let cluster: Cluster;
  beforeEach(async () => {
    transport = createStreamsTransport();
    server = await RawServer.listen();
    const at = (port: number, host = '127.0.0.1') => ({
      name: `${host}:${port}`,
      host,
      port,
      tls: undefined,
    });
    cluster = new Cluster({
      name: 'test',
      nodes: [at(server.port), at(server.port, 'localhost'), at(1)],
      pool: { maxIdlePerNode: 4, idleTimeout: 60_000 },
      ejection: { baseTime: 1000, maxTime: 1000 },
      dial: { plain: transport, secure: transport, timeout: 1000, socket: sockets },
    });
  });
  afterEach(async () => {
    cluster.close();
    transport.close();
    server.close();
  });

  const leased = async (index: number, weight: number, fresh = false): Promise<Lease> => {
    const lease = await cluster.lease(cluster.nodes[index]!, weight, fresh);
    assert.ok(!('code' in lease), JSON.stringify(lease));
    return lease;
  };

  it('a lease weighs from before it is dialled until it ends, and then nothing', async () => {
    const node = cluster.nodes[0]!;
    const dialling = cluster.lease(node, 1000, false);
    assert.equal(node.bytesInFlight, 1000);
    const lease = await dialling;
    assert.ok(!('code' in lease));
    lease.weigh(500);
    assert.equal(node.bytesInFlight, 1500);
    lease.drop();
    lease.drop();
    assert.equal(node.bytesInFlight, 0);
  });

  it('what is given back is leased again, unless a fresh one is asked for', async () => {
    const first = await leased(0, 0);
    first.reuse();
    const again = await leased(0, 0);
    assert.deepEqual([again.connection, again.reused, first.reused], [first.connection, true, false]);
    again.reuse();
    const fresh = await leased(0, 0, true);
    assert.notEqual(fresh.connection, first.connection);
    fresh.drop();
    assert.equal(fresh.connection.open, false);
  });

  it('a node that can not be connected to is out, and weighs nothing', async () => {
    const bad = cluster.nodes[2]!;
    const failed = await cluster.lease(bad, 1000, false);
    assert.equal('code' in failed && failed.code, 'upstream-refused');
    assert.deepEqual([bad.bytesInFlight, bad.isEjected(performance.now())], [0, true]);
    for (let i = 0; i < 50; i++) assert.notEqual(cluster.pick(new Set()), bad);
  });

  it('a name is tried at each of its addresses', async () => {
    // localhost may be ::1 first, where nobody listens.
    const lease = await leased(1, 0);
    assert.equal(lease.connection.remoteAddress, '127.0.0.1');
    lease.drop();
  });

  it('closing it closes what is idle, and what is leased may end', async () => {
    const idle = await leased(0, 0);
    const busy = await leased(0, 0, true);
    idle.reuse();
    cluster.close();
    assert.deepEqual([idle.connection.open, busy.connection.open], [false, true]);
    busy.drop();
    await until('all to be closed', () => transport.counters().connections === 0);
  });
});
