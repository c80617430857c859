/** What is told of a connection while nobody reads from it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Connection } from '../../../src/net/contract.ts';
import { sleep, until, within } from '../../support/deadline.ts';
import type { Wires } from '../../support/wires.ts';
import { readText } from './heads.ts';

/** Everything the watcher is told. */
function told(connection: Connection, data = false): string[] {
  const news: string[] = [];
  connection.watch((why) => news.push(why), data);
  return news;
}

export function watchCases(wires: Wires): void {
  it('an end and a reset are told, each once', async () => {
    for (const how of ['end', 'reset'] as const) {
      const { peer, connection } = await wires.dialled();
      const news = told(connection);
      await sleep(20);
      assert.deepEqual(news, []);
      peer[how]();
      await until('the news', () => news.length > 0);
      peer.destroy();
      await sleep(30);
      assert.deepEqual(news, [how]);
    }
  });

  it('unasked bytes are told where they matter, and kept where not', async () => {
    const pooled = await wires.dialled();
    const news = told(pooled.connection, true);
    await pooled.peer.write('HTTP/1.1 408 Request Timeout\r\n\r\n');
    await until('the news', () => news.length > 0);
    assert.deepEqual(news, ['data']);
    const busy = await wires.accepted();
    const none = told(busy.connection);
    await busy.peer.write('GET / HTTP/1.1\r\n\r\n');
    await sleep(50);
    assert.deepEqual(none, []);
    assert.equal(await readText(busy.connection), 'GET / HTTP/1.1\r\n\r\n');
  });

  it('what has happened before is told too, in a later turn', async () => {
    for (const how of ['end', 'reset', 'write'] as const) {
      const { peer, connection } = await wires.dialled();
      peer[how]('x');
      await sleep(50);
      const news = told(connection, true);
      assert.deepEqual(news, []);
      await until('the news', () => news.length > 0);
      assert.deepEqual(news, [how === 'write' ? 'data' : how]);
    }
  });

  it('null stops the watching', async () => {
    const { peer, connection } = await wires.dialled();
    const news = told(connection, true);
    connection.watch(null);
    peer.end();
    await sleep(50);
    assert.deepEqual(news, []);
  });

  it('the client that goes away under its answer is told', async () => {
    const { source, sink, receiver } = await wires.path('down');
    const news = told(sink);
    const relay = source.relay(sink, { framing: { kind: 'length', length: 1000 }, stallTimeout: 5000 });
    await sleep(20);
    receiver.reset();
    await until('the news', () => news.length > 0);
    assert.deepEqual(news, ['reset']);
    assert.equal((await within('the relay', relay.done)).kind, 'sink-reset');
  });

  it('a reader is told itself, not the watcher', async () => {
    const { peer, connection } = await wires.accepted();
    const news = told(connection);
    const head = connection.readHead({ maxBytes: 1000, idleTimeout: 0, timeout: 0 });
    peer.end();
    assert.equal((await within('a head', head)).kind, 'end');
    await sleep(30);
    assert.deepEqual(news, []);
  });
}
