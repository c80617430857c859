/** Bodies of every framing, whole. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Framing } from '../../../src/http1/framing.ts';
import type { RelayEnd, RelayOptions } from '../../../src/net/contract.ts';
import { body, bodyBlocks, digestOf } from '../../support/body.ts';
import { chunked, chunks, readChunked } from '../../support/chunked-body.ts';
import { sleep, within } from '../../support/deadline.ts';
import { directions, type Wires } from '../../support/wires.ts';
import { readText } from './heads.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const sizes = [1, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, MIB + 3, 32 * MIB];
const stallTimeout = 10_000;
const HEAD = 'POST / HTTP/1.1\r\n\r\n';

/** A body that moved whole, and each byte of it by one way and no other. */
export function assertComplete(end: RelayEnd, bytes: number): void {
  assert.equal(end.kind, 'complete');
  assert.equal(end.bytes, bytes);
  assert.equal(end.spliced + end.copied, bytes);
}

export function relayCases(wires: Wires): void {
  for (const direction of directions) {
    for (const size of sizes) {
      it(`${size} bytes of known length arrive whole, ${direction}`, async () => {
        const { sender, source, sink, receiver } = await wires.path(direction);
        const relay = source.relay(sink, { framing: { kind: 'length', length: size }, stallTimeout });
        void sender.writeAll(bodyBlocks(size));
        assert.equal(await receiver.digest(size), digestOf(bodyBlocks(size)));
        assertComplete(await within('the relay', relay.done), size);
        assert.equal(relay.moved, size);
      });
    }

    for (const size of [0, 1, 16 * KIB + 1, MIB + 3]) {
      it(`${size} bytes in chunks arrive whole, ${direction}`, async () => {
        const { sender, source, sink, receiver } = await wires.path(direction);
        const relay = source.relay(sink, { framing: { kind: 'chunked' }, stallTimeout });
        void sender.writeAll(chunks(body(size), 10_000));
        assert.equal((await readChunked(receiver)).digest, digestOf(bodyBlocks(size)));
        assertComplete(await within('the relay', relay.done), size);
      });

      it(`${size} bytes until close arrive whole, ${direction}`, async () => {
        const { sender, source, sink, receiver } = await wires.path(direction);
        const relay = source.relay(sink, { framing: { kind: 'until-close' }, stallTimeout });
        void sender.writeAll(bodyBlocks(size)).then(() => sender.end());
        assert.equal(await receiver.digest(size), digestOf(bodyBlocks(size)));
        assertComplete(await within('the relay', relay.done), size);
        sink.close();
        assert.equal(await receiver.ending(), 'end');
      });
    }
  }

  const begun: readonly Pick<RelayOptions, 'framing' | 'output'>[] = [
    { framing: { kind: 'length', length: MIB } },
    { framing: { kind: 'chunked' } },
    { framing: { kind: 'chunked' }, output: 'kept' },
  ];
  for (const how of begun) {
    const { framing, output = 'same' } = how;
    it(`what filled a read to its last byte does not wait for what follows, ${framing.kind}, ${output}`, async () => {
      const front = HEAD + (framing.kind === 'chunked' ? `${MIB.toString(16)}\r\n` : '');
      const piece = body(16 * KIB - front.length);
      const last = piece.subarray(-16).toString('latin1');
      let fastest = Number.POSITIVE_INFINITY;
      // The kernel keeps what it was told more will follow for 200 ms at least, each time. The fastest of ten tells the two
      // apart, however busy the machine is.
      for (let time = 0; time < 10; time++) {
        const { sender, source, sink, receiver } = await wires.path();
        await sender.write(Buffer.concat([Buffer.from(front), piece]));
        assert.equal(await readText(source), HEAD);
        const since = performance.now();
        const relay = source.relay(sink, { ...how, stallTimeout });
        const came = Buffer.from(await receiver.through(last), 'latin1');
        fastest = Math.min(fastest, performance.now() - since);
        assert.equal(digestOf([came.subarray(-piece.length)]), digestOf([piece]));
        relay.stop();
        await wires.release();
      }
      assert.ok(fastest < 150, `the fastest took ${fastest} ms`);
    });
  }

  it('no body, and a body of length 0, are complete at once and take nothing', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    await sender.write('GET / HTTP/1.1\r\n\r\n');
    const empty: Framing[] = [{ kind: 'none' }, { kind: 'length', length: 0 }];
    for (const framing of empty) {
      assertComplete(await within('the relay', source.relay(sink, { framing, stallTimeout }).done), 0);
    }
    assert.equal(await readText(source), 'GET / HTTP/1.1\r\n\r\n');
    sink.close();
    assert.equal(await receiver.digest(), digestOf([]));
  });

  it('what came of the body with its head leaves with the head', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    await sender.write(`POST / HTTP/1.1\r\n\r\n${'a'.repeat(100)}`);
    assert.equal(await readText(source), 'POST / HTTP/1.1\r\n\r\n');
    sink.send('POST /b HTTP/1.1\r\n\r\n', true);
    const relay = source.relay(sink, { framing: { kind: 'length', length: 150 }, stallTimeout });
    const first = await within('the head', receiver.some());
    assert.equal(first?.toString('latin1'), `POST /b HTTP/1.1\r\n\r\n${'a'.repeat(100)}`);
    await sender.write('b'.repeat(50));
    assert.equal((await receiver.exactly(50)).toString(), 'b'.repeat(50));
    assertComplete(await within('the relay', relay.done), 150);
  });

  it('a head sent with `more` does not wait for a body that is late', async () => {
    const { source, sink, receiver } = await wires.path();
    sink.send('POST /b HTTP/1.1\r\n\r\n', true);
    const relay = source.relay(sink, { framing: { kind: 'length', length: 150 }, stallTimeout });
    const head = await within('the head', receiver.through('\r\n\r\n'), 1000);
    assert.equal(head, 'POST /b HTTP/1.1\r\n\r\n');
    relay.stop();
  });

  it('what is behind a body belongs to the next head', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const bytes = body(3000);
    const one = Buffer.concat([Buffer.from('ONE\r\n\r\n'), bytes]);
    const two = Buffer.concat([Buffer.from('TWO\r\n\r\n'), chunked(bytes, 700)]);
    await sender.write(Buffer.concat([one, two, one, two, Buffer.from('END\r\n\r\n')]));
    for (let round = 0; round < 2; round++) {
      assert.equal(await readText(source), 'ONE\r\n\r\n');
      const plain = source.relay(sink, { framing: { kind: 'length', length: 3000 }, stallTimeout });
      assertComplete(await within('the relay', plain.done), 3000);
      assert.equal(await receiver.digest(3000), digestOf([bytes]));
      assert.equal(await readText(source), 'TWO\r\n\r\n');
      const coded = source.relay(sink, { framing: { kind: 'chunked' }, stallTimeout });
      assertComplete(await within('the relay', coded.done), 3000);
      assert.equal((await readChunked(receiver)).digest, digestOf([bytes]));
    }
    assert.equal(await readText(source), 'END\r\n\r\n');
  });

  it('a body waits behind all that was sent before it, however slowly that is read', async () => {
    const { sender, source, sink, receiver } = await wires.path('down');
    const before = body(8 * MIB, 1);
    sink.send(before.toString('latin1'));
    const relay = source.relay(sink, { framing: { kind: 'length', length: MIB }, stallTimeout });
    void sender.writeAll(bodyBlocks(MIB, 2));
    await sleep(100);
    assert.equal(await receiver.digest(9 * MIB), digestOf([before, ...bodyBlocks(MIB, 2)]));
    assertComplete(await within('the relay', relay.done), MIB);
  });

  it('hundreds of pipelined messages keep their order and their bounds', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const bytes = body(700);
    const messages = Array.from({ length: 300 }, (_, turn) => {
      const data = bytes.subarray(0, (turn * 7) % 700);
      const coded = turn % 2 === 0 ? data : chunked(data, 100);
      return Buffer.concat([Buffer.from(`MESSAGE ${turn}\r\n\r\n`), coded]);
    });
    void sender.write(Buffer.concat(messages));
    for (let turn = 0; turn < 300; turn++) {
      const length = (turn * 7) % 700;
      assert.equal(await readText(source), `MESSAGE ${turn}\r\n\r\n`);
      sink.send(`${turn};`, true);
      const framing: Framing = turn % 2 === 0 ? { kind: 'length', length } : { kind: 'chunked' };
      const relay = source.relay(sink, { framing, output: 'decoded', stallTimeout });
      assertComplete(await within('the relay', relay.done), length);
    }
    sink.send('end');
    for (let turn = 0; turn < 300; turn++) {
      assert.equal(await receiver.through(';'), `${turn};`);
      assert.deepEqual(await receiver.exactly((turn * 7) % 700), bytes.subarray(0, (turn * 7) % 700));
    }
  });

  it('both directions of a pair run at once', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const size = 8 * MIB;
    const framing: Framing = { kind: 'length', length: size };
    const up = source.relay(sink, { framing, stallTimeout });
    const down = sink.relay(source, { framing, stallTimeout });
    void sender.writeAll(bodyBlocks(size, 1));
    void receiver.writeAll(bodyBlocks(size, 2));
    const digests = await Promise.all([receiver.digest(size), sender.digest(size)]);
    assert.deepEqual(digests, [digestOf(bodyBlocks(size, 1)), digestOf(bodyBlocks(size, 2))]);
    for (const relay of [up, down]) assertComplete(await within('a relay', relay.done), size);
  });
}
