import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from '../../../test/support/deadline.ts';
import { Listener, textsOf } from '../../../test/support/snapshots.ts';
import { FilesSource } from './files.ts';
import { bounds } from './polling.ts';
import type { Snapshot } from './source.ts';

const deadline = { timeout: patience };

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-files-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function listen(t: TestContext, path: string, interval = 1000): Listener {
  const source = new FilesSource({ path, interval });
  t.after(() => source.close());
  return new Listener(source);
}

/** As the kubelet does it: a new directory, the entries, the swap of `..data`, the entries that are gone. */
class ConfigMap {
  readonly path: string;
  #version = 0;
  #names: readonly string[] = [];

  constructor(path: string) {
    this.path = path;
  }

  show(files: Readonly<Record<string, string>>): void {
    const at = (name: string) => join(this.path, name);
    const old = `..version-${this.#version++}`;
    const shown = `..version-${this.#version}`;
    mkdirSync(at(shown));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(at(shown), name), text);
    symlinkSync(shown, at('..data_tmp'));
    renameSync(at('..data_tmp'), at('..data'));
    const names = Object.keys(files);
    for (const name of names.filter((one) => !this.#names.includes(one)))
      symlinkSync(join('..data', name), at(name));
    for (const name of this.#names.filter((one) => !names.includes(one))) rmSync(at(name));
    this.#names = names;
    rmSync(at(old), { recursive: true, force: true });
  }
}

test('a directory is its visible policy files in order, without those below it', deadline, async (t) => {
  const path = folder(t);
  for (const name of ['b.yaml', 'a.yml', 'c.json', '.hidden.yaml', 'notes.txt', 'd.yaml~'])
    writeFileSync(join(path, name), name);
  mkdirSync(join(path, 'below.yaml'));
  writeFileSync(join(path, 'below.yaml', 'e.yaml'), 'e');
  symlinkSync(join(path, 'notes.txt'), join(path, 'linked.yaml'));
  const snapshot = await listen(t, path).read();
  assert.deepEqual(
    snapshot.texts.map(({ name, text }) => [name, text]),
    [
      [join(path, 'a.yml'), 'a.yml'],
      [join(path, 'b.yaml'), 'b.yaml'],
      [join(path, 'c.json'), 'c.json'],
      [join(path, 'linked.yaml'), 'notes.txt'],
    ],
  );
});

test('an empty directory is a set of nothing', deadline, async (t) => {
  assert.deepEqual((await listen(t, folder(t)).read()).texts, []);
});

test('one file is read whatever its name is', deadline, async (t) => {
  const path = join(folder(t), 'policies');
  writeFileSync(path, 'one');
  const listener = listen(t, path, 60_000);
  assert.deepEqual(textsOf(await listener.read()), { [path]: 'one' });
  writeFileSync(`${path}.new`, 'two');
  renameSync(`${path}.new`, path);
  assert.deepEqual(textsOf(await listener.read(1)), { [path]: 'two' });
});

test(
  'what is missing is told with the fix, found when it appears, lost when it goes',
  deadline,
  async (t) => {
    const path = join(folder(t), 'later');
    const listener = listen(t, path, 20);
    assert.match(await listener.why(), /later does not exist; create it/);
    mkdirSync(path);
    writeFileSync(join(path, 'a.yaml'), 'a');
    await listener.until((snapshot) => snapshot.kind === 'read' && snapshot.texts.length === 1);
    const heard = listener.heard.length;
    rmSync(path, { recursive: true });
    assert.match(await listener.why(heard), /later does not exist/);
    mkdirSync(path);
    writeFileSync(join(path, 'a.yaml'), 'a');
    await listener.until((snapshot) => snapshot.kind === 'read' && snapshot.texts.length === 1, heard);
  },
);

test('a change is seen by polling alone where the kernel gives no notice', deadline, async (t) => {
  const path = folder(t);
  const release = (name: string) => {
    mkdirSync(join(path, name));
    mkdirSync(join(path, name, 'policies'));
    writeFileSync(join(path, name, 'policies', 'a.yaml'), name);
    symlinkSync(name, join(path, 'next'));
    renameSync(join(path, 'next'), join(path, 'current'));
  };
  release('one');
  // The symlink is in the middle of the path: no directory that is watched changes.
  const listener = listen(t, join(path, 'current', 'policies'), 50);
  assert.deepEqual(Object.values(textsOf(await listener.read())), ['one']);
  release('two');
  assert.deepEqual(Object.values(textsOf(await listener.read(1))), ['two']);
});

test('a change of equal length within one tick of the clock is not missed', deadline, async (t) => {
  const path = join(folder(t), 'a.yaml');
  writeFileSync(path, '0000');
  const listener = listen(t, path, 20);
  await listener.read();
  for (let turn = 1; turn <= 50; turn++) {
    const text = `${turn}`.padStart(4, '0');
    writeFileSync(path, 'xxxx');
    writeFileSync(path, text);
    await listener.until((snapshot) => textsOf(snapshot)[path] === text);
  }
});

test('the same content written again is not told again', deadline, async (t) => {
  const path = folder(t);
  writeFileSync(join(path, 'a.yaml'), 'a');
  const listener = listen(t, path, 20);
  await listener.read();
  for (let turn = 0; turn < 5; turn++) {
    writeFileSync(join(path, 'new'), 'a');
    renameSync(join(path, 'new'), join(path, 'a.yaml'));
    await sleep(30);
  }
  assert.equal(listener.heard.length, 1);
});

/** What was read. On a machine so loaded that a set changes faster than it can be read, that is all there may be besides. */
function readOf({ heard }: Listener): Snapshot[] {
  const read = heard.filter(({ kind }) => kind === 'read');
  for (const one of heard) if (one.kind === 'unreachable') assert.match(one.why, /keeps changing/);
  assert.ok(read.length > 2, `${read.length} were read`);
  return read;
}

const isOf = (version: number) => (snapshot: Snapshot) =>
  snapshot.kind === 'read' && snapshot.texts[0]?.text === `${version}`;

test(
  'of a ConfigMap swapped 100 times a second, only whole versions are seen, and the last one arrives',
  deadline,
  async (t) => {
    const map = new ConfigMap(folder(t));
    // Each version has another file besides those that all have, and each file says of which version it is.
    const files = (version: number) =>
      Object.fromEntries([...Array(8).keys(), 100 + (version % 3)].map((at) => [`${at}.yaml`, `${version}`]));
    map.show(files(0));
    const listener = listen(t, map.path, 60_000);
    await listener.read();
    const shown = [0];
    const begun = performance.now();
    let version = 0;
    while (performance.now() - begun < 2000) {
      map.show(files(++version));
      shown.push(performance.now());
      await sleep(Math.max(0, begun + version * 10 - performance.now()));
    }
    await listener.until(isOf(version));
    const lags = readOf(listener).map((snapshot) => {
      const texts = textsOf(snapshot);
      const seen = Number(texts[join(map.path, '0.yaml')]);
      const whole = Object.entries(files(seen)).map(([name, text]) => [join(map.path, name), text]);
      assert.deepEqual(texts, Object.fromEntries(whole));
      return listener.times[listener.heard.indexOf(snapshot)]! - shown[seen]!;
    });
    const lag = lags.slice(1).sort((one, other) => one - other)[lags.length >> 1];
    t.diagnostic(`${version} swaps, ${lags.length} seen, ${lag?.toFixed(1)} ms after the swap in the middle`);
  },
);

test('a directory swapped by a symlink is never seen as a mix', deadline, async (t) => {
  const path = folder(t);
  const current = join(path, 'current');
  const release = (version: number) => {
    const name = join(path, `release-${version}`);
    mkdirSync(name);
    for (let at = 0; at < 8; at++) writeFileSync(join(name, `${at}.yaml`), `${version}`);
    symlinkSync(name, join(path, 'next'));
    renameSync(join(path, 'next'), current);
    rmSync(join(path, `release-${version - 1}`), { recursive: true, force: true });
  };
  release(0);
  const listener = listen(t, current, 60_000);
  await listener.read();
  const begun = performance.now();
  let version = 0;
  while (performance.now() - begun < 2000) {
    release(++version);
    await sleep(Math.max(0, begun + version * 10 - performance.now()));
  }
  await listener.until(isOf(version));
  for (const snapshot of readOf(listener)) {
    const texts = Object.values(textsOf(snapshot));
    assert.equal(texts.length, 8);
    assert.equal(new Set(texts).size, 1);
  }
});

test('a file written in place is not seen half written', deadline, async (t) => {
  const path = join(folder(t), 'a.yaml');
  const text = (version: number) => `${version}\n`.repeat(1000);
  writeFileSync(path, text(0));
  const listener = listen(t, path, 60_000);
  await listener.read();
  for (let version = 1; version <= 25; version++) {
    const whole = text(version);
    truncateSync(path, 0);
    await sleep(1);
    writeFileSync(path, whole.slice(0, 100), { flag: 'a' });
    await sleep(1);
    writeFileSync(path, whole.slice(100), { flag: 'a' });
    await sleep(20);
  }
  await listener.until((snapshot) => textsOf(snapshot)[path] === text(25));
  for (const snapshot of listener.heard) {
    const seen = textsOf(snapshot)[path] ?? '';
    assert.equal(seen, text(Number.parseInt(seen, 10)));
  }
});

test(
  'what is too large, too many, not UTF-8 or no file at all is refused with its reason',
  deadline,
  async (t) => {
    const path = folder(t);
    const listener = listen(t, path, 20);
    await listener.read();
    const turn = async (put: () => void, why: RegExp) => {
      const from = listener.heard.length;
      put();
      await listener.until((snapshot) => snapshot.kind === 'unreachable' && why.test(snapshot.why), from);
      for (const name of ['a.yaml', 'b.yaml', 'many'])
        rmSync(join(path, name), { force: true, recursive: true });
      execFileSync('find', [path, '-name', '*.yaml', '-delete']);
      await listener.until(({ kind }) => kind === 'read', listener.heard.length - 1);
    };
    await turn(
      () => writeFileSync(join(path, 'a.yaml'), Buffer.alloc(bounds.fileBytes + 1, 97)),
      /a\.yaml is larger than 1 MiB; split/,
    );
    await turn(() => writeFileSync(join(path, 'a.yaml'), Buffer.from([0xc3, 0x28])), /a\.yaml is not UTF-8/);
    await turn(() => symlinkSync('nothing', join(path, 'a.yaml')), /a\.yaml does not exist/);
    await turn(() => {
      for (let at = 0; at <= bounds.files; at++) writeFileSync(join(path, `${at}.yaml`), '');
    }, /more than 4096/);
    const pipe = join(path, 'pipe');
    execFileSync('mkfifo', [pipe]);
    assert.match(await listen(t, pipe).why(), /neither a file nor a directory/);
  },
);

test('a pipe with the name of a policy is passed over, and holds nobody up', deadline, async (t) => {
  const path = folder(t);
  execFileSync('mkfifo', [join(path, 'a.yaml')]);
  writeFileSync(join(path, 'b.yaml'), 'b');
  assert.deepEqual(Object.values(textsOf(await listen(t, path).read())), ['b']);
});
