import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import {
  backOff,
  bounds,
  decodeText,
  gather,
  isPolicyFile,
  overBounds,
  Poller,
  snapshotOf,
} from './polling.ts';
import type { Snapshot } from './source.ts';

const versionOf = (texts: readonly { name: string; text: string }[]) => {
  const snapshot = snapshotOf(texts);
  return snapshot.kind === 'read' ? snapshot.version : '';
};

test('two sets have one version only if they have the same names and texts', () => {
  const part = fc.string({ unit: fc.constantFrom('a', '1', ' ', '\n'), maxLength: 4 });
  const texts = fc.array(fc.record({ name: part, text: part }), { maxLength: 4 });
  fc.assert(
    fc.property(texts, texts, (one, other) => {
      assert.equal(versionOf(one) === versionOf(other), JSON.stringify(one) === JSON.stringify(other));
    }),
  );
});

test('hidden files and files of other kinds are no policies', () => {
  for (const name of ['a.yaml', 'a.yml', 'a.json', 'a b.yaml']) assert.ok(isPolicyFile(name), name);
  for (const name of ['.a.yaml', '..data', 'a.yaml~', 'a.txt', 'yaml', '.yaml', ''])
    assert.ok(!isPolicyFile(name), name);
});

test('the bounds are refused one over and taken at the last', () => {
  const files = (count: number, size: number) =>
    Array.from({ length: count }, (_, at) => ({ name: `${at}.yaml`, size }));
  assert.equal(overBounds(files(bounds.files, 1)), undefined);
  assert.match(overBounds(files(bounds.files + 1, 1)) ?? '', /more than 4096 policy files/);
  assert.equal(overBounds(files(16, bounds.fileBytes)), undefined);
  assert.match(overBounds(files(1, bounds.fileBytes + 1)) ?? '', /0\.yaml is larger than 1 MiB/);
  assert.match(overBounds(files(17, bounds.fileBytes)) ?? '', /larger than 16 MiB together/);
});

test('bytes that are not UTF-8 are no text, and a byte order mark is none of it', () => {
  assert.equal(decodeText(Buffer.from([0x61, 0xff])), undefined);
  assert.equal(decodeText(Buffer.from('\ufeffgrün')), 'grün');
});

test('a pause grows with failures, to a minute or the interval, give or take a tenth', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600_000 }), fc.nat(1000), (interval, failures) => {
      const base = Math.min(interval * 2 ** Math.min(failures, 16), Math.max(60_000, interval));
      const pause = backOff(interval, failures);
      assert.ok(pause >= base * 0.9 && pause <= base * 1.1, `${pause}`);
    }),
  );
});

test('never more at once than allowed, and the results keep their order', async () => {
  let running = 0;
  let most = 0;
  const results = await gather([...Array(20).keys()], 3, async (item) => {
    most = Math.max(most, ++running);
    await sleep(item % 3);
    running--;
    return item;
  });
  assert.deepEqual(results, [...Array(20).keys()]);
  assert.equal(most, 3);
});

test('however often it is hurried, one reading runs at a time, and one more begins after the last hurry', async () => {
  let running = 0;
  let begun = 0;
  let hurried = 0;
  let seen = 0;
  const poller = new Poller({
    read: async () => {
      assert.equal(++running, 1);
      begun++;
      seen = hurried;
      await sleep(3);
      running--;
      return { kind: 'unchanged' };
    },
    pause: () => 60_000,
  });
  poller.start(() => {});
  for (let turn = 0; turn < 50; turn++) {
    hurried++;
    poller.hurry();
    if (turn % 5 === 0) await sleep(1);
  }
  await sleep(100);
  poller.close();
  assert.equal(seen, 50);
  assert.ok(begun < 20, `${begun} readings`);
});

test('the same failure is told once, another one again, and what comes back is told though it is the same', async () => {
  const set = snapshotOf([{ name: 'a', text: 'a' }]);
  const failed = (why: string): Snapshot => ({ kind: 'unreachable', why });
  const readings = [set, set, failed('gone'), failed('gone'), failed('forbidden'), set];
  const told: Snapshot[] = [];
  const pauses: number[] = [];
  await new Promise<void>((resolve) => {
    const poller = new Poller({
      read: async () => readings.shift() ?? { kind: 'unchanged' },
      pause: (failures) => {
        pauses.push(failures);
        if (readings.length === 0) resolve();
        return 0;
      },
    });
    const guard = setTimeout(resolve, 5000);
    poller.start((snapshot) => {
      told.push(snapshot);
      if (readings.length > 0) return;
      poller.close();
      clearTimeout(guard);
      resolve();
    });
  });
  assert.deepEqual(told, [set, failed('gone'), failed('forbidden'), set]);
  assert.deepEqual(pauses, [0, 0, 1, 2, 3]);
});

test('nothing is told after the end, not even by a reading under way', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let told = 0;
  const poller = new Poller({
    read: async (signal) => {
      resolve();
      await sleep(20);
      assert.ok(signal.aborted);
      return snapshotOf([]);
    },
    pause: () => 0,
  });
  poller.start(() => told++);
  await promise;
  poller.close();
  await sleep(60);
  assert.equal(told, 0);
});

test('a reading that throws is a source that can not be read, and is tried again', async () => {
  let readings = 0;
  const told: Snapshot[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const poller = new Poller({
    read: async () => {
      if (readings++ === 0) throw new Error('a bug');
      return snapshotOf([]);
    },
    pause: () => 1,
  });
  const guard = setTimeout(resolve, 5000);
  poller.start((snapshot) => {
    told.push(snapshot);
    if (told.length === 2) resolve();
  });
  await promise;
  clearTimeout(guard);
  poller.close();
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ['unreachable', 'read'],
  );
});
