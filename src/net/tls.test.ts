import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import { readText } from '../../test/cases/transport/heads.ts';
import { assertComplete } from '../../test/cases/transport/relays.ts';
import { Arrivals } from '../../test/support/arrivals.ts';
import { bodyBlocks, digestOf } from '../../test/support/body.ts';
import { type Certificate, makeCertificates } from '../../test/support/certificates.ts';
import { within } from '../../test/support/deadline.ts';
import { descriptors, descriptorsBackTo } from '../../test/support/descriptors.ts';
import { RawPeer, RawServer } from '../../test/support/raw-peer.ts';
import { type Transports, Wires, withWires } from '../../test/support/wires.ts';
import type { Connection, TlsOptions } from './contract.ts';
import { createEngineTransport } from './engine.ts';
import { createStreamsTransport } from './streams.ts';

const certificates = makeCertificates();
const MIB = 1024 * 1024;

/** A server that speaks TLS and hands its connections out as raw peers. */
async function tlsServer({ key, cert }: Certificate) {
  const arrived = new Arrivals<RawPeer>();
  const server = createServer({ key, cert, allowHalfOpen: true }, (socket) =>
    arrived.push(new RawPeer(socket)),
  );
  server.on('tlsClientError', () => {});
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await within('a listen', new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return {
    port: address.port,
    accepted: (connection: Connection) =>
      arrived.take('a TLS accept', ({ socket }) => socket.remotePort === connection.localPort),
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const streams = (): Transports => {
  const transport = createStreamsTransport();
  return { server: transport, client: transport };
};

describe('TLS to a server', {
  skip: certificates ? false : 'no openssl here to make certificates with',
}, () => {
  const { authority, good, expired, selfSigned, misnamed, strange } = certificates!;
  const tls: TlsOptions = { serverName: 'es.test', ca: authority, verify: true };
  const transport = createStreamsTransport();
  after(() => transport.close());
  const connect = (port: number, options = tls, timeout = 5000) =>
    within('a connect', transport.connect(new Wires(streams).dialling(port, { tls: options, timeout })));

  for (const [fault, certificate, detail] of [
    ['expired', expired, /127\.0\.0\.1:\d+: the certificate has expired \(CERT_HAS_EXPIRED\)/],
    ['self-signed', selfSigned, /the certificate is self-signed/],
    ['for another host', misnamed, /not for es\.test, but for DNS:other\.test \(host name mismatch\)/],
    ['from an authority nobody knows', strange, /issued by an unknown authority/],
  ] as const) {
    it(`a certificate that is ${fault} is refused, and named`, async () => {
      const before = descriptors();
      const server = await tlsServer(certificate);
      const result = await connect(server.port);
      assert.equal(result.kind === 'failed' && result.code, 'upstream-tls');
      assert.match(result.kind === 'failed' ? result.detail : '', detail);
      assert.equal(transport.counters().connections, 0);
      server.close();
      await descriptorsBackTo(before);
    });
  }

  it('without verification any certificate will do', async () => {
    const server = await tlsServer(selfSigned);
    const result = await connect(server.port, { serverName: 'es.test', verify: false });
    assert.equal(result.kind, 'connected');
    result.connection.close();
    server.close();
  });

  it("without an authority of one's own the system's are trusted, and ours is not among them", async () => {
    const server = await tlsServer(good);
    const result = await connect(server.port, { serverName: 'es.test', verify: true });
    assert.equal(result.kind === 'failed' && result.code, 'upstream-tls');
    server.close();
  });

  it('an address is verified as an address, and not sent as a name', async () => {
    const server = await tlsServer(good);
    const result = await connect(server.port, { ...tls, serverName: '127.0.0.1' });
    assert.equal(result.kind, 'connected');
    const peer = await server.accepted(result.connection);
    assert.equal((peer.socket as TLSSocket).servername, false);
    result.connection.close();
    peer.destroy();
    server.close();
  });

  it('a server that does not speak TLS is told from one whose certificate is bad', async () => {
    const raw = await RawServer.listen();
    const connecting = connect(raw.port);
    const peer = await raw.next();
    await peer.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    const result = await connecting;
    assert.equal(result.kind === 'failed' && result.code, 'upstream-tls');
    assert.match(result.kind === 'failed' ? result.detail : '', /does not speak TLS/);
    peer.destroy();
    raw.close();
  });

  it('a server that closes or resets in the handshake is named as such', async () => {
    for (const how of ['end', 'reset'] as const) {
      const raw = await RawServer.listen();
      const connecting = connect(raw.port);
      const peer = await raw.next();
      await peer.some();
      peer[how]();
      const result = await connecting;
      assert.equal(result.kind === 'failed' && result.code, 'upstream-tls');
      assert.match(
        result.kind === 'failed' ? result.detail : '',
        /closed the connection during the handshake/,
      );
      peer.destroy();
      raw.close();
    }
  });

  it('a handshake that never ends fails by the deadline', async () => {
    const raw = await RawServer.listen();
    const result = await connect(raw.port, tls, 200);
    assert.equal(result.kind === 'failed' && result.code, 'upstream-connect-timeout');
    assert.match(result.kind === 'failed' ? result.detail : '', /TLS handshake/);
    raw.close();
  });

  it('the name is sent, and heads and bodies pass both ways', async () => {
    const makes = [streams, mixed].map((make) => make()).filter((made) => made !== undefined);
    for (const made of makes) {
      await withWires(
        () => made,
        async (wires) => {
          const server = await tlsServer(good);
          const { peer: sender, connection: source } = await wires.accepted();
          const result = await within(
            'a connect',
            wires.client.connect(wires.dialling(server.port, { tls })),
          );
          assert.equal(result.kind, 'connected');
          const sink = result.connection;
          const receiver = await server.accepted(sink);
          assert.equal((receiver.socket as TLSSocket).servername, 'es.test');
          const options = { framing: { kind: 'length', length: 4 * MIB }, stallTimeout: 5000 } as const;
          sink.send('POST / HTTP/1.1\r\n\r\n', true);
          const up = source.relay(sink, options);
          void sender.writeAll(bodyBlocks(4 * MIB, 1));
          assert.equal(await receiver.through('\r\n\r\n'), 'POST / HTTP/1.1\r\n\r\n');
          assert.equal(await receiver.digest(4 * MIB), digestOf(bodyBlocks(4 * MIB, 1)));
          assertComplete(await within('the relay', up.done), 4 * MIB);
          await receiver.write('HTTP/1.1 200 OK\r\n\r\n');
          assert.equal(await readText(sink), 'HTTP/1.1 200 OK\r\n\r\n');
          const down = sink.relay(source, { ...options, framing: { kind: 'until-close' } });
          void receiver.writeAll(bodyBlocks(4 * MIB, 2)).then(() => receiver.end());
          assert.equal(await sender.digest(4 * MIB), digestOf(bodyBlocks(4 * MIB, 2)));
          assertComplete(await within('the relay', down.done), 4 * MIB);
          sink.close();
          receiver.destroy();
          server.close();
        },
      );
    }
  });

  it('a reset reaches the server under TLS too', async () => {
    const server = await tlsServer(good);
    const result = await connect(server.port);
    assert.equal(result.kind, 'connected');
    const peer = await server.accepted(result.connection);
    // Past the handshake's last messages, on which Node's server would report the reset as an end.
    result.connection.send('hello');
    await peer.exactly(5);
    result.connection.reset();
    assert.equal(await peer.ending(), 'reset');
    server.close();
  });
});

/** A client on the engine, the server over TLS. */
function mixed(): Transports | undefined {
  const server = createEngineTransport();
  return server && { server, client: createStreamsTransport() };
}
