import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { until, within } from '../../test/support/deadline.ts';
import { RawServer } from '../../test/support/raw-peer.ts';
import type { Connection } from './contract.ts';
import { StreamConnection } from './stream-connection.ts';
import { createStreamsTransport } from './streams.ts';

const length = { kind: 'length', length: 1_000_000 } as const;

/** A connection on a socket at hand: node:net has no option that makes the kernel give one up. */
async function wire() {
  const server = await RawServer.listen();
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  await within('a connect', new Promise((resolve) => socket.once('connect', resolve)));
  await server.next();
  const counters = createStreamsTransport().counters();
  const host = { counters, connections: new Set<Connection>() };
  return { server, socket, connection: new StreamConnection(socket, socket, host) };
}

function giveUp(socket: Socket, code: string): void {
  socket.destroy(Object.assign(new Error(code), { code }));
}

describe('a socket that the kernel gives up', () => {
  for (const [code, kind] of [
    ['ETIMEDOUT', 'lost'],
    ['EHOSTUNREACH', 'lost'],
    ['ECONNRESET', 'reset'],
    ['EPIPE', 'reset'],
  ] as const) {
    it(`with ${code} is ${kind} to a reader, a watcher and relays`, async () => {
      const read = await wire();
      const head = read.connection.readHead({ maxBytes: 1000, idleTimeout: 0, timeout: 0 });
      giveUp(read.socket, code);
      assert.equal((await within('a head', head)).kind, kind);

      const watched = await wire();
      const news: string[] = [];
      watched.connection.watch((why) => news.push(why));
      giveUp(watched.socket, code);
      await until('the news', () => news.length > 0);
      assert.deepEqual(news, [kind]);

      const [source, sink] = [await wire(), await wire()];
      const options = { framing: length, stallTimeout: 10_000 };
      const down = source.connection.relay(sink.connection, options);
      giveUp(source.socket, code);
      assert.equal((await within('the relay', down.done)).kind, `source-${kind}`);
      const [other, gone] = [await wire(), await wire()];
      const up = other.connection.relay(gone.connection, options);
      giveUp(gone.socket, code);
      assert.equal((await within('the relay', up.done)).kind, `sink-${kind}`);
      for (const { connection, server } of [read, watched, source, sink, other, gone]) {
        connection.close();
        server.close();
      }
    });
  }
});
