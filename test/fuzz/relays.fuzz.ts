/**
 * `relays.fuzz.ts SECONDS FINDINGS`: the engine's relays over loopback. Whatever the chunks, the writes they come in, the
 * budget and the pace of the reader: the body arrives whole and in canonical form, in its own chunks where they are
 * kept, is counted exactly, and what came behind it is still there to be read. Ends with 1 at the first body for which that does not hold; how it was
 * sent is written to the folder FINDINGS.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { createEngineTransport } from '../../src/net/engine.ts';
import { body, digestOf } from '../support/body.ts';
import { readChunks } from '../support/chunked-body.ts';
import { sleep, within } from '../support/deadline.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { type Direction, Wires } from '../support/wires.ts';

const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n';

/** Sizes at which the engine changes its ways: what fits a read, what is worth a pipe, a pipe's own size. */
const size = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc
    .tuple(fc.constantFrom(8 << 10, 16 << 10, 64 << 10, 256 << 10), fc.integer({ min: -3, max: 3 }))
    .map(([edge, off]) => edge + off),
  fc.integer({ min: 1, max: 600_000 }),
);

const cases = fc.record({
  framing: fc.constantFrom(
    'chunked' as const,
    'chunked' as const,
    'kept' as const,
    'kept' as const,
    'decoded' as const,
    'length' as const,
  ),
  direction: fc.constantFrom<Direction>('up', 'down'),
  sizes: fc.array(size, { maxLength: 12 }),
  repeat: fc.constantFrom(1, 1, 1, 3, 40),
  extension: fc.constantFrom('', ';a', `;${'b'.repeat(100)}`),
  trailers: fc.constantFrom('', 'X-Sum: 1\r\n'),
  /** The lengths of the writes, over and over, and whether there is a pause after each. */
  writes: fc.array(fc.tuple(size, fc.boolean()), { minLength: 1, maxLength: 6 }),
  budget: fc.option(
    fc.oneof(
      fc.integer({ min: 2000, max: 20_000 }),
      size.map((bytes) => bytes + 5000),
    ),
  ),
  /** The reader waits so many milliseconds before it begins. */
  late: fc.constantFrom(0, 0, 5, 30),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

/** The body of a case as it is sent, and as it must arrive. */
function bodyOf({ framing, sizes, repeat, extension, trailers }: Case): {
  sent: Buffer;
  data: Buffer;
  chunks: readonly number[];
} {
  const all = Array.from({ length: repeat }, () => sizes)
    .flat()
    .filter((_, index) => index < 60);
  const data = body(all.reduce((sum, each) => sum + each, 0));
  if (framing === 'length') return { sent: data, data, chunks: [] };
  let at = 0;
  const pieces = all.flatMap((length) => {
    const chunk = data.subarray(at, at + length);
    at += length;
    return [Buffer.from(`${length.toString(16)}${extension}\r\n`), chunk, Buffer.from('\r\n')];
  });
  return { sent: Buffer.concat([...pieces, Buffer.from(`0\r\n${trailers}\r\n`)]), data, chunks: all };
}

async function write(sender: RawPeer, bytes: Buffer, writes: Case['writes']): Promise<void> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const [length, pause] = writes[turn % writes.length]!;
    // Short writes over and over would take minutes for a long body.
    const step = Math.max(length, Math.ceil(bytes.length / 200));
    await sender.write(bytes.subarray(at, at + step));
    at += step;
    if (pause) await new Promise(setImmediate);
  }
}

async function arrivesWhole(wires: Wires, how: Case): Promise<void> {
  const { sent, data, chunks } = bodyOf(how);
  const { sender, source, sink, receiver } = await wires.path(how.direction);
  const { budget } = how;
  const relay = source.relay(sink, {
    framing: how.framing === 'length' ? { kind: 'length', length: data.length } : { kind: 'chunked' },
    output: how.framing === 'decoded' || how.framing === 'kept' ? how.framing : 'same',
    stallTimeout: 5000,
    ...(budget === null ? {} : { budget, onBudget: (starved) => starved.grant(budget) }),
  });
  const writing = write(sender, Buffer.concat([sent, Buffer.from(NEXT)]), how.writes);
  if (how.late > 0) await sleep(how.late);
  if (how.framing === 'chunked' || how.framing === 'kept') {
    const { sizes, ...read } = await readChunks(receiver);
    assert.deepEqual(read, { digest: digestOf([data]), trailers: how.trailers });
    if (how.framing === 'kept') assert.deepEqual(sizes, chunks);
  } else {
    assert.equal(await receiver.digest(data.length), digestOf([data]));
  }
  const end = await within('the relay', relay.done);
  assert.deepEqual([end.kind, end.bytes, end.spliced + end.copied], ['complete', data.length, data.length]);
  await within('the writes', writing);
  const head = await within(
    'the next head',
    source.readHead({ maxBytes: 1000, idleTimeout: 5000, timeout: 5000 }),
  );
  assert.equal(head.kind, 'head');
  if (head.kind === 'head') assert.equal(head.buffer.toString('latin1', head.start, head.end), NEXT);
  sink.close();
  assert.equal((await within('the end', receiver.some()))?.length, undefined, 'nothing follows the body');
}

async function fuzz(milliseconds: number, findings: string): Promise<boolean> {
  const wires = new Wires(() => {
    const transport = createEngineTransport()!;
    return { server: transport, client: transport };
  });
  await wires.open();
  const property = fc.asyncProperty(cases, async (how) => {
    try {
      await arrivesWhole(wires, how);
    } finally {
      await wires.release();
    }
  });
  const result = await fc.check(property, {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: milliseconds,
    markInterruptAsFailure: false,
  });
  wires.close();
  console.log(`fuzz relays: ${result.numRuns} executions`);
  if (result.counterexample === null) return true;
  const path = join(findings, 'relays-input.json');
  writeFileSync(path, JSON.stringify(result.counterexample[0], null, 2));
  console.log(`fuzz relays: a finding, see ${path}: ${JSON.stringify(result.counterexample)}`);
  console.log(result.errorInstance);
  return false;
}

const built = createEngineTransport();
built?.close();
if (!built) console.log('fuzz relays: not run, the engine is not built here');
else process.exitCode = (await fuzz(Number(process.argv[2] ?? 60) * 1000, process.argv[3] ?? '.')) ? 0 : 1;
