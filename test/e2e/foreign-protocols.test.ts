/** Who speaks another protocol than HTTP/1.1 is told at the first bytes, and named in the record. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { ErrorCode } from '../../src/errors.ts';
import { within } from '../support/deadline.ts';
import { readAnswer, readHead, readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const get = 'GET / HTTP/1.1\r\nHost: es\r\n\r\n';
const proxy1 = 'PROXY TCP4 10.0.0.1 10.0.0.2 56324 443\r\n';
const proxy2 = '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\xdc\x04\x23\xf0';

const clients: readonly (readonly [what: string, bytes: string, code: ErrorCode, detail: RegExp])[] = [
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'tls-on-plain-port', /http:\/\//],
  ['the PROXY protocol, version 1', proxy1, 'proxy-protocol-unexpected', /version 1/],
  ['the same before a request', proxy1 + get, 'proxy-protocol-unexpected', /version 1/],
  ['the PROXY protocol, version 2', proxy2, 'proxy-protocol-unexpected', /version 2/],
  ['the same before a request', proxy2 + get, 'proxy-protocol-unexpected', /version 2/],
  ['HTTP/2 at once', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'version-not-supported', /HTTP\/2/],
  ['a byte that no method holds', '\x80\x2e\x01', 'request-line-malformed', /method/],
];

const servers: readonly (readonly [what: string, bytes: string, detail: RegExp])[] = [
  ['an alert of TLS', '\x15\x03\x03\x00\x02\x02\x46', /https:\/\//],
  ['frames of HTTP/2', '\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64', /HTTP\/2/],
  ['bytes that no status line holds', '\x00\x01\x02', /no valid status line/],
];

/** Longer than the test may take: nothing here waits for it. */
const timeouts = { head: 3_600_000 };

onEachTransport('another protocol', (kind) => {
  for (const [what, bytes, code, detail] of clients) {
    it(`a client of ${what} is refused at the first bytes, by name (${bytes.length} bytes)`, async () => {
      await using origin = await Origin.open();
      await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts });
      const client = await stand.client();
      await client.write(bytes);
      const answer = await readWhole(client);
      const { failure, status } = await stand.ended();
      assert.equal(failure?.code, code);
      assert.match(failure.detail, detail);
      assert.equal(answer.head.status, status);
      assert.match(answer.text, detail, 'the client is told');
      assert.equal((await readAnswer(client)).kind, 'none', 'and nothing else');
      assert.equal(origin.accepted, 0);
    });
  }

  it('a real client of TLS ends with an error, and is named', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts });
    const client = connectTls({ port: stand.port, host: '127.0.0.1', rejectUnauthorized: false });
    client.on('error', () => {});
    const [error] = await within('an error', once(client, 'error'), 20_000);
    assert.match(String(error), /wrong version number|packet length|EPROTO/i);
    assert.equal((await stand.ended()).failure?.code, 'tls-on-plain-port');
    client.destroy();
  });

  it('a real client of HTTP/2 ends with an error, and is named', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts });
    const session = connectHttp2(`http://127.0.0.1:${stand.port}`);
    session.on('error', () => {});
    await within('an error', once(session, 'error'), 20_000);
    const { failure } = await stand.ended();
    assert.deepEqual([failure?.code, failure?.detail.includes('HTTP/2')], ['version-not-supported', true]);
    session.destroy();
  });

  for (const [what, bytes, detail] of servers) {
    it(`a node that answers with ${what} is told as such`, async () => {
      await using origin = await Origin.open(async (peer) => {
        if (await readHead(peer)) await peer.write(bytes);
      });
      await using stand = await Stand.open(kind, { nodes: [origin.port], timeouts });
      const client = await stand.client();
      await client.write(get);
      assert.equal((await readWhole(client)).head.status, 502);
      const { failure } = await stand.ended();
      assert.equal(failure?.code, 'upstream-head-malformed');
      assert.match(failure.detail, detail);
    });
  }
});
