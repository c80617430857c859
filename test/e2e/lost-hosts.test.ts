/**
 * Peers whose hosts stop acknowledging, or leave no room for longer than TCP_USER_TIMEOUT: the kernel gives the connection
 * up with ETIMEDOUT, which is nobody's reset. Only the engine can set the option; a reader that pauses stands in for a host
 * that is gone, since the kernel counts both.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { bodyBlocks } from '../support/body.ts';
import { until } from '../support/deadline.ts';
import { readHead, readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const size = 256 * 1024 * 1024;
const userTimeout = 1000;
const timeouts = { stall: 600_000 };
const preflight = { threshold: Number.POSITIVE_INFINITY };

onEachTransport('a host that acknowledges nothing for the user timeout', (kind) => {
  const skip = kind === 'streams' ? 'node:net can not set TCP_USER_TIMEOUT' : false;

  it('of a client in the middle of a response: client-lost, and the server is let go', { skip }, async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      await peer.writeAll(bodyBlocks(size));
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], userTimeout, timeouts });
    const client = await stand.client();
    await client.write('GET / HTTP/1.1\r\nHost: es\r\n\r\n');
    await until('the record', () => stand.exchanges.length === 1, 60_000);
    const { failure, status } = await stand.ended();
    assert.deepEqual([failure?.code, status], ['client-lost', 200]);
    assert.match(failure?.detail ?? '', /stopped acknowledging/);
    await until('the server to be let go', () => origin.peers[0]?.socket.destroyed === true);
    client.destroy();
  });

  it('of a server in the middle of a request: upstream-lost, 504, once', { skip }, async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], userTimeout, timeouts, preflight });
    const client = await stand.client();
    await client.write(`POST / HTTP/1.1\r\nHost: es\r\nContent-Length: ${size}\r\n\r\n`);
    void client.writeAll(bodyBlocks(size));
    await until('the record', () => stand.exchanges.length === 1, 60_000);
    const { failure, status } = await stand.ended();
    assert.deepEqual([failure?.code, status, origin.accepted], ['upstream-lost', 504, 1]);
    const { head, text } = await readWhole(client);
    assert.deepEqual([head.status, JSON.parse(text).error.type], [504, 'sluice_upstream_lost']);
    client.destroy();
  });
});
