/**
 * Node's client as a second opinion on responses: whatever is accepted here, it reads with the same head and
 * body, where something was mended as it goes on.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { patience } from '../../test/support/deadline.ts';
import { headFixtures, responseTo } from '../../test/support/head-fixtures.ts';
import { forwardResponse } from './forward.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';

const asReceived = { drop: new Set<string>(), add: '', decoded: false };

let answer = Buffer.alloc(0);
const server = createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.once('data', () => socket.end(answer));
});
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => server.close());

function bodyFor(head: ResponseHead): { text: string; data: string } {
  if (head.framing.kind === 'chunked') return { text: '5\r\nhello\r\n0\r\n\r\n', data: 'hello' };
  if (head.framing.kind === 'none') return { text: '', data: '' };
  const data = 'x'.repeat(head.framing.kind === 'length' ? head.framing.length : 50);
  return { text: data, data };
}

function ask(method: string): ClientRequest {
  const { port } = server.address() as AddressInfo;
  const asked = request({ port, method, host: '127.0.0.1', agent: false, insecureHTTPParser: false });
  return asked.setTimeout(5000, () => asked.destroy(new Error('no answer in time'))).end();
}

describe("Node's client reads a good response alike", { timeout: patience }, () => {
  for (const { name, bytes: received, expected, mended } of headFixtures('response')) {
    for (const method of expected === undefined ? ['GET', 'HEAD'] : []) {
      test(`${method}, ${name}`, async () => {
        const first = parseResponseHead(received, 0, received.length, responseTo(method));
        assert.ok(!('code' in first));
        const bytes = mended ? Buffer.from(forwardResponse(first, asReceived), 'latin1') : received;
        const head = parseResponseHead(bytes, 0, bytes.length, responseTo(method));
        assert.ok(!('code' in head));
        const { text, data } = bodyFor(head);
        const final = head.interim ? 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' : '';
        answer = Buffer.concat([bytes, Buffer.from(text + final, 'latin1')]);

        const asked = ask(method);
        const early: number[] = [];
        asked.on('information', ({ statusCode }) => early.push(statusCode));
        const [message] = (await once(asked, 'response')) as [IncomingMessage];
        if (head.interim) {
          message.resume();
          assert.deepEqual([early, message.statusCode], [[head.status], 200]);
          return;
        }
        const chunks: Buffer[] = [];
        for await (const chunk of message) chunks.push(chunk);
        assert.deepEqual([message.statusCode, message.statusMessage], [head.status, head.reason]);
        assert.deepEqual(
          message.rawHeaders,
          head.fields.list.flatMap((field) => [field.name, field.value]),
        );
        assert.deepEqual([Buffer.concat(chunks).toString('latin1'), message.complete], [data, true]);
      });
    }
  }
});
