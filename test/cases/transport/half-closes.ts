/** One side of a connection has ended, the other has not: what is still sent, read and told. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Connection } from '../../../src/net/contract.ts';
import { body, bodyBlocks, digestOf } from '../../support/body.ts';
import { sleep, until, within } from '../../support/deadline.ts';
import type { Wires } from '../../support/wires.ts';
import { readText } from './heads.ts';

const MIB = 1024 * 1024;
const head = { maxBytes: 1000, idleTimeout: 0, timeout: 0 };

/** Everything the watcher is told. */
function told(connection: Connection): string[] {
  const news: string[] = [];
  connection.watch((why) => news.push(why));
  return news;
}

export function halfCloseCases(wires: Wires): void {
  it('an end of our side comes behind what is queued, and what the peer then sends is read', async () => {
    const { peer, connection } = await wires.dialled();
    const request = body(8 * MIB);
    connection.send(request.toString('latin1'));
    connection.end();
    connection.end();
    connection.send('nobody hears this');
    // It is not read at once: the end waits behind what the kernel did not take.
    await sleep(50);
    assert.equal(await peer.digest(), digestOf([request]));
    assert.equal(await peer.ending(), 'end');
    await peer.write('HTTP/1.1 200 OK\r\n\r\n');
    assert.equal(await readText(connection), 'HTTP/1.1 200 OK\r\n\r\n');
    peer.end();
    // FINs of both sides are no failure.
    for (let again = 0; again < 2; again++) {
      await sleep(20);
      assert.equal((await within('a head', connection.readHead(head))).kind, 'end');
    }
    assert.equal(connection.open, true);
  });

  it('a body until close ends as complete behind an end of our side, and was whole', async () => {
    for (const pause of [0, 100]) {
      const { sender, source, sink, receiver } = await wires.path('down');
      source.send('GET / HTTP/1.0\r\n\r\n');
      source.end();
      assert.equal(await sender.ending(), 'end');
      const size = 3 * MIB + 1;
      const sent = sender.writeAll(bodyBlocks(size)).then(() => sender.end());
      await sleep(pause);
      const relay = source.relay(sink, { framing: { kind: 'until-close' }, stallTimeout: 10_000 });
      assert.equal(await receiver.digest(size), digestOf(bodyBlocks(size)));
      await sent;
      const end = await within('the relay', relay.done);
      assert.deepEqual([end.kind, end.bytes], ['complete', size]);
    }
  });

  it('a reset behind an end of our side is told, to a reader and to a watcher', async () => {
    const read = await wires.dialled();
    read.connection.end();
    const result = read.connection.readHead(head);
    assert.equal(await read.peer.ending(), 'end');
    read.peer.reset();
    assert.equal((await within('a head', result)).kind, 'reset');
    const watched = await wires.dialled();
    watched.connection.end();
    const news = told(watched.connection);
    assert.equal(await watched.peer.ending(), 'end');
    watched.peer.reset();
    await until('the news', () => news.length > 0);
    assert.deepEqual(news, ['reset']);
  });

  it('a reset that follows an end of the peer is told as well, each once', async () => {
    for (const wire of [await wires.accepted(), await wires.dialled()]) {
      const news = told(wire.connection);
      wire.peer.end();
      await until('the end', () => news.length > 0);
      await sleep(50);
      assert.deepEqual(news, ['end']);
      wire.peer.reset();
      await until('the reset', () => news.length > 1);
      await sleep(50);
      assert.deepEqual(news, ['end', 'reset']);
    }
  });

  it('a watcher that comes later is told of the end again', async () => {
    const { peer, connection } = await wires.accepted();
    const first = told(connection);
    peer.end();
    await until('the end', () => first.length > 0);
    connection.watch(null);
    const second = told(connection);
    await until('the end again', () => second.length > 0);
    assert.deepEqual([first, second], [['end'], ['end']]);
  });

  it('an end that came in one piece with a head, or with a body, is told to the watcher', async () => {
    for (const request of ['GET / HTTP/1.1\r\n\r\n', 'POST / HTTP/1.1\r\n\r\nhello']) {
      const { peer, connection } = await wires.accepted();
      // The second time the transport is watching already.
      for (const nth of ['first', 'second']) {
        connection.watch(() => {});
        const reading = connection.readHead(head);
        if (nth === 'first') await peer.write('GET /first HTTP/1.1\r\n\r\n');
        else peer.socket.end(request);
        assert.equal((await within('a head', reading)).kind, 'head');
      }
      if (request.endsWith('hello')) {
        const { connection: sink, peer: receiver } = await wires.dialled();
        const relay = connection.relay(sink, {
          framing: { kind: 'length', length: 5 },
          stallTimeout: 10_000,
        });
        assert.equal((await receiver.exactly(5)).toString(), 'hello');
        assert.equal((await within('the relay', relay.done)).kind, 'complete');
      }
      const news = told(connection);
      await until('the end', () => news.length > 0);
      assert.deepEqual(news, ['end']);
    }
  });

  it('an end that nobody acts upon costs no turns of the loop', async () => {
    const { peer, connection } = await wires.accepted();
    const news = told(connection);
    peer.end();
    await until('the end', () => news.length > 0);
    const before = wires.server.counters().systemCalls;
    await sleep(300);
    assert.ok(wires.server.counters().systemCalls - before < 100);
  });
}
