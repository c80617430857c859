/** Many at once, many after another; nothing crossed, nothing left. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Connection, Counters } from '../../../src/net/contract.ts';
import { bodyBlocks, digestOf } from '../../support/body.ts';
import { within } from '../../support/deadline.ts';
import { descriptors, descriptorsBackTo } from '../../support/descriptors.ts';
import { RawPeer } from '../../support/raw-peer.ts';
import type { Wires } from '../../support/wires.ts';
import { assertComplete } from './relays.ts';

const MIB = 1024 * 1024;

export function manyCases(wires: Wires): void {
  it('64 relays at once, each with its own body, and counters that add up', async () => {
    const size = 2 * MIB + 7;
    const sum = (field: keyof Counters) =>
      [...wires.transports].reduce((total, t) => total + t.counters()[field], 0);
    const moved = () => sum('bytesSpliced') + sum('bytesCopied');
    const before = { moved: moved(), spliced: sum('bytesSpliced') };
    const run = async (seed: number) => {
      const { sender, source, sink, receiver } = await wires.path(seed % 2 === 0 ? 'up' : 'down');
      const relay = source.relay(sink, { framing: { kind: 'length', length: size }, stallTimeout: 20_000 });
      void sender.writeAll(bodyBlocks(size, seed));
      assert.equal(await receiver.digest(size), digestOf(bodyBlocks(size, seed)), `body ${seed}`);
      const end = await within('a relay', relay.done);
      assertComplete(end, size);
      return end;
    };
    const ends = await Promise.all(Array.from({ length: 64 }, (_, seed) => run(seed)));
    assert.equal(moved() - before.moved, 64 * size);
    assert.equal(
      sum('bytesSpliced') - before.spliced,
      ends.reduce((total, end) => total + end.spliced, 0),
    );
    assert.equal(sum('relays'), 0);
  });

  it('a late call never reaches the connection that came after', async () => {
    const accepted = wires.server.counters().accepted;
    const closed: Connection[] = [];
    for (let turn = 0; turn < 200; turn++) {
      const { peer, connection } = await wires.accepted();
      for (const old of closed.slice(-5)) {
        old.send(`late call ${turn}`);
        old.close();
        old.reset();
        old.watch(() => {}, true);
      }
      connection.send(`turn ${turn};`);
      assert.equal(await peer.through(';'), `turn ${turn};`);
      connection.close();
      assert.equal(await peer.ending(), 'end');
      peer.destroy();
      closed.push(connection);
    }
    assert.equal(wires.server.counters().accepted - accepted, 200);
  });

  it('no descriptor and no pipe is left by exchanges that fail in every way', async () => {
    await wires.release();
    const before = descriptors();
    for (let turn = 0; turn < 30; turn++) {
      const { sender, source, sink, receiver } = await wires.path(turn % 2 === 0 ? 'up' : 'down');
      const framing =
        turn % 3 === 0 ? ({ kind: 'chunked' } as const) : ({ kind: 'length', length: 10 * MIB } as const);
      const relay = source.relay(sink, { framing, stallTimeout: turn % 7 === 0 ? 20 : 5000 });
      void sender.write('100000\r\n');
      void sender.writeAll(bodyBlocks(MIB, turn));
      // Where the stall is short, it may be over before anything has come.
      if (turn % 5 !== 0 && turn % 7 !== 0) await within('some of it', receiver.some());
      const faults = [
        () => sender.reset(),
        () => receiver.reset(),
        () => relay.stop(),
        () => source.close(),
        () => sink.reset(),
        () => sender.end(),
      ];
      faults[turn % faults.length]!();
      if (turn % 6 === 5) receiver.destroy();
      await within('the relay', relay.done);
      sender.destroy();
      receiver.destroy();
      source.close();
      sink.close();
    }
    await wires.release();
    await descriptorsBackTo(before);
  });

  it('a client that connects and goes at once is accepted, or never seen', async () => {
    const before = descriptors();
    const port = (await wires.accepted()).connection.localPort;
    for (let turn = 0; turn < 50; turn++) (await RawPeer.connect(port)).reset();
    const { connection, peer } = await wires.accepted();
    connection.send('alive');
    assert.equal((await peer.exactly(5)).toString(), 'alive');
    await wires.release();
    await descriptorsBackTo(before);
  });
}
