/** Two gigabytes each way through the real process: nothing of a body is held, and every byte arrives. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { it } from 'node:test';
import { bodyBlocks, Digest, digestOf } from '../support/body.ts';
import { SluiceProcess } from '../support/sluice-process.ts';

const size = 2 * 1024 ** 3;
const timeout = 110_000;
const wanted = digestOf(bodyBlocks(size));

async function digestOfMessage(message: IncomingMessage): Promise<string> {
  const digest = new Digest();
  for await (const chunk of message) digest.update(chunk);
  return digest.end();
}

async function exchange(port: number, method: string, body?: Readable): Promise<string> {
  const headers = body ? { 'content-length': size } : {};
  const sent = request({ port, host: '127.0.0.1', method, path: '/', headers });
  if (body) body.pipe(sent);
  else sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return method === 'GET' ? digestOfMessage(answer) : String(await answer.setEncoding('utf8').toArray());
}

it('2 GiB up and down stay under 96 MB of resident memory, digests equal', { timeout }, async () => {
  const server = createServer(async (asked, answer) => {
    if (asked.method === 'GET') {
      answer.setHeader('content-length', size);
      Readable.from(bodyBlocks(size)).pipe(answer);
    } else {
      answer.end(await digestOfMessage(asked));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await using sluice = await SluiceProcess.start([(server.address() as AddressInfo).port]);
  try {
    assert.equal(await exchange(sluice.port, 'POST', Readable.from(bodyBlocks(size))), wanted);
    assert.equal(await exchange(sluice.port, 'GET'), wanted);
    assert.ok(sluice.peakMemory() < 96e6, `${sluice.peakMemory()} bytes at the peak`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
