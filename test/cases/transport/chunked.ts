/** The chunked coding through a relay. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { body, bodyBlocks, digestOf } from '../../support/body.ts';
import { chunked, chunks, chunksOf, readChunked, readChunks } from '../../support/chunked-body.ts';
import { sleep, within } from '../../support/deadline.ts';
import { directions, type Path, type Wires } from '../../support/wires.ts';
import { assertComplete } from './relays.ts';

const MIB = 1024 * 1024;
const options = { framing: { kind: 'chunked' }, stallTimeout: 10_000 } as const;

const kept = { ...options, output: 'kept' } as const;
const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);

/**
 * Sends a body in chunks of these sizes, in writes of at most `write` bytes, and sees each arrive as it was. The receiver
 * begins to read after `late` milliseconds.
 */
async function arrivesAsItWas(
  path: Path,
  sizes: readonly number[],
  write: number,
  late = 0,
): Promise<number> {
  const { sender, source, sink, receiver } = path;
  const bytes = body(sum(sizes));
  const coded = Buffer.concat([...chunksOf(bytes, sizes, 'X-A: b\r\n')]);
  const relay = source.relay(sink, kept);
  void sender.writeAll(cut(coded, write));
  if (late > 0) await sleep(late);
  const read = await readChunks(receiver);
  assert.deepEqual(read.sizes, sizes);
  assert.equal(read.digest, digestOf([bytes]));
  assert.equal(read.trailers, 'X-A: b\r\n');
  const end = await within('the relay', relay.done, 20_000);
  assertComplete(end, bytes.length);
  return end.spliced;
}

function* cut(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** Around what a read, a pipe and a share take at once, and any others. */
const chunkSize = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc
    .tuple(fc.constantFrom(8 << 10, 16 << 10, 64 << 10, MIB), fc.integer({ min: -3, max: 3 }))
    .map(([edge, off]) => edge + off),
  fc.integer({ min: 1, max: 400_000 }),
);

const malformed: Record<string, string> = {
  'no size': '\r\n',
  'a size that is no number': 'g\r\n',
  'a signed size': '+5\r\nhello\r\n0\r\n\r\n',
  'a size with 0x': '0x5\r\nhello\r\n0\r\n\r\n',
  'space before a size': ' 5\r\nhello\r\n0\r\n\r\n',
  'space behind a size': '5 \r\nhello\r\n0\r\n\r\n',
  'a size of 14 digits': '00000000000005\r\nhello\r\n0\r\n\r\n',
  'a size over 64 bits': 'fffffffffffffffff\r\n',
  'a size line of bare LF': '5\nhello\r\n0\r\n\r\n',
  'a bare CR in a size line': '5\rhello\r\n0\r\n\r\n',
  'a control character in an extension': '5;a\x01\r\nhello\r\n0\r\n\r\n',
  'a bare LF in an extension': '5;a\nhello\r\n0\r\n\r\n',
  'an extension over 256 bytes': `5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`,
  'more data than the size': '5\r\nhello!\r\n0\r\n\r\n',
  'data ended by bare LF': '5\r\nhello\n0\r\n\r\n',
  'a trailer without a colon': '5\r\nhello\r\n0\r\nnothing\r\n\r\n',
  'a trailer without a name': '5\r\nhello\r\n0\r\n: x\r\n\r\n',
  'a trailer with space in its name': '5\r\nhello\r\n0\r\nx y: z\r\n\r\n',
  'a trailer with a bare LF': '5\r\nhello\r\n0\r\nx: y\n\r\n',
  'a trailer with NUL': '5\r\nhello\r\n0\r\nx: \0\r\n\r\n',
};

