import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until, within } from '../../test/support/deadline.ts';
import { type Wire, Wires } from '../../test/support/wires.ts';
import { createStreamsTransport } from '../net/streams.ts';
import { Pool, pooled } from './pool.ts';

const never = Number.POSITIVE_INFINITY;
const pool = () => new Pool({ maxIdlePerNode: 3, idleTimeout: 10_000, maxAge: never });

it('connections of one burst do not grow old in one', () => {
  const connection = undefined as never;
  for (const [random, expiresAt] of [
    [0, 1900],
    [0.5, 2000],
    [1, 2100],
  ] as const) {
    assert.equal(pooled(connection, 1000, 1000, () => random).expiresAt, expiresAt);
  }
  assert.equal(pooled(connection, never, 1000, () => 0).expiresAt, never);
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

  const pooledOnes = async (count: number, owner: Pool): Promise<Wire[]> => {
    const dialled: Wire[] = [];
    for (let i = 0; i < count; i++) {
      const wire = await wires.dialled();
      owner.keep({ connection: wire.connection, expiresAt: never }, i);
      dialled.push(wire);
    }
    return dialled;
  };

  it('gives out the connection used last, each once, and none when it is empty', async () => {
    const owner = pool();
    const [first, second] = await pooledOnes(2, owner);
    assert.deepEqual(
      [owner.take(0)?.connection, owner.take(0)?.connection],
      [second?.connection, first?.connection],
    );
    assert.equal(owner.take(0), undefined);
  });

  it('holds no more than its bound: what is over is closed', async () => {
    const owner = pool();
    const all = await pooledOnes(5, owner);
    assert.equal(owner.size, 3);
    assert.deepEqual(
      all.map(({ connection }) => connection.open),
      [true, true, true, false, false],
    );
  });

  it('takes nothing that is closed, or in which bytes lie unread', async () => {
    const owner = pool();
    const closed = await wires.dialled();
    closed.connection.close();
    owner.keep({ connection: closed.connection, expiresAt: never }, 0);
    const noisy = await wires.dialled();
    await noisy.peer.write('unasked');
    await until('the bytes to be there', () => !noisy.connection.quiet);
    owner.keep({ connection: noisy.connection, expiresAt: never }, 0);
    assert.deepEqual([owner.size, noisy.connection.open], [0, false]);
  });

  it('lets go of what its server ends, resets, or speaks on unasked', async () => {
    const owner = pool();
    const [ended, reset, spoken] = await pooledOnes(3, owner);
    ended?.peer.end();
    reset?.peer.reset();
    await spoken?.peer.write('unasked');
    await until('the pool to be empty', () => owner.size === 0);
    for (const wire of [ended, reset, spoken]) assert.equal(wire?.connection.open, false);
  });

  it('no longer watches what it has given out', async () => {
    const owner = pool();
    const [wire] = await pooledOnes(1, owner);
    const connection = owner.take(0)?.connection;
    await wire?.peer.write('HTTP/1.1 200 OK\r\n\r\n');
    const head = connection?.readHead({ maxBytes: 100, idleTimeout: 0, timeout: 0 });
    assert.equal((await within('a head', head!)).kind, 'head');
  });

  it('closes what has lain idle for too long, and all of it when the node fails', async () => {
    const owner = pool();
    const all = await pooledOnes(3, owner);
    owner.closeExpired(10_001);
    assert.deepEqual(
      all.map(({ connection }) => connection.open),
      [false, false, true],
    );
    owner.closeIdle();
    assert.deepEqual([owner.size, all[2]?.connection.open], [0, false]);
  });

  it('gives out nothing that is too old, takes it back neither, and closes it where it lies', async () => {
    const owner = pool();
    const all = await Promise.all([0, 1, 2].map(() => wires.dialled()));
    const ages = all.map(({ connection }) => ({ connection, expiresAt: 1000 }));
    owner.keep(ages[0]!, 999);
    assert.equal(owner.take(1000), undefined);
    owner.keep(ages[1]!, 1000);
    owner.keep(ages[2]!, 999);
    owner.closeExpired(1000);
    assert.equal(owner.size, 0);
    for (const { connection } of all) assert.equal(connection.open, false);
  });

  it('that is closed keeps nothing that is given back later', async () => {
    const owner = pool();
    const [idle] = await pooledOnes(1, owner);
    const busy = await wires.dialled();
    owner.close();
    owner.keep({ connection: busy.connection, expiresAt: never }, 0);
    assert.deepEqual([idle?.connection.open, busy.connection.open, owner.size], [false, false, 0]);
  });
});
