import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { patience } from '../../test/support/deadline.ts';
import { policy } from '../../test/support/policies.ts';
import type { PolicySet } from './compile.ts';
import type { PolicyDocument } from './document.ts';
import type { Outcome, PolicySource, Snapshot, SourceText } from './sources/source.ts';
import { createStore, type PolicyStore, type Reading, type StoreEvent, type StoreOptions } from './store.ts';

const deadline = { timeout: patience };

/** Says what it is told to say, and keeps what it hears. */
class Scripted implements PolicySource {
  readonly name = 'scripted';
  readonly outcomes: Outcome[] = [];
  closed = false;
  say: (snapshot: Snapshot) => void = () => {};

  start(onSnapshot: (snapshot: Snapshot) => void): void {
    this.say = onSnapshot;
  }

  report(outcome: Outcome): void {
    this.outcomes.push(outcome);
  }

  close(): void {
    this.closed = true;
  }

  /** One text of that name. */
  tell(version: string): void {
    this.say({ kind: 'read', version, texts: [{ name: version, text: '' }] });
  }
}

interface Pending {
  readonly version: string;
  resolve(reading: Reading): void;
  reject(error: Error): void;
}

/** A store whose readings are answered by the test. */
class Stand {
  readonly source = new Scripted();
  readonly events: StoreEvent[] = [];
  readonly swapped: PolicySet[] = [];
  readonly store: PolicyStore;
  readonly asked: string[] = [];
  #pending: Pending | undefined;

  constructor(t: TestContext, options: Partial<StoreOptions> = {}) {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    this.store = createStore({
      source: this.source,
      read: (texts) => this.#read(texts),
      fallback: 'deny',
      secrets: { directory: undefined, environment: {} },
      onSwap: (set) => this.swapped.push(set),
      tell: (event) => this.events.push(event),
      ...options,
    });
    t.after(() => this.store.close());
  }

  #read(texts: readonly SourceText[]): Promise<Reading> {
    assert.equal(this.#pending, undefined, 'one at a time');
    const version = texts[0]?.name ?? '';
    this.asked.push(version);
    const { promise, resolve, reject } = Promise.withResolvers<Reading>();
    this.#pending = { version, resolve, reject };
    return promise;
  }

  #take(): Pending {
    const pending = this.#pending ?? assert.fail('nothing is being read');
    this.#pending = undefined;
    return pending;
  }

  async answer(...documents: readonly PolicyDocument[]): Promise<void> {
    this.#take().resolve({ kind: 'read', documents, warnings: [] });
    await settled();
  }

  async refuse(message: string): Promise<void> {
    const { version, resolve } = this.#take();
    resolve({ kind: 'invalid', problems: [{ source: version, message }] });
    await settled();
  }

  async fail(why: string): Promise<void> {
    this.#take().reject(new Error(why));
    await settled();
  }

  get last(): StoreEvent | undefined {
    return this.events.at(-1);
  }

  get inEffect(): string | undefined {
    return this.store.state.set?.version;
  }
}

