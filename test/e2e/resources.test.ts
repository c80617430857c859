/**
 * The machine runs out of what the proxy needs: descriptors, ports, memory, permission. No node is blamed, no client
 * waits without a line in the log, and all is well again when the machine is.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { TransportKind } from '../../src/net/contract.ts';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { sleep, until, within } from '../support/deadline.ts';
import { type Caller, type FailingCall, FailingCalls } from '../support/failing-calls.ts';
import { readHead, readWhole } from '../support/http-peer.ts';
import { answering, answerText, Origin } from '../support/origin.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { SluiceProcess } from '../support/sluice-process.ts';

const MIB = 1024 * 1024;
/** Generous: shortages end after 5 s, and the machine may be busy. */
const wait = 60_000;
const get = 'GET / HTTP/1.1\r\nHost: es\r\n\r\n';
const last = 'GET / HTTP/1.1\r\nHost: es\r\nConnection: close\r\n\r\n';
const transports = ['engine', 'streams'] as const;
const noPool = { pool: { maxIdlePerNode: 0 } };

/** Whose calls are those of connections on this transport. */
const callerOf: Readonly<Record<TransportKind, Caller>> = { engine: 'engine', streams: 'others' };

const probe = FailingCalls.make();
probe?.[Symbol.dispose]();
const skip = probe === undefined ? 'calls can be made to fail only on Linux, with a C compiler' : false;

function failingCalls(): FailingCalls {
  const calls = FailingCalls.make();
  assert.ok(calls !== undefined);
  return calls;
}

async function start(
  transport: TransportKind,
  origins: readonly Origin[],
  calls: FailingCalls,
  upstream: object = {},
): Promise<SluiceProcess> {
  const ports = origins.map(({ port }) => port);
  const config = JSON.stringify({ transport, upstream });
  const sluice = await SluiceProcess.launch(ports, config, calls.environment);
  await sluice.ready();
  return sluice;
}

/** Lines of the operator's log about one shortage. */
function lines(
  sluice: SluiceProcess,
  short: string,
): readonly { readonly level: string; readonly times?: number }[] {
  return sluice.told.map((line) => JSON.parse(line)).filter((line) => line.short === short);
}

/** Waits for the line that says that it is over, and sees to it that it was told once. */
async function told(sluice: SluiceProcess, short: string): Promise<void> {
  await until(`the end of the shortage of ${short}`, () => lines(sluice, short).length >= 2, wait);
  assert.deepEqual(
    lines(sluice, short).map(({ level }) => level),
    ['warn', 'info'],
    sluice.told.join('\n'),
  );
}

/** One request on a connection that stands. */
async function ask(client: RawPeer, request = get): Promise<{ status: number; type: string; later: string }> {
  await client.write(request);
  const { head, text } = await readWhole(client);
  const type = head.status === 200 ? '' : JSON.parse(text).error.type;
  return { status: head.status, type, later: head.field('retry-after') ?? '' };
}

