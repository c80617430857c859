import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until } from '../../test/support/deadline.ts';
import { RawServer } from '../../test/support/raw-peer.ts';
import { sockets } from '../../test/support/wires.ts';
import { type ErrorCode, failure } from '../errors.ts';
import type { Transport } from '../net/contract.ts';
import { createStreamsTransport } from '../net/streams.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import type { ClusterEvent } from './events.ts';
import type { Lease } from './lease.ts';
import type { UpstreamNode } from './node.ts';
import { bodyWeight, exchangeWeight } from './weight.ts';

describe('a cluster', () => {
  let transport: Transport;
  let server: RawServer;
  let second: RawServer;
  let cluster: Cluster;
  let events: ClusterEvent[];
  let addresses: PromiseWithResolvers<readonly string[]>;
  const at = (port: number, host = '127.0.0.1') => ({ name: `${host}:${port}`, host, port, tls: undefined });
  const options = (): ClusterOptions => ({
    name: 'test',
    nodes: [at(server.port), at(server.port, 'es'), at(1)],
    host: 'client',
    pool: { maxIdlePerNode: 4, idleTimeout: 60_000, maxAge: 60_000 },
    ejection: { baseTime: 60_000, maxTime: 60_000, failures: 3, maxPercent: 50 },
    dns: { refresh: 60_000 },
    resolver: () => addresses.promise,
    onEvent: (event) => events.push(event),
    dial: { plain: transport, secure: transport, timeout: 1000, socket: sockets },
  });
  beforeEach(async () => {
    transport = createStreamsTransport();
    server = await RawServer.listen();
    second = await RawServer.listen();
    events = [];
    addresses = Promise.withResolvers();
    cluster = new Cluster(options());
  });
  afterEach(async () => {
    cluster.close();
    transport.close();
    server.close();
    second.close();
  });

  const leased = async (index: number, weight: number, fresh = false): Promise<Lease> => {
    const lease = await cluster.lease(cluster.nodes[index]!, weight, fresh);
    assert.ok(!('code' in lease), JSON.stringify(lease));
    return lease;
  };

  it('a lease weighs from before it is dialled until it ends, and then nothing', async () => {
    const node = cluster.nodes[0]!;
    const dialling = cluster.lease(node, 1000, false);
    assert.equal(node.bytesInFlight, exchangeWeight + 1000);
    const lease = await dialling;
    assert.ok(!('code' in lease));
    lease.answered(200, { kind: 'length', length: 500 });
    assert.equal(node.bytesInFlight, exchangeWeight + 1500);
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
    const bad = cluster.nodes[1]!;
    const failed = await cluster.lease(bad, 1000, false);
    assert.equal('code' in failed && failed.code, 'upstream-refused');
    assert.deepEqual([bad.bytesInFlight, bad.isEjected(performance.now())], [0, true]);
    for (let i = 0; i < 50; i++) assert.notEqual(cluster.pick(new Set()), bad);
  });

  it('a body of unknown length weighs as one, up and down, and none as none', async () => {
    const node = cluster.nodes[0]!;
    for (const [framing, more] of [
      [{ kind: 'chunked' }, 16 << 20],
      [{ kind: 'until-close' }, 16 << 20],
      [{ kind: 'none' }, 0],
    ] as const) {
      const lease = await leased(0, bodyWeight(framing));
      assert.equal(node.bytesInFlight, exchangeWeight + more);
      lease.answered(200, framing);
      assert.equal(node.bytesInFlight, exchangeWeight + 2 * more);
      lease.drop();
      assert.equal(node.bytesInFlight, 0);
    }
  });

  it('a name whose addresses come later, and go, are nodes for as long', async () => {
    assert.equal(cluster.nodes.length, 2);
    addresses.resolve(['127.0.0.2', '127.0.0.1']);
    await until('the name to resolve', () => events.length > 0);
    // 127.0.0.1 on this port is configured by itself.
    assert.deepEqual(events, [
      {
        kind: 'resolved',
        name: 'es',
        addresses: ['127.0.0.2', '127.0.0.1'],
        joined: [`127.0.0.2:${server.port}`],
        left: [],
      },
    ]);
    assert.equal(cluster.nodes.length, 3);
  });

  it('where no node has an address, the name is waited for, and its failure told', async () => {
    for (const [settle, kind] of [
      [() => addresses.resolve(['127.0.0.1']), 'a node'],
      [() => addresses.reject(Object.assign(new Error(), { code: 'ENOTFOUND' })), 'es: ENOTFOUND'],
      [() => {}, 'es: no answer within 50 ms'],
    ] as const) {
      addresses = Promise.withResolvers();
      const named = new Cluster({
        ...options(),
        nodes: [at(1, 'es')],
        dial: { ...options().dial, timeout: 50 },
      });
      assert.equal(named.pick(new Set()), undefined);
      const waiting = [named.awaitNode(new Set()), named.awaitNode(new Set())];
      settle();
      for (const found of await Promise.all(waiting)) {
        assert.ok(found);
        assert.equal('code' in found ? found.detail : 'a node', kind);
      }
      named.close();
    }
  });

  it('a node that fails exchange after exchange is out, and the last one that is left is not', async () => {
    const judging = new Cluster({ ...options(), nodes: [at(server.port), at(second.port), at(1)] });
    const [good, failing, dead] = judging.nodes;
    const fail = async (node: UpstreamNode, status: number) => {
      const lease = await judging.lease(node, 0, true);
      assert.ok(!('code' in lease));
      lease.answered(status, { kind: 'none' });
      lease.drop();
    };
    for (const status of [503, 502, 429, 503, 504, 500]) await fail(good!, status);
    assert.equal(good!.isEjected(performance.now()), false);
    await fail(good!, 502);
    assert.equal(good!.isEjected(performance.now()), true);
    // One of three is out by failed exchanges: another would be more than half.
    for (let i = 0; i < 10; i++) await fail(failing!, 503);
    assert.equal(failing!.isEjected(performance.now()), false);
    await judging.lease(dead!, 0, false);
    assert.equal(dead!.isEjected(performance.now()), true);
    await fail(good!, 200);
    assert.deepEqual(
      events.map((event) => [event.kind, 'node' in event && event.node, 'cause' in event && event.cause]),
      [
        ['ejected', good!.name, 'it answered 502'],
        ['kept', failing!.name, 'it answered 503'],
        ['ejected', dead!.name, `${dead!.name}: ECONNREFUSED`],
        ['back', good!.name, false],
      ],
    );
    judging.close();
  });

  it('what the client did, and a pooled connection that was dead, is not held against a node', async () => {
    const node = cluster.nodes[0]!;
    const lease = await leased(0, 0);
    lease.reuse();
    for (let i = 0; i < 5; i++) {
      const again = await leased(0, 0);
      assert.equal(again.reused, true);
      again.unanswered(failure('upstream-closed'));
      again.unanswered(failure('client-gone'));
      again.reuse();
    }
    assert.equal(node.health.failures, 0);
    const fresh = await leased(0, 0, true);
    for (let i = 0; i < 3; i++) fresh.unanswered(failure('upstream-closed'));
    fresh.drop();
    assert.equal(node.isEjected(performance.now()), true);
  });

  it('a connection that this machine refuses blames no node, and an idle one serves in its place', async () => {
    let refusal: ErrorCode | undefined;
    const plain: Transport = {
      ...transport,
      connect: async (to) =>
        refusal === undefined
          ? transport.connect(to)
          : { kind: 'failed', code: refusal, detail: 'of this machine' },
    };
    const other = new Cluster({
      ...options(),
      nodes: [at(server.port)],
      dial: { ...options().dial, plain },
    });
    const [only] = other.nodes;
    assert.ok(only);
    const first = await other.lease(only, 0, false);
    assert.ok(!('code' in first));
    first.reuse();
    for (refusal of ['out-of-ports', 'out-of-descriptors', 'out-of-memory', 'connect-forbidden'] as const) {
      // Even where a fresh one is wanted.
      const lease = await other.lease(only, 100, true);
      assert.ok(!('code' in lease), refusal);
      assert.deepEqual([lease.connection, lease.reused], [first.connection, true]);
      const none = await other.lease(only, 100, false);
      assert.deepEqual(none, { code: refusal, detail: 'of this machine' });
      assert.equal(only.isEjected(performance.now()), false);
      lease.reuse();
      assert.deepEqual([only.pool.size, only.bytesInFlight, events], [1, 0, []]);
    }
    refusal = 'upstream-refused';
    assert.ok('code' in (await other.lease(only, 0, true)));
    assert.deepEqual([only.pool.size, only.isEjected(performance.now())], [0, true]);
    other.close();
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
