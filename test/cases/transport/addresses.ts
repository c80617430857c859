/** Listening and connecting. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Connection } from '../../../src/net/contract.ts';
import { sleep, until, within } from '../../support/deadline.ts';
import { withFullBacklog } from '../../support/full-backlog.ts';
import { RawPeer } from '../../support/raw-peer.ts';
import { listening, type Wires } from '../../support/wires.ts';

export function addressCases(wires: Wires): void {
  it('both ends of a connection agree on its addresses', async () => {
    const { connection, peer } = await wires.accepted();
    assert.equal(connection.remoteAddress, '127.0.0.1');
    assert.equal(connection.remotePort, peer.socket.localPort);
    assert.equal(connection.localAddress, '127.0.0.1');
    assert.equal(connection.localPort, peer.socket.remotePort);
    assert.equal(connection.transport, wires.server.kind);
    const dialled = await wires.dialled();
    assert.equal(dialled.connection.remotePort, dialled.peer.socket.localPort);
    assert.equal(dialled.connection.localPort, dialled.peer.socket.remotePort);
    assert.equal(dialled.connection.remoteAddress, '127.0.0.1');
    assert.equal(dialled.connection.transport, wires.client.kind);
  });

  it('an IPv4 client of a dual stack listener is shown by its IPv4 address', async (t) => {
    const arrived: Connection[] = [];
    const listener = await wires.server
      .listen({ ...listening, host: '::' }, (c) => arrived.push(c))
      .catch(() => {});
    if (!listener) return t.skip('no IPv6 here');
    const peer = await RawPeer.connect(listener.port);
    await until('an accept', () => arrived.length === 1);
    assert.equal(arrived[0]!.remoteAddress, '127.0.0.1');
    assert.equal(arrived[0]!.localAddress, '127.0.0.1');
    arrived[0]!.close();
    peer.destroy();
    listener.close();
  });

  it('a port in use is refused at start-up', async () => {
    const listener = await wires.server.listen(listening, () => {});
    await assert.rejects(
      wires.server.listen({ ...listening, port: listener.port }, () => {}),
      /EADDRINUSE/,
    );
    listener.close();
  });

  it('two listeners may share a port where both ask for it', async () => {
    const first = await wires.server.listen({ ...listening, reusePort: true }, (c) => c.close());
    const second = await wires.server.listen({ ...listening, reusePort: true, port: first.port }, (c) =>
      c.close(),
    );
    assert.equal(second.port, first.port);
    first.close();
    second.close();
  });

  it('a listener without room hands nothing over until it has some', async () => {
    const arrived: Connection[] = [];
    const listener = await wires.server.listen(listening, (connection) => arrived.push(connection));
    listener.admit(0);
    const peer = await RawPeer.connect(listener.port);
    await peer.write('GET / HTTP/1.1\r\n\r\n');
    await sleep(100);
    assert.equal(arrived.length, 0);
    listener.admit(Number.POSITIVE_INFINITY);
    await until('the waiting connection', () => arrived.length === 1);
    const head = await within(
      'its head',
      arrived[0]!.readHead({ maxBytes: 1000, idleTimeout: 0, timeout: 0 }),
    );
    assert.equal(head.kind, 'head');
    arrived[0]!.close();
    peer.destroy();
    listener.close();
  });

  it('a burst of connections never gets past the room of a listener', async () => {
    const arrived: Connection[] = [];
    const listener = await wires.server.listen(listening, (connection) => arrived.push(connection));
    listener.admit(3);
    const peers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.connect(listener.port)));
    await until('the first', () => arrived.length >= 3);
    await sleep(100);
    assert.equal(arrived.length, 3);
    listener.admit(1);
    await until('one more', () => arrived.length >= 4);
    await sleep(100);
    assert.equal(arrived.length, 4);
    listener.admit(Number.POSITIVE_INFINITY);
    await until('the others', () => arrived.length === 20);
    for (const connection of arrived) connection.close();
    for (const peer of peers) peer.destroy();
    listener.close();
  });

  it('a closed listener refuses, and leaves what it accepted alone', async () => {
    const arrived: Connection[] = [];
    const listener = await wires.server.listen(listening, (connection) => arrived.push(connection));
    const peer = await RawPeer.connect(listener.port);
    await until('an accept', () => arrived.length === 1);
    listener.close();
    await sleep(20);
    const refused = await wires.client.connect(wires.dialling(listener.port));
    assert.equal(refused.kind === 'failed' && refused.code, 'upstream-refused');
    arrived[0]!.send('still here');
    assert.equal((await peer.exactly(10)).toString(), 'still here');
    arrived[0]!.close();
    peer.destroy();
  });

  it('a node that never accepts fails by the deadline, as a timeout', async (t) => {
    await withFullBacklog(async (port) => {
      const from = performance.now();
      const result = await within(
        'a connect',
        wires.client.connect(wires.dialling(port, { timeout: 300 })),
        3000,
      );
      if (result.kind === 'connected') return t.skip('this system takes more than its backlog');
      assert.equal(result.code, 'upstream-connect-timeout');
      assert.ok(performance.now() - from >= 290);
    });
  });
}