/** The sum of a metric's samples whose line holds all of `labels`. */
async function metric(sluice: SluiceProcess, name: string, ...labels: readonly string[]): Promise<number> {
  return (await sluice.metrics())
    .split('\n')
    .filter((line) => line.startsWith(name) && labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

describe('an upstream connection that this machine refuses', { skip }, () => {
  const rows: readonly (readonly [FailingCall, string, string, string])[] = [
    ['socket', 'EMFILE', 'out-of-descriptors', 'descriptors'],
    ['socket', 'ENFILE', 'out-of-descriptors', 'descriptors'],
    ['socket', 'ENOBUFS', 'out-of-memory', 'memory'],
    ['socket', 'ENOMEM', 'out-of-memory', 'memory'],
    ['connect', 'EADDRNOTAVAIL', 'out-of-ports', 'ports'],
    ['connect', 'EPERM', 'connect-forbidden', 'permission'],
    ['connect', 'EACCES', 'connect-forbidden', 'permission'],
    ['watch', 'ENOSPC', 'out-of-memory', 'memory'],
  ];
  for (const kind of transports) {
    it(`blames no node, is 503 with Retry-After, and is told and counted (${kind})`, async () => {
      using calls = failingCalls();
      await using one = await Origin.open();
      await using other = await Origin.open();
      await using sluice = await start(kind, [one, other], calls, noPool);
      const client = await sluice.client();
      assert.equal((await ask(client)).status, 200);
      for (const [call, errno, code] of rows) {
        // libuv ends the process where it can't watch a socket.
        if (call === 'watch' && kind === 'streams') continue;
        calls.fail(call, callerOf[kind], errno);
        for (let round = 0; round < 3; round++) {
          const type = `sluice_${code.replaceAll('-', '_')}`;
          assert.deepEqual(await ask(client), { status: 503, type, later: '1' }, `${call} ${errno}`);
        }
        calls.mend();
        assert.equal(await metric(sluice, 'sluice_upstream_ejected'), 0, `${call} ${errno}`);
        assert.equal((await ask(client)).status, 200);
        // Two nodes tried each time.
        const failed = await metric(sluice, 'sluice_failed_calls_total', '"connect"', `"${errno}"`);
        assert.equal(failed, 6, `${call} ${errno}`);
      }
      for (const short of new Set(rows.map((row) => row[3]))) await told(sluice, short);
      client.destroy();
      await until('the access log', () => sluice.access.length >= 1 + rows.length * 3, wait);
      for (const line of sluice.access.filter(({ status }) => status === 503)) {
        assert.equal(line.side, 'proxy', JSON.stringify(line));
      }
      for (const code of new Set(rows.map((row) => row[2]))) {
        const failures = await metric(sluice, 'sluice_failures_total', `code="${code}"`, 'side="proxy"');
        assert.ok(failures >= 3, `${code}: ${failures}`);
      }
    });

    it(`leaves idle connections in use, and costs no body (${kind})`, async () => {
      let finish = () => {};
      const held = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const script = answering((received) => answerText(200, received.digest));
      using calls = failingCalls();
      await using origin = await Origin.open(async (peer, nth, self) => {
        if (nth === 1) {
          const received = await self.receive(peer);
          await held;
          await peer.write(answerText(200, received?.digest ?? ''));
        }
        await script(peer, nth, self);
      });
      await using sluice = await start(kind, [origin], calls);
      const [first, second, third] = [await sluice.client(), await sluice.client(), await sluice.client()];
      assert.ok(first && second && third);
      // Two connections: one idle, one that the origin holds.
      await first.write(get);
      assert.equal((await readWhole(first)).head.status, 200);
      const slow = `POST / HTTP/1.1\r\nHost: es\r\nContent-Length: 5\r\n\r\n`;
      await first.write(slow.slice(0, -2));
      await first.write(`${slow.slice(-2)}hel`);
      await until('the idle one to be taken', () => origin.peers.length === 1, wait);
      await second.write(`${slow}hello`);
      await until('a second one', () => origin.peers.length === 2, wait);
      await first.write('lo');
      assert.equal((await readWhole(first)).head.status, 200);
      calls.fail('connect', callerOf[kind], 'EADDRNOTAVAIL');
      const all = body(4 * MIB);
      for (let round = 0; round < 5; round++) {
        await first.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${all.length}\r\n\r\n`);
        await first.write(all.subarray(0, MIB));
        // Meanwhile none is idle.
        await until('the upload to begin', () => origin.received.length >= 2 + round, wait);
        assert.equal((await ask(third)).status, 503);
        await first.write(all.subarray(MIB));
        assert.equal((await readWhole(first)).text, digestOf([all]));
        // And now one is.
        assert.equal((await ask(third)).status, 200);
      }
      finish();
      assert.equal((await readWhole(second)).head.status, 200);
      assert.equal(origin.accepted, 2);
      assert.deepEqual(origin.faults, []);
      for (const client of [first, second, third]) client.destroy();
    });
  }
});

describe('a client that this machine refuses', { skip }, () => {
  // libuv says nothing of an accept that fails, so `streams` can tell of its own bound alone.
  const rows: readonly (readonly [string, string])[] = [
    ['EMFILE', 'descriptors'],
    ['ENFILE', 'descriptors'],
    ['ENOBUFS', 'memory'],
    ['ENOMEM', 'memory'],
  ];
  for (const [errno, short] of rows) {
    it(`waits in the backlog, told and counted, and is served when it may: accept, ${errno} (engine)`, async () => {
      using calls = failingCalls();
      await using origin = await Origin.open();
      await using sluice = await start('engine', [origin], calls);
      const before = await sluice.client();
      assert.equal((await ask(before)).status, 200);
      calls.fail('accept', 'engine', errno);
      const client = await sluice.client();
      await client.write(get);
      await until('the log to say so', () => lines(sluice, short).length === 1, wait);
      assert.equal((await ask(before)).status, 200);
      calls.mend();
      assert.equal((await readWhole(client)).head.status, 200);
      assert.ok((await metric(sluice, 'sluice_failed_calls_total', '"accept"', `"${errno}"`)) > 0);
      await told(sluice, short);
      for (const peer of [before, client]) peer.destroy();
    });
  }

  it('is reset and counted where it can not be watched, instead of waiting for ever (engine)', async () => {
    using calls = failingCalls();
    await using origin = await Origin.open();
    await using sluice = await start('engine', [origin], calls);
    calls.fail('watch', 'engine', 'ENOSPC');
    // The reset may come before Node has told of the connection.
    const client = connect(sluice.port, '127.0.0.1');
    const ending = new Promise<string | undefined>((resolve) => {
      client.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      client.once('end', () => resolve('end'));
    });
    client.resume().write(get);
    assert.equal(await within('the end of a client', ending, wait), 'ECONNRESET');
    calls.mend();
    const next = await sluice.client();
    assert.equal((await ask(next)).status, 200);
    assert.ok((await metric(sluice, 'sluice_failed_calls_total', '"watch"', '"ENOSPC"')) > 0);
    await told(sluice, 'memory');
    for (const peer of [client, next]) peer.destroy();
  });
});

describe('a body under way', { skip }, () => {
  it('is copied where no pipe is to be had (engine)', async () => {
    using calls = failingCalls();
    await using origin = await Origin.open();
    await using sluice = await start('engine', [origin], calls);
    calls.fail('pipe', 'engine', 'EMFILE');
    const client = await sluice.client();
    await client.write(`PUT / HTTP/1.1\r\nHost: es\r\nContent-Length: ${8 * MIB}\r\n\r\n`);
    await client.writeAll(bodyBlocks(8 * MIB));
    assert.equal((await readWhole(client)).text, digestOf(bodyBlocks(8 * MIB)));
    assert.ok((await metric(sluice, 'sluice_pipe_misses_total', 'engine')) > 0);
    assert.ok(calls.failed('pipe', 'engine') > 0);
    client.destroy();
  });

  for (const call of ['recv', 'send', 'splice'] as const) {
    for (const errno of ['ENOMEM', 'ENOBUFS']) {
      it(`goes on when the system has memory again: ${call}, ${errno} (engine)`, async () => {
        using calls = failingCalls();
        await using origin = await Origin.open();
        await using sluice = await start('engine', [origin], calls);
        const client = await sluice.client();
        for (const chunked of [false, true]) {
          const all = body(4 * MIB);
          const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${all.length}`;
          await client.write(`PUT / HTTP/1.1\r\nHost: es\r\n${framing}\r\n\r\n`);
          const piece = async (from: number, to: number) => {
            const bytes = all.subarray(from, to);
            if (chunked) await client.write(`${bytes.length.toString(16)}\r\n`);
            await client.write(bytes);
            if (chunked) await client.write('\r\n');
          };
          await piece(0, MIB);
          const before = calls.failed(call, 'engine');
          calls.fail(call, 'engine', errno);
          await piece(MIB, 2 * MIB);
          // Of a body that is spliced, recv and send see the ends alone.
          if (call === 'splice') await until('it to fail', () => calls.failed(call, 'engine') > before, wait);
          else await sleep(300);
          calls.mend();
          await piece(2 * MIB, all.length);
          if (chunked) await client.write('0\r\n\r\n');
          assert.equal((await readWhole(client)).text, digestOf([all]));
        }
        assert.deepEqual(origin.faults, []);
        client.destroy();
      });
    }
  }

  it('that is cut is reset even where SO_LINGER is refused: a FIN would make it look whole (engine)', async () => {
    using calls = failingCalls();
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write('HTTP/1.1 200 OK\r\n\r\nonly a part');
      await sleep(200);
      peer.reset();
    });
    await using sluice = await start('engine', [origin], calls);
    calls.fail('linger', 'engine', 'EINVAL');
    const client = await sluice.client();
    await client.write(get);
    await client.through('only a part');
    assert.equal(await client.ending(), 'reset');
    assert.equal(calls.failed('linger', 'engine'), 1);
  });
});

