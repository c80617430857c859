/** Relays whose ends fail, stall or are slow. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Framing } from '../../../src/http1/framing.ts';
import { body, bodyBlocks, digestOf } from '../../support/body.ts';
import { sleep, until, within } from '../../support/deadline.ts';
import { heldByBuffers } from '../../support/memory.ts';
import { directions, type Wires } from '../../support/wires.ts';
import { readText } from './heads.ts';

const MIB = 1024 * 1024;
const stallTimeout = 10_000;
const length = (bytes: number): Framing => ({ kind: 'length', length: bytes });

export function faultCases(wires: Wires): void {
  it('FIN in mid body ends as source-end, and what came before it has arrived', async () => {
    for (const framing of [length(1000), { kind: 'chunked' } as const]) {
      const { sender, source, sink, receiver } = await wires.path();
      const relay = source.relay(sink, { framing, stallTimeout });
      await sender.write(framing.kind === 'length' ? 'hello' : 'a\r\nhello');
      sender.end();
      const end = await within('the relay', relay.done);
      assert.deepEqual([end.kind, end.bytes], ['source-end', 5]);
      sink.reset();
      assert.equal(await receiver.ending(), 'reset');
    }
  });

  it('FIN inside chunk framing is no end of the body', async () => {
    for (const cut of ['', '5\r\nhello\r\n', '5\r\nhello\r\n0\r\n', '5\r\nhello\r\n0\r\nX: y\r\n']) {
      const { sender, source, sink } = await wires.path();
      const relay = source.relay(sink, { framing: { kind: 'chunked' }, stallTimeout });
      if (cut !== '') await sender.write(cut);
      sender.end();
      assert.equal((await within('the relay', relay.done)).kind, 'source-end');
    }
  });

  it('a reset in mid body ends as source-reset, whatever the framing', async () => {
    for (const framing of [length(1000), { kind: 'chunked' }, { kind: 'until-close' }] as Framing[]) {
      const { sender, source, sink } = await wires.path('down');
      const relay = source.relay(sink, { framing, stallTimeout });
      await sender.write('a\r\nhello');
      await until('some of it', () => relay.moved > 0);
      sender.reset();
      assert.equal((await within('the relay', relay.done)).kind, 'source-reset');
    }
  });

  it('a sink that resets in mid body ends the relay', async () => {
    for (const direction of directions) {
      const { sender, source, sink, receiver } = await wires.path(direction);
      const relay = source.relay(sink, { framing: length(1024 * MIB), stallTimeout });
      const flood = setInterval(() => sender.socket.write(body(10_000)), 1);
      await receiver.exactly(100_000);
      receiver.reset();
      const end = await within('the relay', relay.done);
      clearInterval(flood);
      assert.equal(end.kind, 'sink-reset');
    }
  });

  it('a sink that resets while the source is silent ends the relay at once', async () => {
    const { source, sink, receiver } = await wires.path();
    const relay = source.relay(sink, { framing: length(1000), stallTimeout });
    await sleep(20);
    receiver.reset();
    assert.equal((await within('the relay', relay.done, 2000)).kind, 'sink-reset');
  });

  it('an answer that came before the reset can be read after it', async () => {
    for (const reads of ['before', 'after'] as const) {
      const { sender, source, sink, receiver } = await wires.path();
      const relay = source.relay(sink, { framing: length(1024 * MIB), stallTimeout });
      const early = reads === 'before' ? readText(sink) : undefined;
      const flood = setInterval(() => sender.socket.write(body(10_000)), 1);
      await receiver.exactly(100_000);
      await receiver.write('HTTP/1.1 413 Content Too Large\r\n\r\n');
      await sleep(50);
      receiver.reset();
      assert.equal((await within('the relay', relay.done)).kind, 'sink-reset');
      clearInterval(flood);
      assert.equal(await (early ?? readText(sink)), 'HTTP/1.1 413 Content Too Large\r\n\r\n');
    }
  });

  it('a receiver that has sent FIN still gets the whole body', async () => {
    const { sender, source, sink, receiver } = await wires.path('down');
    const relay = source.relay(sink, { framing: length(2 * MIB), stallTimeout });
    receiver.end();
    await sleep(30);
    void sender.writeAll(bodyBlocks(2 * MIB));
    assert.equal(await receiver.digest(2 * MIB), digestOf(bodyBlocks(2 * MIB)));
    assert.equal((await within('the relay', relay.done)).kind, 'complete');
  });

  it('a source that outlives its relay can be read on', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const relay = source.relay(sink, { framing: length(1000), stallTimeout });
    await sleep(20);
    receiver.reset();
    await within('the relay', relay.done);
    await sender.write('x'.repeat(1000));
    const end = await within('a discard', source.discard(length(1000), 5000, stallTimeout));
    assert.deepEqual([end.kind, end.bytes], ['complete', 1000]);
  });

  it('a silent source stalls, and what it sent before has arrived', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const relay = source.relay(sink, { framing: length(1000), stallTimeout: 200 });
    await sender.write('hello');
    assert.equal((await receiver.exactly(5)).toString(), 'hello');
    const end = await within('the relay', relay.done, 2000);
    assert.deepEqual([end.kind, end.bytes], ['source-stalled', 5]);
  });

  it('a source that is slow but not silent does not stall', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const relay = source.relay(sink, { framing: length(10), stallTimeout: 700 });
    for (const char of '0123456789') {
      await sender.write(char);
      await sleep(100);
    }
    assert.equal((await receiver.exactly(10)).toString(), '0123456789');
    assert.equal((await within('the relay', relay.done)).kind, 'complete');
  });

  it('a sink that stops reading stalls, and holds the source back', async () => {
    const { sender, source, sink } = await wires.path();
    const relay = source.relay(sink, { framing: length(1024 * MIB), stallTimeout: 500 });
    const block = body(MIB);
    const flood = sender.writeAll(Array.from({ length: 256 }, () => block));
    const end = await within('the relay', relay.done, 20_000);
    assert.equal(end.kind, 'sink-stalled');
    assert.ok(end.bytes < 64 * MIB, `${end.bytes} bytes left for a sink that reads nothing`);
    assert.equal(relay.moved, end.bytes);
    source.close();
    sink.close();
    assert.equal(await within('the sender', flood), false);
  });

  it('a slow reader costs no memory and loses nothing', async () => {
    const size = 48 * MIB;
    const { sender, source, sink, receiver } = await wires.path('down');
    const relay = source.relay(sink, { framing: length(size), stallTimeout });
    const block = body(MIB);
    const blocks = Array.from({ length: 48 }, () => block);
    const before = await heldByBuffers();
    void sender.writeAll(blocks);
    for (let last = -1; last !== relay.moved; await sleep(300)) last = relay.moved;
    const held = (await heldByBuffers()) - before;
    assert.ok(held < 2 * MIB, `${held} bytes held for one stream that waits`);
    assert.equal(await receiver.digest(size), digestOf(blocks));
    assert.equal((await within('the relay', relay.done)).kind, 'complete');
  });

  it('closing either end here stops the relay', async () => {
    for (const which of ['source', 'sink'] as const) {
      for (const how of ['close', 'reset'] as const) {
        const path = await wires.path();
        const relay = path.source.relay(path.sink, { framing: length(1000), stallTimeout });
        await path.sender.write('hello');
        assert.equal((await path.receiver.exactly(5)).toString(), 'hello');
        path[which][how]();
        const end = await within('the relay', relay.done);
        assert.deepEqual([end.kind, end.bytes], ['stopped', 5]);
      }
    }
  });

  it('a relay that begins between closed connections ends at once', async () => {
    for (const which of ['source', 'sink'] as const) {
      const path = await wires.path();
      path[which].close();
      const relay = path.source.relay(path.sink, { framing: length(1000), stallTimeout });
      assert.equal((await within('the relay', relay.done)).kind, 'stopped');
    }
  });

  it('a body until close that is cut by a reset is not whole', async () => {
    const { sender, source, sink } = await wires.path('down');
    const relay = source.relay(sink, { framing: { kind: 'until-close' }, stallTimeout });
    await sender.writeAll(bodyBlocks(100_000));
    await until('all of it', () => relay.moved === 100_000);
    sender.reset();
    assert.equal((await within('the relay', relay.done)).kind, 'source-reset');
  });
}
