import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until, within } from '../../test/support/deadline.ts';
import { type Wire, Wires } from '../../test/support/wires.ts';
import { createStreamsTransport } from '../net/streams.ts';
import { UpstreamNode } from './node.ts';

const address = { name: 'es:9200', host: 'es', port: 9200, tls: undefined };
const node = ({ maxIdlePerNode = 3, baseTime = 1000, maxTime = 5000 } = {}) => {
  return new UpstreamNode(address, { maxIdlePerNode, idleTimeout: 10_000 }, { baseTime, maxTime });
};

describe('the trust in a node', () => {
  it('is lost for twice as long with each failure in a row, up to a bound, and won back by an answer', () => {
    const failing = node();
    assert.equal(failing.isEjected(0), false);
    for (const [now, lasts] of [
      [0, 1000],
      [2000, 2000],
      [5000, 4000],
      [10_000, 5000],
      [20_000, 5000],
    ] as const) {
      failing.failed(now);
      assert.deepEqual([failing.isEjected(now + lasts - 1), failing.isEjected(now + lasts)], [true, false]);
    }
    failing.answered();
    assert.equal(failing.isEjected(20_001), false);
    failing.failed(30_000);
    assert.equal(failing.isEjected(31_000), false);
  });

  it('does not overflow however often it fails', () => {
    const failing = node({ maxTime: 30_000 });
    for (let i = 0; i < 5000; i++) failing.failed(0);
    assert.deepEqual([failing.isEjected(29_999), failing.isEjected(30_000)], [true, false]);
  });

  it('an expectation that was ignored is not tried again for ten minutes', () => {
    const deaf = node();
    assert.equal(deaf.heedsExpect(0), true);
    deaf.ignoredExpect(1000);
    assert.deepEqual([deaf.heedsExpect(600_999), deaf.heedsExpect(601_000)], [false, true]);
  });
});

describe('the pool of a node', () => {
  const transport = () => {
    const streams = createStreamsTransport();
    return { server: streams, client: streams };
  };
  let wires: Wires;
  beforeEach(async () => {
    wires = new Wires(transport);
    await wires.open();
  });
  afterEach(async () => {
    await wires.release();
    wires.close();
  });

  const pooled = async (count: number, owner: UpstreamNode): Promise<Wire[]> => {
    const dialled: Wire[] = [];
    for (let i = 0; i < count; i++) {
      const wire = await wires.dialled();
      owner.keepIdle(wire.connection, i);
      dialled.push(wire);
    }
    return dialled;
  };

  it('gives out the connection used last, each once, and none when it is empty', async () => {
    const owner = node();
    const [first, second] = await pooled(2, owner);
    assert.deepEqual([owner.takeIdle(), owner.takeIdle()], [second?.connection, first?.connection]);
    assert.equal(owner.takeIdle(), undefined);
  });

  it('holds no more than its bound: what is over is closed', async () => {
    const owner = node();
    const all = await pooled(5, owner);
    assert.equal(owner.idleConnections, 3);
    assert.deepEqual(
      all.map(({ connection }) => connection.open),
      [true, true, true, false, false],
    );
  });

  it('takes nothing that is closed, or in which bytes lie unread', async () => {
    const owner = node();
    const closed = await wires.dialled();
    closed.connection.close();
    owner.keepIdle(closed.connection, 0);
    const noisy = await wires.dialled();
    await noisy.peer.write('unasked');
    await until('the bytes to be there', () => !noisy.connection.quiet);
    owner.keepIdle(noisy.connection, 0);
    assert.deepEqual([owner.idleConnections, noisy.connection.open], [0, false]);
  });

  it('lets go of what its server ends, resets, or speaks on unasked', async () => {
    const owner = node();
    const [ended, reset, spoken] = await pooled(3, owner);
    ended?.peer.end();
    reset?.peer.reset();
    await spoken?.peer.write('unasked');
    await until('the pool to be empty', () => owner.idleConnections === 0);
    for (const wire of [ended, reset, spoken]) assert.equal(wire?.connection.open, false);
  });

  it('no longer watches what it has given out', async () => {
    const owner = node();
    const [wire] = await pooled(1, owner);
    const connection = owner.takeIdle();
    await wire?.peer.write('HTTP/1.1 200 OK\r\n\r\n');
    const head = connection?.readHead({ maxBytes: 100, idleTimeout: 0, timeout: 0 });
    assert.equal((await within('a head', head!)).kind, 'head');
  });

  it('closes what has lain idle for too long, and all of it when the node fails', async () => {
    const owner = node();
    const all = await pooled(3, owner);
    owner.closeExpired(10_001);
    assert.deepEqual(
      all.map(({ connection }) => connection.open),
      [false, false, true],
    );
    owner.failed(0);
    assert.deepEqual([owner.idleConnections, all[2]?.connection.open], [0, false]);
  });
});
