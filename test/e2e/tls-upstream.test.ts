/** Servers behind TLS: verified, carried on the copying transport, and a fault of the certificate told by name. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import type { NodeAddress } from '../../src/upstream/node.ts';
import { bodyBlocks, digestOf } from '../support/body.ts';
import { type Certificate, makeCertificates } from '../support/certificates.ts';
import { within } from '../support/deadline.ts';
import { readBody, readHead, readLarge, readWhole } from '../support/http-peer.ts';
import { answerText, Origin } from '../support/origin.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { SluiceProcess } from '../support/sluice-process.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const size = 32 * MIB;
const certificates = makeCertificates();

/** Answers a POST with the digest of its body, and a GET with a large body. */
async function tlsOrigin({ key, cert }: Certificate) {
  const sockets = new Set<TLSSocket>();
  const names: (string | false | null)[] = [];
  const server = createServer({ key, cert }, async (socket) => {
    sockets.add(socket);
    names.push(socket.servername);
    const peer = new RawPeer(socket);
    for (;;) {
      const head = await readHead(peer).catch(() => undefined);
      if (!head) return;
      const { digest } = await readBody(peer, head);
      if (head.method === 'POST') await peer.write(answerText(200, digest));
      else {
        await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        await peer.writeAll(bodyBlocks(size));
      }
    }
  });
  server.on('tlsClientError', () => {});
  await within('a TLS listen', new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return {
    port: address.port,
    names,
    accepted: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('a server behind TLS', {
  skip: certificates ? false : 'no openssl here to make certificates with',
}, () => {
  const { authority, good, expired, selfSigned, misnamed, strange } = certificates!;
  const node = (port: number, verify = true): NodeAddress => ({
    name: `es.test:${port}`,
    host: '127.0.0.1',
    port,
    tls: { serverName: 'es.test', ca: authority, verify },
  });

  onEachTransport('with clients', (kind) => {
    it('gets and gives bodies whole, over one connection, and the record says how they were carried', async () => {
      await using origin = await tlsOrigin(good);
      await using stand = await Stand.open(kind, { nodes: [node(origin.port)] });
      const client = await stand.client();
      await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${size}\r\n\r\n`);
      await client.writeAll(bodyBlocks(size));
      assert.equal((await readWhole(client)).text, digestOf(bodyBlocks(size)));
      await client.write('GET /_search HTTP/1.1\r\nHost: es\r\n\r\n');
      assert.equal((await readLarge(client)).digest, digestOf(bodyBlocks(size)));
      for (const direction of ['request', 'response'] as const) {
        const exchange = await stand.ended();
        assert.equal(exchange.transport, 'streams');
        assert.deepEqual([exchange[direction].copied, exchange[direction].spliced], [size, 0]);
      }
      assert.deepEqual([origin.accepted(), origin.names], [1, ['es.test']]);
    });

    for (const [fault, certificate, detail] of [
      ['has expired', expired, /expired/],
      ['is self-signed', selfSigned, /self-signed/],
      ['is for another host', misnamed, /es\.test/],
      ['comes from an unknown authority', strange, /authority/],
    ] as const) {
      it(`whose certificate ${fault} is 502, and the record names the fault`, async () => {
        await using origin = await tlsOrigin(certificate);
        await using stand = await Stand.open(kind, { nodes: [node(origin.port)] });
        const client = await stand.client();
        await client.write('GET / HTTP/1.1\r\nHost: es\r\n\r\n');
        const { head, text } = await readWhole(client);
        assert.equal(head.status, 502);
        assert.equal(JSON.parse(text).error.type, 'sluice_upstream_tls');
        const { failure } = await stand.ended();
        assert.equal(failure?.code, 'upstream-tls');
        assert.match(failure?.detail ?? '', detail);
      });
    }

    it('that speaks no TLS at all is 502', async () => {
      await using origin = await Origin.open(async (peer) => {
        await peer.write('HTTP/1.1 400 Bad Request\r\n\r\n');
        peer.end();
      });
      await using stand = await Stand.open(kind, { nodes: [node(origin.port)] });
      const client = await stand.client();
      await client.write('GET / HTTP/1.1\r\nHost: es\r\n\r\n');
      assert.equal((await readWhole(client)).head.status, 502);
      assert.equal((await stand.ended()).failure?.code, 'upstream-tls');
    });

    it('and one without: a request goes to either, and each is carried its own way', async () => {
      await using secure = await tlsOrigin(good);
      await using plain = await Origin.open();
      await using stand = await Stand.open(kind, { nodes: [node(secure.port), plain.port] });
      const client = await stand.client();
      const ways = new Set<string>();
      for (let i = 0; i < 60 && ways.size < 2; i++) {
        await client.write('POST / HTTP/1.1\r\nHost: es\r\nContent-Length: 5\r\n\r\nhello');
        assert.equal((await readWhole(client)).text, digestOf([Buffer.from('hello')]));
        const { node, transport } = await stand.ended();
        assert.equal(transport, node.startsWith('es.test') ? 'streams' : kind);
        ways.add(node);
      }
      assert.equal(ways.size, 2);
    });
  });

  it('shows in the metrics which way bodies took', async () => {
    await using secure = await tlsOrigin(selfSigned);
    await using plain = await Origin.open();
    for (const [url, way] of [
      [`https://127.0.0.1:${secure.port}`, 'copied'],
      [`http://127.0.0.1:${plain.port}`, 'spliced'],
    ] as const) {
      const config = url.startsWith('https') ? 'upstream: { tls: { verify: false } }\n' : '{}';
      await using sluice = await SluiceProcess.start([url], config);
      const client = await sluice.client();
      await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${size}\r\n\r\n`);
      await client.writeAll(bodyBlocks(size));
      assert.equal((await readWhole(client)).text, digestOf(bodyBlocks(size)));
      client.destroy();
      const metrics = await sluice.metrics();
      const bytes = [...metrics.matchAll(new RegExp(`^sluice_[a-z_]*\\{[^}]*"${way}"[^}]*\\} (\\d+)`, 'gm'))];
      assert.ok(
        bytes.some(([, value]) => Number(value) >= size * 0.99),
        metrics,
      );
    }
  });
});