/** Connections that may be turned away. */
function crowdOf(sluice: SluiceProcess, request = ''): readonly Socket[] {
  return Array.from({ length: 120 }, () => {
    const socket = connect(sluice.port, '127.0.0.1');
    socket.on('error', () => {});
    if (request !== '') socket.write(request);
    return socket;
  });
}

describe('a process with few descriptors', () => {
  for (const kind of transports) {
    it(`answers on its admin address, tells once, and recovers (${kind})`, async () => {
      await using origin = await Origin.open();
      const config = `transport: ${kind}\n`;
      await using sluice = await SluiceProcess.launch([origin.port], config, {}, 100);
      await sluice.ready();
      assert.equal(await metric(sluice, 'process_max_fds'), 100);
      assert.ok(
        sluice.told.some((line) => line.includes('limit of open files')),
        sluice.told.join('\n'),
      );
      const first = await sluice.client();
      assert.equal((await ask(first)).status, 200);
      const idle = crowdOf(sluice);
      await until('the log to say so', () => lines(sluice, 'room').length === 1, wait);
      for (let round = 0; round < 5; round++) {
        assert.equal(await sluice.readiness(), 200);
        assert.deepEqual(JSON.parse(await sluice.ask('live')), { live: true });
        assert.ok((await metric(sluice, 'process_open_fds')) < 100 - 8);
        // Those that are in are served.
        assert.equal((await ask(first)).status, 200);
      }
      assert.equal(await metric(sluice, 'sluice_upstream_ejected'), 0);
      for (const client of idle) client.destroy();
      await told(sluice, 'room');
      for (let round = 0; round < 30; round++) {
        const next = await sluice.client();
        assert.equal((await ask(next)).status, 200);
        next.destroy();
      }
      first.destroy();
    });

    it(`keeps the reserve when connections to servers use up the rest (${kind})`, async () => {
      // Answers nothing until it is told to: each exchange holds two connections.
      let finish = () => {};
      const held = new Promise<void>((resolve) => {
        finish = resolve;
      });
      await using origin = await Origin.open(async (peer, _nth, self) => {
        await self.receive(peer);
        await held;
        await peer.write(answerText(200, 'at last'));
        peer.end();
      });
      await using sluice = await SluiceProcess.launch([origin.port], `transport: ${kind}\n`, {}, 100);
      await sluice.ready();
      const clients = crowdOf(sluice, last);
      const answered = clients.map(async (client) => {
        let text = '';
        client.setEncoding('latin1').on('data', (piece) => {
          text += piece;
        });
        await new Promise((resolve) => client.once('close', resolve));
        return text;
      });
      await until('exchanges to be under way', () => origin.received.length >= 10, wait);
      assert.deepEqual(JSON.parse(await sluice.ask('live')), { live: true });
      assert.ok((await metric(sluice, 'process_open_fds')) < 100 - 8);
      finish();
      const answers = await within('all ends', Promise.all(answered), wait);
      const whole = answers.filter((text) => text.startsWith('HTTP/1.1 200') && text.endsWith('at last'));
      // The engine leaves them in the backlog, and each gets its answer in the end; `streams` turns some away.
      assert.equal(whole.length, kind === 'engine' ? answers.length : origin.accepted);
      assert.ok(whole.length >= 10);
      await until('the log', () => sluice.access.length === whole.length, wait);
      assert.deepEqual(new Set(sluice.access.map(({ status }) => status)), new Set([200]));
    });
  }
});