export function chunkedCases(wires: Wires): void {
  it('thousands of chunks of one byte', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const bytes = body(5000);
    const relay = source.relay(sink, options);
    void sender.write(chunked(bytes, 1));
    assert.equal((await readChunked(receiver)).digest, digestOf([bytes]));
    assertComplete(await within('the relay', relay.done), bytes.length);
  });

  it('one chunk of 16 MiB', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const relay = source.relay(sink, options);
    void sender.writeAll(chunks(body(16 * MIB), 16 * MIB));
    assert.equal((await readChunked(receiver)).digest, digestOf(bodyBlocks(16 * MIB)));
    assertComplete(await within('the relay', relay.done), 16 * MIB);
  });

  it('chunks of all sizes, in writes that end anywhere', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const bytes = body(3 * MIB);
    const sizes = [1, 17, 4095, 4096, 70_000, 300_000];
    const pieces: Buffer[] = [];
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const data = bytes.subarray(at, at + sizes[turn % sizes.length]!);
      pieces.push(Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n'));
      at += data.length;
    }
    const coded = Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]);
    const relay = source.relay(sink, options);
    void sender.writeAll(Array.from({ length: 400 }, (_, i) => coded.subarray(i * 8111, (i + 1) * 8111)));
    assert.equal((await readChunked(receiver)).digest, digestOf([bytes]));
    assertComplete(await within('the relay', relay.done), bytes.length);
  });

  it('extensions are dropped, sizes written anew', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const relay = source.relay(sink, options);
    await sender.write('0005;name="a;b"\r\nhello\r\nA;x\r\n0123456789\r\n0000;last\r\n\r\n');
    assert.equal((await readChunked(receiver)).digest, digestOf([Buffer.from('hello0123456789')]));
    assertComplete(await within('the relay', relay.done), 15);
  });

  it('trailers pass, but for those that would change the head', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const relay = source.relay(sink, options);
    const trailers = 'X-Checksum: abc\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nX-Took: 12\r\n';
    await sender.write(chunked(Buffer.from('hello'), 5, trailers));
    const read = await readChunked(receiver);
    assert.equal(read.trailers, 'X-Checksum: abc\r\nX-Took: 12\r\n');
    assertComplete(await within('the relay', relay.done), 5);
  });

  it('a body split at every byte', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const coded = Buffer.from('5;ext\r\nhello\r\n00b\r\n, you there\r\n0\r\nX-A: b\r\n\r\n');
    for (let at = 1; at < coded.length; at++) {
      const relay = source.relay(sink, options);
      await sender.write(coded.subarray(0, at));
      await sleep(1);
      await sender.write(coded.subarray(at));
      const read = await readChunked(receiver);
      assert.equal(read.digest, digestOf([Buffer.from('hello, you there')]));
      assert.equal(read.trailers, 'X-A: b\r\n');
      assertComplete(await within(`the relay split at ${at}`, relay.done), 16);
    }
  });

  it('decoded for a client that knows no chunks', async () => {
    const { sender, source, sink, receiver } = await wires.path('down');
    const bytes = body(MIB + 3);
    const relay = source.relay(sink, { ...options, output: 'decoded' });
    void sender.writeAll(chunks(bytes, 9999, 'X-A: b\r\n'));
    assert.equal(await receiver.digest(bytes.length), digestOf([bytes]));
    assertComplete(await within('the relay', relay.done), bytes.length);
    sink.close();
    assert.equal(await receiver.digest(), digestOf([]));
  });

  for (const direction of directions) {
    it(`kept chunks are the sender's, large and small in turn, ${direction}`, async () => {
      const sizes = [1000, 5000, 30_000, 200_000, 700_000];
      const all = Array.from({ length: 6 }, () => sizes).flat();
      const spliced = await arrivesAsItWas(await wires.path(direction), all, 65_536);
      if (!wires.splices) return;
      // What a read of framing took along is copied, and chunks too small for a pipe.
      assert.ok(spliced > 0.9 * sum(all), `${spliced} spliced of ${sum(all)}`);
    });
  }

  it('kept chunks in any sizes and in writes that end anywhere', async () => {
    const sizes = fc.array(chunkSize, { maxLength: 12 });
    const writes = fc.oneof(fc.integer({ min: 300, max: 100_000 }), fc.constant(MIB));
    await fc.assert(
      fc.asyncProperty(sizes, writes, fc.constantFrom(...directions), async (some, write, direction) => {
        await arrivesAsItWas(await wires.path(direction), some, write);
      }),
      { numRuns: 25 },
    );
  });

  it('kept chunks from a sender that writes a byte at a time', async () => {
    const sizes = [1, 2, 15, 16, 17, 300];
    await arrivesAsItWas(await wires.path(), sizes, 1);
  });

  it('thousands of kept chunks of one byte', async () => {
    await arrivesAsItWas(await wires.path(), Array(3000).fill(1), 10_000);
  });

  it('kept chunks to a receiver that reads late', async () => {
    for (const direction of directions) {
      const sizes = Array.from({ length: 80 }, (_, turn) => [700_000, 9000, 11, 8192][turn % 4]!);
      await arrivesAsItWas(await wires.path(direction), sizes, MIB, 200);
    }
  });

  it('a kept chunk is whole for its receiver before the next has begun', async () => {
    for (const size of [1, 5000, 8192, 300_000, 3 * MIB]) {
      const { sender, source, sink, receiver } = await wires.path();
      const relay = source.relay(sink, kept);
      for (let turn = 0; turn < 3; turn++) {
        const bytes = body(size, turn + 1);
        const [line, data, end] = [...chunksOf(bytes, [size])];
        await sender.writeAll([line!, data!, end!]);
        assert.equal(await receiver.through('\r\n'), `${size.toString(16)}\r\n`);
        assert.equal(await receiver.digest(size), digestOf([bytes]));
        assert.equal((await receiver.exactly(2)).toString('latin1'), '\r\n');
      }
      await sender.write('0\r\n\r\n');
      assert.equal(await receiver.through('\r\n\r\n'), '0\r\n\r\n');
      assertComplete(await within('the relay', relay.done), 3 * size);
    }
  });

  it('the size of a kept chunk is known to its receiver before its data has come', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const relay = source.relay(sink, kept);
    // No chunk is held, so none is too large: this one is of 2 GiB.
    await sender.write('0080000000;a=b\r\n');
    assert.equal(await receiver.through('\r\n'), '80000000\r\n');
    await sender.write('hello');
    assert.equal((await receiver.exactly(5)).toString(), 'hello');
    sender.end();
    const end = await within('the relay', relay.done);
    assert.deepEqual([end.kind, end.bytes], ['source-end', 5]);
  });

  it('a budget pauses kept chunks anywhere and moves no bound', async () => {
    for (const budget of [1, 1000, 8192, 100_001]) {
      const { sender, source, sink, receiver } = await wires.path();
      const sizes = budget < 1000 ? [1, 2, 3, 50] : [1000, 5000, 30_000, 200_000, 7];
      const bytes = body(sum(sizes));
      let grants = 0;
      const relay = source.relay(sink, {
        ...kept,
        budget,
        onBudget: (starved) => {
          grants += 1;
          setImmediate(() => starved.grant(budget));
        },
      });
      void sender.writeAll(chunksOf(bytes, sizes));
      const read = await readChunks(receiver);
      assert.deepEqual([read.sizes, read.digest], [sizes, digestOf([bytes])]);
      assertComplete(await within('the relay', relay.done), bytes.length);
      assert.ok(grants >= Math.floor((bytes.length - 1) / budget), `${grants} grants`);
    }
  });

  for (const [maxTrailers, fits] of [
    [undefined, 8192],
    [1000, 1000],
    [65_536, 65_536],
  ] as const) {
    it(`trailers of ${fits} bytes pass, and longer ones end the relay as such`, async () => {
      const trailers = `X-Sum: ${'y'.repeat(fits - 'X-Sum: '.length - 2)}\r\n`;
      const limited = { ...options, ...(maxTrailers && { maxTrailers }) };
      const { sender, source, sink, receiver } = await wires.path();
      const relay = source.relay(sink, limited);
      void sender.write(chunked(Buffer.from('hello'), 5, trailers));
      const read = await readChunked(receiver);
      assert.equal(read.trailers, trailers);
      assertComplete(await within('the relay', relay.done), 5);
      const again = source.relay(sink, limited);
      void sender.write(chunked(Buffer.from('hello'), 5, `X${trailers}`));
      assert.equal((await within('the relay', again.done)).kind, 'source-trailers-too-long');
    });
  }

  for (const [fault, coded] of Object.entries(malformed)) {
    it(`${fault} ends the relay and never looks like an end`, async () => {
      for (const how of [options, kept]) {
        const { sender, source, sink, receiver } = await wires.path();
        const relay = source.relay(sink, how);
        await sender.write(coded);
        const { kind } = await within('the relay', relay.done);
        assert.equal(kind, 'source-malformed');
        sink.close();
        let seen = '';
        for (let block = await receiver.some(); block; block = await receiver.some())
          seen += block.toString('latin1');
        assert.doesNotMatch(seen, /(^|\r\n)0\r\n/);
      }
    });
  }
}
