import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { patience } from '../../../test/support/deadline.ts';
import { Listener, textsOf } from '../../../test/support/snapshots.ts';
import { FilesSource } from './files.ts';
import { JoinedSource, type SourceState } from './joined.ts';
import type { Outcome, PolicySource, Snapshot } from './source.ts';

/** Says what it is told to, when it is told to. */
class Spoken implements PolicySource {
  readonly name: string;
  readonly outcomes: Outcome[] = [];
  closed = false;
  #onSnapshot: (snapshot: Snapshot) => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  start(onSnapshot: (snapshot: Snapshot) => void): void {
    this.#onSnapshot = onSnapshot;
  }

  report(outcome: Outcome): void {
    this.outcomes.push(outcome);
  }

  close(): void {
    this.closed = true;
  }

  read(version: string, ...names: string[]): void {
    this.#onSnapshot({ kind: 'read', version, texts: names.map((name) => ({ name, text: version })) });
  }

  lose(why: string): void {
    this.#onSnapshot({ kind: 'unreachable', why });
  }
}

function pair() {
  const one = new Spoken('one');
  const two = new Spoken('two');
  const told: SourceState[] = [];
  const joined = new JoinedSource([one, two], (state) => told.push(state));
  const listener = new Listener(joined);
  return { one, two, joined, told, heard: listener.heard };
}

const versionOf = (snapshot: Snapshot | undefined) =>
  snapshot?.kind === 'read' ? snapshot.version : undefined;

test('nothing is told before every source has spoken, then all texts in the order of the sources', () => {
  const { one, two, heard } = pair();
  two.read('v', 'c');
  assert.equal(heard.length, 0);
  one.read('u', 'a', 'b');
  assert.deepEqual(
    heard.map((snapshot) => Object.entries(textsOf(snapshot))),
    [
      [
        ['a', 'u'],
        ['b', 'u'],
        ['c', 'v'],
      ],
    ],
  );
});

test('a source that has never been read makes the whole unreachable, and says why', () => {
  const { one, two, heard } = pair();
  one.lose('it is gone');
  two.read('v', 'c');
  assert.deepEqual(heard, [{ kind: 'unreachable', why: 'it is gone' }]);
  two.read('w', 'c');
  assert.equal(heard.length, 1);
  one.lose('it is forbidden');
  assert.deepEqual(heard[1], { kind: 'unreachable', why: 'it is forbidden' });
  one.read('u', 'a');
  assert.deepEqual(textsOf(heard[2]), { a: 'u', c: 'w' });
});

test('a source that is lost keeps its last texts while the others change', () => {
  const { one, two, joined, heard } = pair();
  one.read('u', 'a');
  two.read('v', 'c');
  const before = Date.now();
  one.lose('the network is down');
  assert.equal(heard.length, 1);
  const [lost, other] = joined.states();
  assert.ok(lost && other && lost.since >= before && other.reachable);
  assert.deepEqual(
    { ...lost, since: 0 },
    { name: 'one', reachable: false, why: 'the network is down', version: 'u', since: 0 },
  );
  two.read('w', 'c');
  assert.deepEqual(textsOf(heard[1]), { a: 'u', c: 'w' });
  one.read('u', 'a');
  assert.equal(heard.length, 2, 'what is back the same is not told again');
  assert.equal(joined.states()[0]?.reachable, true);
});

test('the state of a source is told when it changes, not when its policies do', () => {
  const { one, two, told } = pair();
  one.read('u', 'a');
  one.read('v', 'a');
  two.lose('down');
  two.lose('forbidden');
  two.read('w', 'c');
  assert.deepEqual(
    told.map(({ name, reachable, why }) => [name, reachable, why]),
    [
      ['one', true, undefined],
      ['two', false, 'down'],
      ['two', false, 'forbidden'],
      ['two', true, undefined],
    ],
  );
});

test('two sets have the same version only if every source has its own', () => {
  const { one, two, heard } = pair();
  one.read('u', 'a');
  two.read('v', 'c');
  one.read('v', 'a');
  two.read('u', 'c');
  one.read('u', 'a');
  two.read('v', 'c');
  const versions = heard.map(versionOf);
  assert.equal(versions.length, 5);
  assert.equal(versions[0], versions[4]);
  assert.equal(new Set(versions).size, 4);
});

test('an outcome reaches each source as its own: its version, its names', () => {
  const { one, two, joined, heard } = pair();
  one.read('u', 'a', 'b');
  two.read('v', 'c');
  two.read('w', 'c', 'd');
  const problems = new Map([
    ['a', ['wrong']],
    ['d', ['worse']],
  ]);
  joined.report({ version: versionOf(heard[1]) ?? '', accepted: false, problems });
  assert.deepEqual(one.outcomes, [{ version: 'u', accepted: false, problems: new Map([['a', ['wrong']]]) }]);
  assert.deepEqual(two.outcomes, [{ version: 'w', accepted: false, problems: new Map([['d', ['worse']]]) }]);
  joined.report({ version: versionOf(heard[1]) ?? '', accepted: true, problems: new Map() });
  assert.deepEqual(
    one.outcomes[1],
    { version: 'u', accepted: true, problems: new Map() },
    'it is judged again',
  );
  joined.report({ version: versionOf(heard[0]) ?? '', accepted: true, problems });
  joined.report({ version: 'never told', accepted: true, problems });
  assert.equal(one.outcomes.length, 2, 'an outcome that was overtaken reaches nobody');
});

test('snapshots without an outcome do not pile up, and the latest still gets its own', () => {
  const { one, two, joined, heard } = pair();
  two.read('v', 'c');
  for (let version = 0; version < 1000; version++) one.read(`${version}`, 'a');
  joined.report({ version: versionOf(heard[0]) ?? '', accepted: true, problems: new Map() });
  assert.equal(one.outcomes.length, 0);
  joined.report({ version: versionOf(heard.at(-1)) ?? '', accepted: true, problems: new Map() });
  assert.deepEqual(
    one.outcomes.map(({ version }) => version),
    ['999'],
  );
});

test('after the end no source is heard, and all are closed', () => {
  const { one, two, joined, heard } = pair();
  one.read('u', 'a');
  joined.close();
  two.read('v', 'c');
  assert.equal(heard.length, 0);
  assert.ok(one.closed && two.closed);
});

test('no sources at all are a set of nothing', () => {
  assert.deepEqual(textsOf(new Listener(new JoinedSource([])).heard[0]), {});
});

test('two directories are one set, and the loss of one is survived', { timeout: patience }, async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'sluice-joined-'));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const [one, two] = [join(base, 'one'), join(base, 'two')];
  for (const path of [one, two]) {
    mkdirSync(path);
    writeFileSync(join(path, 'a.yaml'), '1');
  }
  const lost = Promise.withResolvers<void>();
  const sources = [one, two].map((path) => new FilesSource({ path, interval: 20 }));
  const joined = new JoinedSource(sources, ({ reachable }) => reachable || lost.resolve());
  t.after(() => joined.close());
  const listener = new Listener(joined);
  assert.deepEqual(Object.keys(textsOf(await listener.read())), [join(one, 'a.yaml'), join(two, 'a.yaml')]);
  rmSync(one, { recursive: true });
  await lost.promise;
  writeFileSync(join(two, 'a.yaml'), '2');
  const changed = (snapshot: Snapshot) => textsOf(snapshot)[join(two, 'a.yaml')] === '2';
  assert.equal(textsOf(await listener.until(changed))[join(one, 'a.yaml')], '1');
});
