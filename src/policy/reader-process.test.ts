import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from '../../test/support/deadline.ts';
import { createReaderProcess, type ReaderOptions, type ReaderProcess } from './reader-process.ts';

const deadline = { timeout: patience };

/** A reader in a few words, that is told each line and has `answer()`. */
const speaking = (onLine: string, atStart = ''): readonly string[] => [
  '-e',
  `const answer = () => console.log('{"kind":"read","documents":[],"warnings":["' + process.pid + '"]}');
  ${atStart};
  require('node:readline').createInterface({ input: process.stdin }).on('line', () => { ${onLine} });`,
];

const prompt = speaking('answer()');

async function withReader(
  options: Omit<ReaderOptions, 'surroundings'>,
  use: (reader: ReaderProcess) => Promise<void>,
): Promise<void> {
  const reader = createReaderProcess({
    surroundings: { clusters: ['default'], verifies: undefined },
    ...options,
  });
  try {
    await use(reader);
  } finally {
    reader.close();
  }
}

/** The process that answered. */
async function readBy(reader: ReaderProcess): Promise<string | undefined> {
  const reading = await reader.read([]);
  return reading.kind === 'read' ? reading.warnings[0] : undefined;
}

test('a reader that ends after its successor has begun takes nothing with it', deadline, async () => {
  // The first is told to end 50 ms after its answer, and takes 150 ms for it: in the middle of the second's work.
  const slow = speaking(
    'setTimeout(answer, 400)',
    "process.on('SIGTERM', () => setTimeout(() => process.exit(), 150))",
  );
  await withReader({ command: slow, idleTimeout: 50 }, async (reader) => {
    const first = await readBy(reader);
    await sleep(60);
    const second = await readBy(reader);
    assert.notEqual(second, first);
    assert.equal(await readBy(reader), second, 'and it is kept while it has work');
  });
});

test('a text that is read as the idle timeout strikes is not lost', { timeout: patience }, async () => {
  for (let at = 0; at < 5; at++) {
    await withReader({ command: prompt, idleTimeout: 50 }, async (reader) => {
      await readBy(reader);
      await sleep(50 + at);
      await readBy(reader);
    });
  }
});

const deaths: readonly (readonly [hazard: string, onLine: string, told: RegExp])[] = [
  ['that ends by itself', 'process.exit(3)', /^the reader of policies ended \(3\)$/],
  [
    'whose heap is full',
    'const all = []; for (;;) all.push(Array.from({ length: 1000 }, Math.random))',
    /ran out of its 32 MiB of memory \(SIGABRT\); use fewer or shorter policies$/,
  ],
  [
    'that the kernel kills',
    "process.kill(process.pid, 'SIGKILL')",
    /was killed.* memory.* give the container/,
  ],
  ['that says nothing', '', /has not answered in 300 ms$/],
];

for (const [hazard, onLine, told] of deaths) {
  test(`a reader ${hazard} fails what it was asked, and the next is another`, deadline, async () => {
    const timeout = onLine === '' ? 300 : 10_000;
    await withReader({ command: speaking(onLine), memory: 32, timeout }, async (reader) => {
      for (let time = 0; time < 2; time++) {
        await assert.rejects(reader.read([]), (error: Error) => told.test(error.message));
      }
    });
  });
}

test('a reader that can not be started is told', deadline, async () => {
  await withReader({ command: ['/nowhere/at-all.js'] }, async (reader) => {
    await assert.rejects(reader.read([]), /ended \(1\)/);
  });
});

test('a close fails what is being read', deadline, async () => {
  await withReader({ command: speaking('') }, async (reader) => {
    const reading = reader.read([]);
    setTimeout(() => reader.close(), 50);
    await assert.rejects(reading, /ended \(SIGTERM\)/);
  });
});

test('the reader sees nothing of the environment', deadline, async () => {
  process.env.SLUICE_SECRET_TEST = 'secret';
  const telling = speaking(
    'console.log(JSON.stringify({ kind: "read", documents: [], warnings: Object.keys(process.env) }))',
  );
  await withReader({ command: telling }, async (reader) => {
    assert.deepEqual(await reader.read([]), { kind: 'read', documents: [], warnings: [] });
  });
});
