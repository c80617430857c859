/** How connections end: discard, linger, close, reset; and what happens to calls that come too late. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Framing } from '../../../src/http1/framing.ts';
import { body, digestOf } from '../../support/body.ts';
import { chunked } from '../../support/chunked-body.ts';
import { sleep, until, within } from '../../support/deadline.ts';
import type { Wires } from '../../support/wires.ts';
import { readText } from './heads.ts';

const MIB = 1024 * 1024;
const head = { maxBytes: 1000, idleTimeout: 0, timeout: 0 };
const length = (bytes: number): Framing => ({ kind: 'length', length: bytes });

export function endingCases(wires: Wires): void {
  it('a discarded body leaves the next head in place', async () => {
    const { peer, connection } = await wires.accepted();
    const bytes = body(200_000);
    const before = wires.server.counters().bytesDiscarded;
    void peer.write(
      Buffer.concat([bytes, Buffer.from('ONE\r\n\r\n'), chunked(bytes, 777), Buffer.from('TWO\r\n\r\n')]),
    );
    for (const [framing, next] of [
      [length(bytes.length), 'ONE\r\n\r\n'],
      [{ kind: 'chunked' }, 'TWO\r\n\r\n'],
    ] as const) {
      const end = await within('a discard', connection.discard(framing, MIB, 5000));
      assert.deepEqual([end.kind, end.bytes], ['complete', bytes.length]);
      assert.equal(await readText(connection), next);
    }
    assert.ok(wires.server.counters().bytesDiscarded - before >= 2 * bytes.length);
  });

  it('a body of exactly the limit is discarded whole, a larger one only up to it', async () => {
    const { peer, connection } = await wires.accepted();
    await peer.write('x'.repeat(3000));
    const exact = await within('a discard', connection.discard(length(1000), 1000, 5000));
    assert.deepEqual([exact.kind, exact.bytes], ['complete', 1000]);
    const over = await within('a discard', connection.discard(length(2000), 1500, 5000));
    assert.equal(over.kind, 'stopped');
    assert.ok(over.bytes <= 1500);
  });

  it('a discard ends with its source, and by its stall deadline', async () => {
    const silent = await wires.accepted();
    await silent.peer.write('hello');
    const stalled = await within('a discard', silent.connection.discard(length(10), 100, 150), 2000);
    assert.deepEqual([stalled.kind, stalled.bytes], ['source-stalled', 5]);
    const ended = await wires.accepted();
    ended.peer.end();
    assert.equal(
      (await within('a discard', ended.connection.discard(length(10), 100, 0))).kind,
      'source-end',
    );
    const malformed = await wires.accepted();
    await malformed.peer.write('nonsense\r\n');
    const discard = malformed.connection.discard({ kind: 'chunked' }, 100, 0);
    assert.equal((await within('a discard', discard)).kind, 'source-malformed');
  });

  it('linger lets a client that is still sending read the whole answer', async () => {
    const { peer, connection } = await wires.accepted();
    let going = true;
    const upload = (async () => {
      const block = body(64 * 1024);
      while (going && (await peer.write(block)));
      return going;
    })();
    await sleep(50);
    const answer = body(300_000, 9);
    connection.send(`HTTP/1.1 413 Content Too Large\r\n\r\n${answer.toString('latin1')}`);
    const lingering = connection.linger({ until: 'peer', bytes: 1024 * MIB, timeout: 10_000 });
    await sleep(100);
    assert.equal(await peer.through('\r\n\r\n'), 'HTTP/1.1 413 Content Too Large\r\n\r\n');
    assert.equal(await peer.digest(answer.length), digestOf([answer]));
    assert.equal(await peer.ending(), 'end');
    going = false;
    await upload;
    peer.end();
    await within('the linger', lingering);
    assert.equal(connection.open, false);
  });

  it('linger ends by its deadline, and by its bytes', async () => {
    const silent = await wires.accepted();
    const from = performance.now();
    await within('the linger', silent.connection.linger({ until: 'peer', bytes: MIB, timeout: 200 }), 2000);
    assert.ok(performance.now() - from > 180);
    assert.equal(silent.connection.open, false);
    const sending = await wires.accepted();
    const flood = setInterval(() => sending.peer.socket.write(body(50_000)), 1);
    await within(
      'the linger',
      sending.connection.linger({ until: 'peer', bytes: MIB, timeout: 20_000 }),
      5000,
    );
    clearInterval(flood);
    assert.equal(sending.connection.open, false);
  });

  it('linger after the FIN of a slow reader still delivers what was queued', async () => {
    const { peer, connection } = await wires.accepted();
    peer.end();
    await sleep(20);
    const answer = body(16 * MIB);
    connection.send(answer.toString('latin1'));
    const lingering = connection.linger({ until: 'peer', bytes: MIB, timeout: 10_000 });
    await sleep(100);
    assert.equal(await peer.digest(), digestOf([answer]));
    await within('the linger', lingering);
  });

  it('linger until delivery does not wait for a peer that keeps its side open', async () => {
    const { peer, connection } = await wires.accepted();
    const answer = body(16 * MIB);
    connection.send(answer.toString('latin1'));
    let over = false;
    const lingering = connection.linger({ until: 'delivery', bytes: MIB, timeout: 600_000 }).then(() => {
      over = true;
    });
    // A late request: were it unread at the close, the close would be a reset.
    await peer.write('GET / HTTP/1.1\r\n\r\n');
    await sleep(200);
    assert.equal(over, false, 'it ended before its peer had read anything');
    assert.equal(await peer.digest(), digestOf([answer]));
    assert.equal(await peer.ending(), 'end');
    await within('the linger', lingering);
    assert.equal(connection.open, false);
    await sleep(50);
    assert.equal(await peer.ending(), 'end');
  });

  it('linger until delivery ends with a peer that resets, and by its deadline', async () => {
    const gone = await wires.accepted();
    gone.connection.send(body(16 * MIB).toString('latin1'));
    const lingering = gone.connection.linger({ until: 'delivery', bytes: MIB, timeout: 600_000 });
    await sleep(20);
    gone.peer.reset();
    await within('the linger', lingering);
    const stuck = await wires.accepted();
    stuck.connection.send(body(16 * MIB).toString('latin1'));
    await within('the linger', stuck.connection.linger({ until: 'delivery', bytes: MIB, timeout: 300 }));
    assert.equal(stuck.connection.open, false);
  });

  it('close sends FIN, reset sends RST', async () => {
    const closed = await wires.accepted();
    closed.connection.send('bye');
    closed.connection.close();
    assert.equal((await closed.peer.exactly(3)).toString(), 'bye');
    assert.equal(await closed.peer.ending(), 'end');
    const { peer, connection } = await wires.accepted();
    connection.reset();
    assert.equal(await peer.ending(), 'reset');
    const dialled = await wires.dialled();
    dialled.connection.reset();
    assert.equal(await dialled.peer.ending(), 'reset');
  });

  it('late calls on a closed connection are harmless', async () => {
    for (const how of ['close', 'reset'] as const) {
      const { connection } = await wires.accepted();
      const other = await wires.accepted();
      connection[how]();
      assert.equal(connection.open, false);
      connection.send('nobody hears this');
      connection.watch(() => assert.fail('nothing to tell'), true);
      assert.equal((await within('a head', connection.readHead(head))).kind, 'closed');
      assert.equal((await within('a discard', connection.discard(length(5), 5, 1000))).kind, 'stopped');
      const relay = connection.relay(other.connection, { framing: length(5), stallTimeout: 1000 });
      assert.equal((await within('a relay', relay.done)).kind, 'stopped');
      await within('a linger', connection.linger({ until: 'peer', bytes: 1000, timeout: 1000 }));
      assert.equal(connection.tcpInfo(), undefined);
      connection.close();
      connection.reset();
      assert.equal(other.connection.open, true);
    }
  });

  it('a connection that its peer has reset is open until it is closed here', async () => {
    const { peer, connection } = await wires.accepted();
    peer.reset();
    assert.equal((await within('a head', connection.readHead(head))).kind, 'reset');
    connection.send('nobody hears this');
    assert.equal((await within('a head', connection.readHead(head))).kind, 'reset');
    assert.equal(connection.open, true);
    connection.close();
    await until('it is closed', () => !connection.open);
  });
}