/** Sets are built in slices. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

test('of the snapshots that come while one is read, only the newest is', deadline, async (t) => {
  const stand = new Stand(t);
  for (const version of ['1', '2', '3', '4']) stand.source.tell(version);
  await stand.answer(policy('a'));
  await stand.answer(policy('a'));
  assert.deepEqual(stand.asked, ['1', '4']);
  assert.equal(stand.inEffect, '4');
  assert.equal(stand.store.state.accepted, 2);
  await stand.store.first;
});

test('a set that is refused changes nothing, and is told to whom it concerns', deadline, async (t) => {
  const stand = new Stand(t);
  stand.source.tell('1');
  await stand.answer(policy('a'));
  stand.source.tell('2');
  await stand.refuse('2:1:1: spec: is missing; add it');
  assert.equal(stand.inEffect, '1');
  assert.equal(stand.swapped.length, 1);
  assert.deepEqual(stand.last, {
    kind: 'refused',
    version: '2',
    problems: ['2:1:1: spec: is missing; add it'],
  });
  assert.deepEqual(stand.store.state.problems, ['2:1:1: spec: is missing; add it']);
  assert.deepEqual(stand.source.outcomes, [
    { version: '1', accepted: true, problems: new Map() },
    { version: '2', accepted: false, problems: new Map([['2', ['2:1:1: spec: is missing; add it']]]) },
  ]);
  stand.source.tell('3');
  await stand.answer(policy('a'));
  assert.deepEqual(stand.store.state.problems, []);
  assert.equal(stand.store.state.refused, 1);
});

test('what a set lacks of secrets refuses it at its place', deadline, async (t) => {
  const stand = new Stand(t);
  stand.source.tell('1');
  const value = { kind: 'env', variable: 'SLUICE_SECRET_X' } as const;
  await stand.answer(policy('a', { headers: { set: [{ name: 'x-key', value }], remove: [] } }));
  assert.match(stand.store.state.problems[0] ?? '', /^a\.yaml:1:1: spec\.headers\.set\[0\]: /);
  assert.deepEqual([...(stand.source.outcomes[0]?.problems.keys() ?? [])], ['a.yaml']);
  assert.equal(stand.inEffect, undefined);
});

test(
  'a set that could not be read is read again, though its source never says it twice',
  deadline,
  async (t) => {
    const stand = new Stand(t);
    stand.source.tell('1');
    await stand.answer(policy('a'));
    stand.source.tell('2');
    const waits: number[] = [];
    for (let time = 0; time < 7; time++) {
      await stand.fail('the reader of policies ended (1)');
      assert.ok(stand.last?.kind === 'unread');
      const { retry } = stand.last;
      waits.push(retry);
      assert.equal(stand.inEffect, '1');
      assert.match(stand.store.state.problems[0] ?? '', /can't be read: .*ended \(1\)/);
      const before = stand.asked.length;
      t.mock.timers.tick(retry - 1);
      assert.equal(stand.asked.length, before);
      t.mock.timers.tick(1);
      assert.equal(stand.asked.length, before + 1);
    }
    assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    assert.equal(stand.store.state.refused, 0, 'nobody has said that it is wrong');
    assert.equal(stand.source.outcomes.length, 1);
    await stand.answer(policy('b'));
    assert.equal(stand.inEffect, '2');
    assert.deepEqual(stand.store.state.problems, []);
  },
);

test('a newer set is read at once, and what could not be read is forgotten', deadline, async (t) => {
  const stand = new Stand(t);
  stand.source.tell('1');
  await stand.fail('ended');
  stand.source.tell('2');
  await stand.answer(policy('a'));
  t.mock.timers.tick(60_000);
  assert.deepEqual(stand.asked, ['1', '2']);
  assert.equal(stand.inEffect, '2');
});

test('what came while a reading failed is read at once', deadline, async (t) => {
  const stand = new Stand(t);
  stand.source.tell('1');
  stand.source.tell('2');
  await stand.fail('ended');
  await stand.answer(policy('a'));
  assert.deepEqual(stand.asked, ['1', '2']);
  assert.deepEqual(
    stand.events.map(({ kind }) => kind),
    ['accepted'],
  );
});

test('an emptied source opens nothing: where the default allows, it is refused', deadline, async (t) => {
  const stand = new Stand(t, { fallback: 'allow' });
  stand.source.tell('1');
  await stand.answer(policy('a'));
  stand.source.tell('2');
  await stand.answer();
  assert.equal(stand.inEffect, '1');
  assert.deepEqual(stand.store.state.problems, [
    'the source holds no policies any more; with policies.default: allow that would let everything in; put a policy into it or set default: deny',
  ]);
  stand.source.tell('3');
  await stand.answer(policy('b'));
  assert.equal(stand.inEffect, '3');
});

test('an emptied source is in effect where the default denies, with a warning', deadline, async (t) => {
  const stand = new Stand(t);
  stand.source.tell('1');
  await stand.answer(policy('a'));
  stand.source.tell('2');
  await stand.answer();
  assert.equal(stand.inEffect, '2');
  assert.ok(stand.last?.kind === 'accepted');
  assert.match(stand.last.warnings.join(), /holds no policies any more.*nothing is let in/);
  // It is told once, not with each that follows.
  stand.source.tell('3');
  await stand.answer();
  assert.ok(stand.last?.kind === 'accepted');
  assert.deepEqual(stand.last.warnings, []);
});

test('a source that never held policies is a set of nothing', deadline, async (t) => {
  const stand = new Stand(t, { fallback: 'allow' });
  stand.source.tell('1');
  await stand.answer();
  assert.equal(stand.inEffect, '1');
  await stand.store.first;
});

test('a secret that is replaced makes another set of the same texts', deadline, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-store-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'key');
  writeFileSync(file, 'first\n');
  const stand = new Stand(t, { secrets: { directory, environment: {} } });
  const sending = policy('a', {
    headers: { set: [{ name: 'x-key', value: { kind: 'file', file: 'key' } }], remove: [] },
  });
  stand.source.tell('1');
  await stand.answer(sending);
  t.mock.timers.tick(2000);
  assert.deepEqual(stand.asked, ['1'], 'nothing has changed');
  writeFileSync(file, 'another\n');
  t.mock.timers.tick(2000);
  await stand.answer(sending);
  assert.deepEqual(stand.asked, ['1', '1']);
  assert.deepEqual(
    stand.swapped.map(({ policies }) => policies[0]?.headerLines),
    ['x-key: first\r\n', 'x-key: another\r\n'],
  );
  rmSync(file);
  t.mock.timers.tick(2000);
  await stand.answer(sending);
  assert.equal(stand.swapped.length, 2, 'a secret that is lost keeps what is in effect');
  assert.equal(stand.last?.kind, 'refused');
});

test(
  'a secret that changes while a newer set waits to be read again brings no older one back',
  deadline,
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-store-'));
    t.after(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'key'), 'first\n');
    const stand = new Stand(t, { secrets: { directory, environment: {} } });
    const sending = policy('a', {
      headers: { set: [{ name: 'x-key', value: { kind: 'file', file: 'key' } }], remove: [] },
    });
    stand.source.tell('1');
    await stand.answer(sending);
    stand.source.tell('2');
    for (const wait of [1000, 2000]) {
      await stand.fail('ended');
      t.mock.timers.tick(wait);
    }
    await stand.fail('ended');
    writeFileSync(join(directory, 'key'), 'another\n');
    t.mock.timers.tick(2000);
    assert.deepEqual(stand.asked, ['1', '2', '2', '2']);
    t.mock.timers.tick(2000);
    assert.equal(stand.asked.at(-1), '2');
  },
);

test('a source that can not be reached is told, and changes nothing', deadline, async (t) => {
  const stand = new Stand(t);
  stand.source.tell('1');
  await stand.answer(policy('a'));
  stand.source.say({ kind: 'unreachable', why: 'it is gone; bring it back' });
  assert.deepEqual(stand.last, { kind: 'unreachable', source: 'scripted', why: 'it is gone; bring it back' });
  assert.equal(stand.store.state.unreachable, 'it is gone; bring it back');
  assert.equal(stand.inEffect, '1');
});

test('after a close nothing is read, told or put into effect', deadline, async (t) => {
  const cases: readonly ((stand: Stand) => Promise<void>)[] = [
    (stand) => stand.answer(policy('a')),
    (stand) => stand.refuse('wrong'),
    (stand) => stand.fail('ended'),
  ];
  for (const finish of cases) {
    t.mock.timers.reset();
    const stand = new Stand(t);
    stand.source.tell('1');
    stand.source.tell('2');
    stand.store.close();
    await finish(stand);
    stand.source.tell('3');
    t.mock.timers.tick(60_000);
    assert.deepEqual(stand.asked, ['1']);
    assert.deepEqual([stand.events, stand.swapped, stand.source.outcomes], [[], [], []]);
    assert.ok(stand.source.closed);
  }
  t.mock.timers.reset();
  const waiting = new Stand(t);
  waiting.source.tell('1');
  await waiting.fail('ended');
  waiting.store.close();
  t.mock.timers.tick(60_000);
  assert.deepEqual(waiting.asked, ['1'], 'not even what was to be read again');
});
