import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { sleep, until, within } from '../../test/support/deadline.ts';
import { RawPeer } from '../../test/support/raw-peer.ts';
import { listening } from '../../test/support/wires.ts';
import type { Transport } from '../net/contract.ts';
import { createStreamsTransport } from '../net/streams.ts';
import { type Client, Front } from './front.ts';

describe('a front', () => {
  let transport: Transport;
  let front: Front;
  let port: number;
  let served: Client[];
  let peers: RawPeer[];

  const open = async (maxConnections = 100) => {
    ({ port } = await front.listen({ ...listening, maxConnections }));
  };
  const connect = async () => {
    const peer = await RawPeer.connect(port);
    peers.push(peer);
    return peer;
  };
  const connected = async (count: number) => {
    for (let i = 0; i < count; i++) await connect();
    await until('all to be served', () => served.length === count);
  };

  beforeEach(() => {
    transport = createStreamsTransport();
    served = [];
    peers = [];
    front = new Front(transport, async (client) => {
      served.push(client);
      await client.connection.readHead({ maxBytes: 1000, idleTimeout: 0, timeout: 0 });
    });
  });
  afterEach(() => {
    front.stopListening();
    for (const peer of peers) peer.destroy();
    transport.close();
  });

  it('closes what its server has left open', async () => {
    await open();
    const peer = await connect();
    await peer.write('GET / HTTP/1.1\r\n\r\n');
    assert.equal(await peer.ending(), 'end');
    assert.equal(front.connections, 0);
  });

  it('leaves connections over the bound waiting, and takes them as others go', async () => {
    await open(2);
    for (let i = 0; i < 5; i++) await connect();
    await until('two to be served', () => served.length === 2);
    await sleep(50);
    assert.equal(front.connections, 2);
    for (let gone = 0; gone < 3; gone++) {
      served[gone]?.connection.close();
      await until('the next one', () => served.length === 3 + gone);
    }
  });

  it('a drain without connections ends at once', async () => {
    await open();
    assert.equal(await within('the drain', front.drain(0, 10_000), 1000), 0);
    assert.equal(front.draining, true);
  });

  it('a drain closes idle connections and waits for the busy', async () => {
    await open();
    await connected(3);
    served[0]!.phase = 'exchange';
    let cut: number | undefined;
    const drain = front.drain(0, 10_000).then((count) => {
      cut = count;
    });
    await until('the idle to be closed', () => front.connections === 1);
    assert.deepEqual([cut, served[0]?.mayWait()], [undefined, false]);
    served[0]?.connection.close();
    await within('the drain', drain);
    assert.equal(cut, 0);
  });

  it('a drain still accepts for as long as it was told, and closes nothing before', async () => {
    await open();
    await connected(1);
    const drain = front.drain(300, 10_000);
    await sleep(100);
    await connect();
    await until('the second to be served', () => served.length === 2);
    assert.deepEqual([front.draining, served[0]?.mayWait(), served[0]?.connection.open], [true, true, true]);
    await within('the drain', drain);
    assert.equal(front.connections, 0);
  });

  it('a drain that is hurried cuts exchanges, and closes what has had its last answer, uncounted', async () => {
    await open();
    await connected(3);
    const told: string[] = [];
    served[0]!.phase = 'exchange';
    served[0]!.watch((why) => {
      told.push(why);
      served[0]?.connection.close();
    });
    served[1]!.phase = 'ending';
    const drain = front.drain(600_000, 600_000);
    await sleep(20);
    front.hurry();
    assert.equal(await within('the drain', drain), 1);
    assert.deepEqual(told, ['cut']);
    assert.equal(front.connections, 0);
  });

  it('a drain accepts no longer than its own deadline', async () => {
    await open();
    assert.equal(await within('the drain', front.drain(600_000, 50)), 0);
  });

  it('a drain resets what is busy at its deadline, and tells how many', async () => {
    await open();
    await connected(3);
    for (const client of served.slice(0, 2)) client.phase = 'exchange';
    const began = performance.now();
    assert.equal(await within('the drain', front.drain(0, 200), 2000), 2);
    assert.ok(performance.now() - began >= 190);
    assert.deepEqual(await Promise.all(peers.map((peer) => peer.ending())), ['reset', 'reset', 'end']);
    assert.equal(front.connections, 0);
  });
});
