/** Heads in, heads out. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  type Connection,
  type HeadOptions,
  type HeadResult,
  maxEmptyLines,
} from '../../../src/net/contract.ts';
import { body, digestOf } from '../../support/body.ts';
import { sleep, within } from '../../support/deadline.ts';
import type { Wires } from '../../support/wires.ts';

const HEAD = 'POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: 5\r\n\r\n';
const options: HeadOptions = { maxBytes: 16_384, idleTimeout: 5000, timeout: 5000 };

/** `limits.headBytes` at its maximum. */
const LARGEST = 2 ** 20;

function* cut(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

function read(connection: Connection, overrides: Partial<HeadOptions> = {}): Promise<HeadResult> {
  return within('a head', connection.readHead({ ...options, ...overrides }));
}

export async function readText(connection: Connection): Promise<string> {
  const result = await read(connection);
  assert.equal(result.kind, 'head');
  return result.buffer.toString('latin1', result.start, result.end);
}

export function headCases(wires: Wires): void {
  it('a head in pieces of one byte is whole', async () => {
    const { peer, connection } = await wires.accepted();
    const head = readText(connection);
    for (const char of HEAD) {
      await peer.write(char);
      await sleep(0);
    }
    assert.equal(await head, HEAD);
  });

  it('a second head behind the first waits its turn', async () => {
    const { peer, connection } = await wires.accepted();
    const second = HEAD.replace('_bulk', 'two');
    await peer.write(HEAD + second.slice(0, 10));
    assert.equal(await readText(connection), HEAD);
    const next = readText(connection);
    await peer.write(second.slice(10));
    assert.equal(await next, second);
  });

  it('a head split at every byte is whole', async () => {
    const { peer, connection } = await wires.accepted();
    for (let at = 1; at < HEAD.length; at++) {
      const head = readText(connection);
      await peer.write(HEAD.slice(0, at));
      await sleep(0);
      await peer.write(HEAD.slice(at));
      assert.equal(await head, HEAD);
    }
  });

  it('empty lines before a head are skipped', async () => {
    const { peer, connection } = await wires.accepted();
    await peer.write(`\r\n\r\n${HEAD}`);
    assert.equal(await readText(connection), HEAD);
  });

  it('empty lines without end are not skipped for ever, whole or in halves', async () => {
    for (const pieces of [['\r\n'.repeat(3 * maxEmptyLines)], ['\r', '\n']]) {
      const { peer, connection } = await wires.accepted();
      const head = readText(connection);
      for (let sent = 0; sent <= maxEmptyLines; sent++) {
        for (const piece of pieces) {
          await peer.write(piece);
          await sleep(0);
        }
      }
      assert.equal(await head, '\r\n');
    }
  });

  it('as many empty lines as are skipped may stand before each head', async () => {
    const { peer, connection } = await wires.accepted();
    const padded = '\r\n'.repeat(maxEmptyLines) + HEAD;
    await peer.write(padded + padded);
    assert.equal(await readText(connection), HEAD);
    assert.equal(await readText(connection), HEAD);
  });

  it('heads that one peer has sent ahead do not keep the head of another waiting', async () => {
    const flood = await wires.accepted();
    const other = await wires.accepted();
    const count = 20_000;
    const writing = flood.peer.write(HEAD.repeat(count));
    let [taken, before] = [0, 0];
    const reading = (async () => {
      for (; taken < count; taken++) {
        assert.equal((await flood.connection.readHead(options)).kind, 'head');
        if (taken === 100) other.peer.socket.write(HEAD);
      }
    })();
    const answered = readText(other.connection).then((head) => {
      before = taken;
      return head;
    });
    assert.equal(await within('the other head', answered, 60_000), HEAD);
    await within('the heads sent ahead', Promise.all([reading, writing]), 120_000);
    assert.ok(before >= 100 && before < 1000, `${before} heads came first`);
  });

  it('a head whose lines end in bare LF comes at once, to be refused', async () => {
    const { peer, connection } = await wires.accepted();
    const bare = HEAD.replaceAll('\r\n', '\n');
    await peer.write(bare);
    assert.equal(await readText(connection), bare);
  });

  it('what begins no head is shown at its first bytes, however they are cut', async () => {
    const beginnings = {
      'TLS, a ClientHello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc',
      'TLS, an alert': '\x15\x03\x03\x00\x02\x02\x46',
      'the PROXY protocol, version 1': 'PROXY TCP4 10.0.0.1 10.0.0.2 56324 443\r\n',
      'the same, of an unknown client': 'PROXY UNKNOWN\r\n',
      'the PROXY protocol, version 2': '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c',
      'frames of HTTP/2': '\0\0\x12\x04\0\0\0\0\0',
      'a byte that no method holds': 'GE\x80T',
      'a body without a head': '{"a":1}\n',
    };
    for (const [what, bytes] of Object.entries(beginnings)) {
      for (const piece of [bytes.length, 1]) {
        const { peer, connection } = await wires.accepted();
        const result = read(connection, { idleTimeout: 60_000, timeout: 60_000 });
        for (let at = 0; at < bytes.length; at += piece) {
          await peer.write(bytes.slice(at, at + piece));
          if (piece === 1) await sleep(0);
        }
        const { kind, ...shown } = await result;
        assert.equal(kind, 'foreign', what);
        assert.ok('buffer' in shown);
        const begun = shown.buffer.toString('latin1', shown.start, shown.end);
        assert.ok(begun.length > 0 && bytes.replace(/^(\r\n)+/, '').startsWith(begun), what);
      }
    }
  });

  it('a method of any token, however slowly it comes, begins a head', async () => {
    const { peer, connection } = await wires.accepted();
    for (const method of ["!#$%&'*+-.^_`|~09azAZ", 'PROXY', 'PROXY-TCP4', 'HTTP/1.1']) {
      const head = HEAD.replace('POST', method);
      const result = readText(connection);
      for (const char of head.slice(0, 30)) {
        await peer.write(char);
        await sleep(0);
      }
      await peer.write(head.slice(30));
      assert.equal(await result, head);
    }
  });

  it('a head of exactly the limit passes, one of a byte more is too large', async () => {
    const { peer, connection } = await wires.accepted();
    const padded = HEAD.replace('es', 'e'.repeat(options.maxBytes - HEAD.length + 2));
    assert.equal(padded.length, options.maxBytes);
    await peer.write(padded);
    assert.equal(await readText(connection), padded);
    await peer.write(padded.replace('eee', 'eeee'));
    assert.equal((await read(connection)).kind, 'too-large');
  });

  it('a head of the largest size there is a setting for passes, in one piece and in many', async () => {
    const padded = HEAD.replace(
      'es',
      body(LARGEST)
        .toString('hex')
        .slice(0, LARGEST - HEAD.length + 2),
    );
    assert.equal(padded.length, LARGEST);
    for (const pieces of [LARGEST, 5000]) {
      const { peer, connection } = await wires.accepted();
      const result = read(connection, { maxBytes: LARGEST });
      const bytes = Buffer.from(`${padded}NEXT\r\n\r\n${padded}!`, 'latin1');
      void peer.writeAll(cut(bytes, pieces));
      const first = await result;
      assert.equal(first.kind, 'head');
      if (first.kind !== 'head') return;
      const shown = Buffer.from(first.buffer.subarray(first.start, first.end));
      assert.equal(digestOf([shown]), digestOf([Buffer.from(padded)]));
      assert.equal(await readText(connection), 'NEXT\r\n\r\n');
      assert.equal((await read(connection, { maxBytes: LARGEST - 1 })).kind, 'too-large');
    }
  });

  it('several of the largest heads at once are each whole', async () => {
    const all = await Promise.all(
      Array.from({ length: 6 }, async (_, turn) => {
        const { peer, connection } = await wires.accepted();
        const text = HEAD.replace('es', String(turn).repeat(LARGEST - HEAD.length + 2));
        const digest = connection.readHead({ ...options, maxBytes: LARGEST }).then((result) => {
          assert.equal(result.kind, 'head');
          return result.kind === 'head' ? digestOf([result.buffer.subarray(result.start, result.end)]) : '';
        });
        void peer.write(text);
        return { text, digest };
      }),
    );
    for (const { text, digest } of all) {
      assert.equal(await within('a head', digest), digestOf([Buffer.from(text)]));
    }
  });

  it('a head without end is too large once it is over the limit, and shows its beginning', async () => {
    const { peer, connection } = await wires.accepted();
    const result = read(connection, { maxBytes: 1000 });
    for (let at = 0; at < 30; at++) await peer.write('GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
    const { kind, ...shown } = await result;
    assert.equal(kind, 'too-large');
    assert.ok(
      'buffer' in shown && shown.buffer.toString('latin1', shown.start, shown.start + 6) === 'GET /a',
    );
  });

  it('nothing at all ends at the idle deadline, a part of a head at the other one', async () => {
    const { peer, connection } = await wires.accepted();
    const from = performance.now();
    const idle = await read(connection, { idleTimeout: 150, timeout: 5000 });
    assert.deepEqual(idle, { kind: 'timeout', received: 0, took: 0 });
    assert.ok(performance.now() - from > 140);
    await peer.write('GET / HT');
    await sleep(50);
    const part = await read(connection, { idleTimeout: 5000, timeout: 150 });
    assert.ok(part.kind === 'timeout' && part.received === 8);
    assert.ok(part.took > 100, `${part.took} ms`);
  });

  it('a head tells how long ago its first byte came, whole or not', async () => {
    const { peer, connection } = await wires.accepted();
    const whole = read(connection);
    await sleep(50);
    await peer.write(HEAD);
    assert.equal((await whole).took, 0, 'the wait before its first byte is not its own');
    for (const [rest, kind] of [
      [HEAD.slice(4), 'head'],
      ['x'.repeat(options.maxBytes), 'too-large'],
    ] as const) {
      const late = await wires.accepted();
      const result = read(late.connection);
      await late.peer.write(HEAD.slice(0, 4));
      await sleep(200);
      await late.peer.write(rest);
      const { kind: ended, took } = await result;
      assert.equal(ended, kind);
      assert.ok(took > 150, `${took} ms`);
    }
    const cut = await wires.accepted();
    const result = read(cut.connection);
    await cut.peer.write('GET');
    await sleep(200);
    cut.peer.end();
    const { kind, took } = await result;
    assert.equal(kind, 'end');
    assert.ok(took > 150, `${took} ms`);
  });

  it('what was sent ahead began when it was asked for', async () => {
    const { peer, connection } = await wires.accepted();
    await peer.write(HEAD + HEAD + HEAD.slice(0, 5));
    await readText(connection);
    await sleep(200);
    for (const rest of ['', HEAD.slice(5)]) {
      const asked = performance.now();
      const result = read(connection);
      if (rest !== '') await sleep(50).then(() => peer.write(rest));
      const { took } = await result;
      // A millisecond or two for the two clocks.
      assert.ok(took <= performance.now() - asked + 3, `${took} ms`);
      await sleep(200);
    }
  });

  it('a head that trickles in does not put its deadline off', async () => {
    const { peer, connection } = await wires.accepted();
    const from = performance.now();
    const result = read(connection, { timeout: 300 });
    const trickle = setInterval(() => peer.socket.write('x'), 30);
    const { kind } = await result;
    clearInterval(trickle);
    assert.equal(kind, 'timeout');
    assert.ok(performance.now() - from < 1500);
  });

  it('empty lines put no deadline off, whole or in halves', async () => {
    for (const pieces of [['\r\n'], ['\r', '\n']]) {
      const { peer, connection } = await wires.accepted();
      const from = performance.now();
      const result = read(connection, { idleTimeout: 300, timeout: 300 });
      let turn = 0;
      const trickle = setInterval(() => peer.socket.write(pieces[turn++ % pieces.length] ?? ''), 100);
      const { kind } = await result;
      clearInterval(trickle);
      assert.equal(kind, 'timeout');
      assert.ok(performance.now() - from < 1500);
    }
  });

  it('a head that nobody has begun is no longer waited for, one that has come or begun is read', async () => {
    const idle = await wires.accepted();
    const none = idle.connection.readHead({ maxBytes: 1000, idleTimeout: 0, timeout: 0 });
    idle.connection.endIdle();
    assert.deepEqual(await within('the end of a wait', none), { kind: 'timeout', received: 0, took: 0 });
    assert.equal(idle.connection.open, true);

    const crossed = await wires.accepted();
    const late = readText(crossed.connection);
    await crossed.peer.write('GET /crossed HTTP/1.1\r\n\r\n');
    // In the same turn, so that no event has told of it.
    crossed.connection.endIdle();
    assert.equal(await late, 'GET /crossed HTTP/1.1\r\n\r\n');

    const begun = await wires.accepted();
    const slow = readText(begun.connection);
    await begun.peer.write('GET /slow');
    await sleep(50);
    begun.connection.endIdle();
    await sleep(50);
    await begun.peer.write(' HTTP/1.1\r\n\r\n');
    assert.equal(await slow, 'GET /slow HTTP/1.1\r\n\r\n');
    // It holds for the one wait, and outside of one does nothing.
    begun.connection.endIdle();
    await sleep(20);
    const next = readText(begun.connection);
    await sleep(20);
    await begun.peer.write('GET /next HTTP/1.1\r\n\r\n');
    assert.equal(await next, 'GET /next HTTP/1.1\r\n\r\n');
  });

  it('a head that is not whole is ended when asked, with what has come of it; one that is whole is read', async () => {
    const { peer, connection } = await wires.accepted();
    connection.endHead();
    const begun = read(connection, { timeout: 0 });
    await peer.write('GET /slow');
    await sleep(50);
    connection.endHead();
    const end = await within('the end of a wait', begun);
    assert.deepEqual([end.kind, 'received' in end && end.received], ['timeout', 9]);
    assert.equal(connection.open, true);
    const rest = readText(connection);
    await peer.write(' HTTP/1.1\r\n\r\n');
    assert.equal(await rest, 'GET /slow HTTP/1.1\r\n\r\n');
    const whole = await wires.accepted();
    const crossed = readText(whole.connection);
    await whole.peer.write('GET /crossed HTTP/1.1\r\n\r\n');
    whole.connection.endHead();
    assert.equal(await crossed, 'GET /crossed HTTP/1.1\r\n\r\n');
  });

  it('FIN between heads is a clean end, FIN in a head is not', async () => {
    const clean = await wires.accepted();
    clean.peer.end();
    assert.deepEqual(await read(clean.connection), { kind: 'end', received: 0, took: 0 });
    assert.deepEqual(await read(clean.connection), { kind: 'end', received: 0, took: 0 });
    const cut = await wires.accepted();
    const result = read(cut.connection);
    await cut.peer.write('GET / HT');
    cut.peer.end();
    const { kind, ...rest } = await result;
    assert.ok(kind === 'end' && 'received' in rest && rest.received === 8);
  });

  it('a head that came before FIN is read before the end', async () => {
    const { peer, connection } = await wires.accepted();
    await peer.write(HEAD);
    peer.end();
    await sleep(50);
    assert.equal(await readText(connection), HEAD);
    assert.equal((await read(connection)).kind, 'end');
  });

  it('a reset is told from an end, before a head and in one', async () => {
    for (const sent of ['', 'GET / HT']) {
      const { peer, connection } = await wires.accepted();
      const result = read(connection);
      if (sent !== '') await peer.write(sent);
      await sleep(30);
      peer.reset();
      assert.equal((await result).kind, 'reset');
    }
  });

  it('closing ends a head that is waited for', async () => {
    const { connection } = await wires.accepted();
    const result = read(connection);
    connection.close();
    assert.equal((await result).kind, 'closed');
  });

  it('what is sent arrives as it was, in order, also to a peer that reads late', async () => {
    const { peer, connection } = await wires.accepted();
    const blocks = Array.from({ length: 200 }, (_, i) => body(40_000, i));
    for (const block of blocks) connection.send(block.toString('latin1'));
    await sleep(100);
    assert.equal(await peer.digest(200 * 40_000), digestOf(blocks));
  });

  it('a peer that does not read makes its connection congested, until it has read', async () => {
    const { peer, connection } = await wires.accepted();
    const block = body(40_000);
    const sent: Buffer[] = [];
    assert.equal(await connection.drained(0), 'drained');
    while (!connection.congested && sent.length < 5000) {
      connection.send(block.toString('latin1'));
      sent.push(block);
      await sleep(0);
    }
    assert.ok(connection.congested, `${sent.length} blocks of 40,000 bytes were not too many`);
    assert.equal(await within('the deadline', connection.drained(50)), 'stalled');
    const drained = connection.drained(0);
    assert.equal(await peer.digest(sent.length * block.length), digestOf(sent));
    assert.equal(await within('all to be taken', drained), 'drained');
    assert.equal(connection.congested, false);
  });

  it('who waits for a peer to read learns that it is gone', async () => {
    for (const leave of ['reset', 'close'] as const) {
      const { peer, connection } = await wires.accepted();
      const text = 'x'.repeat(40_000);
      for (let sent = 0; !connection.congested && sent < 5000; sent++) {
        connection.send(text);
        await sleep(0);
      }
      const drained = connection.drained(0);
      if (leave === 'reset') peer.reset();
      else connection.close();
      assert.equal(await within('the end', drained), 'gone');
      assert.equal(await connection.drained(0), 'gone');
    }
  });

  it('answers to heads that were sent ahead arrive whole, in order, also before a close', async () => {
    const { peer, connection } = await wires.accepted();
    const count = 500;
    await peer.write(HEAD.repeat(count));
    let expected = '';
    for (let i = 0; i < count; i++) {
      await readText(connection);
      const answer = `HTTP/1.1 204 No Content\r\nX-Number: ${i}\r\n\r\n`;
      connection.send(answer);
      expected += answer;
    }
    connection.close();
    assert.equal((await peer.exactly(expected.length)).toString('latin1'), expected);
  });

  it('a head sent with `more` leaves together with what follows', async () => {
    const { peer, connection } = await wires.accepted();
    connection.send(HEAD, true);
    connection.send('hello');
    assert.equal((await within('both', peer.some()))?.toString('latin1'), `${HEAD}hello`);
  });

  it('a head sent with `more` leaves alone when nothing follows', async () => {
    const { peer, connection } = await wires.accepted();
    connection.send(HEAD, true);
    assert.equal((await within('the head', peer.exactly(HEAD.length), 1000)).toString('latin1'), HEAD);
  });

  it('a peer that has sent FIN still gets its answer', async () => {
    const { peer, connection } = await wires.accepted();
    await peer.write(HEAD);
    peer.end();
    assert.equal(await readText(connection), HEAD);
    assert.equal((await read(connection)).kind, 'end');
    connection.send('HTTP/1.1 200 OK\r\n\r\n');
    connection.close();
    assert.equal(await peer.through('\r\n\r\n'), 'HTTP/1.1 200 OK\r\n\r\n');
    assert.equal(await peer.ending(), 'end');
  });
}
