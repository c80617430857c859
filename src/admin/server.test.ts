import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { patience } from '../../test/support/deadline.ts';
import { type Admin, type AdminOptions, createAdmin } from './server.ts';

const timeout = patience;

async function withAdmin(change: Partial<AdminOptions>, use: (admin: Admin) => Promise<void>): Promise<void> {
  const admin = await createAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: async () => 'up 1\n',
    readiness: () => ({ ready: true, reason: 'serving' }),
    ...change,
  });
  try {
    await use(admin);
  } finally {
    await admin.close();
  }
}

async function ask({ port }: Admin, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    signal: AbortSignal.timeout(5000),
  });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
}

test('a process that answers is live, whether it is ready or not', { timeout }, async () => {
  await withAdmin({ readiness: () => ({ ready: false, reason: 'draining' }) }, async (admin) => {
    assert.deepEqual(await ask(admin, '/livez'), {
      status: 200,
      type: 'application/json',
      body: '{"live":true}\n',
    });
  });
});

test('readiness is 200, or 503 with the reason', { timeout }, async () => {
  let ready = true;
  await withAdmin({ readiness: () => ({ ready, reason: ready ? 'serving' : 'draining' }) }, async (admin) => {
    assert.deepEqual(JSON.parse((await ask(admin, '/readyz')).body), { ready: true, reason: 'serving' });
    ready = false;
    const { status, body } = await ask(admin, '/readyz?verbose');
    assert.equal(status, 503);
    assert.deepEqual(JSON.parse(body), { ready: false, reason: 'draining' });
  });
});

test('metrics come in the text format Prometheus asks for', { timeout }, async () => {
  await withAdmin({}, async (admin) => {
    const { status, type, body } = await ask(admin, '/metrics');
    assert.deepEqual([status, type, body], [200, 'text/plain; version=0.0.4; charset=utf-8', 'up 1\n']);
  });
});

test('metrics that fail are a 500, and the next answer comes', { timeout }, async () => {
  await withAdmin({ metrics: async () => Promise.reject(new Error('no counters')) }, async (admin) => {
    const { status, body } = await ask(admin, '/metrics');
    assert.deepEqual([status, JSON.parse(body)], [500, { error: 'no counters' }]);
    assert.equal((await ask(admin, '/livez')).status, 200);
  });
});

test('other paths are 404, other methods 405, HEAD is a head alone', { timeout }, async () => {
  await withAdmin({}, async (admin) => {
    assert.equal((await ask(admin, '/')).status, 404);
    assert.equal((await ask(admin, '/metrics/x')).status, 404);
    assert.equal((await ask(admin, '/metrics', 'POST')).status, 405);
    assert.deepEqual(await ask(admin, '/livez', 'HEAD'), { status: 200, type: 'application/json', body: '' });
  });
});

test('a scraper that keeps connections alive is served again and again', { timeout }, async () => {
  await withAdmin({}, async ({ port }) => {
    for (let round = 0; round < 3; round++) {
      const sent = request({
        host: '127.0.0.1',
        port,
        path: '/livez',
        headers: { Connection: 'keep-alive' },
      }).end();
      const [response] = await once(sent, 'response');
      assert.equal(await text(response), '{"live":true}\n');
    }
  });
});

async function sendRaw({ port }: Admin, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  const answer = await text(socket);
  socket.destroy();
  return answer;
}

test('a head that arrives in pieces is answered, one that is malformed or too large is refused', {
  timeout,
}, async () => {
  await withAdmin({}, async (admin) => {
    const socket = connect(admin.port, '127.0.0.1');
    for (const piece of ['GET /li', 'vez HTTP/1.1\r\nHo', 'st: a\r\n\r', '\n']) {
      socket.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.match(await text(socket), /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(await sendRaw(admin, 'GET /livez\r\n\r\n'), /^HTTP\/1\.1 400 /);
    assert.match(
      await sendRaw(admin, `GET /livez HTTP/1.1\r\nHost: a\r\nA: ${'b'.repeat(9000)}`),
      /^HTTP\/1\.1 431 /,
    );
  });
});

test('TLS is refused at its first bytes, by name, and not by a silence', { timeout }, async () => {
  await withAdmin({}, async (admin) => {
    const answer = await sendRaw(admin, '\x16\x03\x01\x02');
    assert.match(answer, /^HTTP\/1\.1 400 .*TLS/s);
  });
});

test('connections that say nothing do not outlive a close, nor keep others out for ever', {
  timeout,
}, async () => {
  const admin = await createAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: async () => '',
    readiness: () => ({ ready: true, reason: '' }),
  });
  const idle = Array.from({ length: 80 }, () => connect(admin.port, '127.0.0.1').on('error', () => {}));
  // Not `once` of node:events, which rejects on a reset: those over the limit are reset at once.
  const event = (socket: Socket, name: string) => new Promise((resolve) => socket.once(name, resolve));
  await Promise.all(idle.map((socket) => (socket.connecting ? event(socket, 'connect') : undefined)));
  const gone = idle.map((socket) => (socket.closed ? undefined : event(socket, 'close')));
  await admin.close();
  await Promise.all(gone);
});

test('a port that is taken is named in the error', { timeout }, async () => {
  await withAdmin({}, async ({ port }) => {
    await assert.rejects(
      withAdmin({ port }, async () => {}),
      { code: 'EADDRINUSE' },
    );
  });
});
