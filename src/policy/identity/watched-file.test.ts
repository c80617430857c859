import assert from 'node:assert/strict';
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
import { afterEach, beforeEach, describe, it } from 'node:test';
import { sleep, until } from '../../../test/support/deadline.ts';
import { type IdentityEvent, wrong } from './taken.ts';
import { WatchedFile } from './watched-file.ts';

describe('a watched file', () => {
  let folder: string;
  let file: string;
  let texts: string[];
  let troubles: string[];
  let read: IdentityEvent[];
  const opened: WatchedFile[] = [];
  const open = async () => {
    const accept = (text: string) => {
      if (text.startsWith('bad')) return wrong('line 1: it is bad');
      texts.push(text);
      return { kind: 'taken', entries: text.length, same: false } as const;
    };
    const tell = (event: IdentityEvent) => {
      if (event.kind === 'trouble') troubles.push(event.why);
      else read.push(event);
    };
    const watched = await WatchedFile.open({ file, accept, tell }, 20);
    opened.push(watched);
    return watched;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-watched-'));
    file = join(folder, 'users');
    texts = [];
    troubles = [];
    read = [];
  });
  afterEach(() => {
    for (const watched of opened.splice(0)) watched.close();
    rmSync(folder, { recursive: true });
  });

  /** Whole at once: a file that is written in place can be looked at in the middle of it. */
  const replaceFile = (text: string): void => {
    writeFileSync(`${file}.next`, text);
    renameSync(`${file}.next`, file);
  };

  it('is taken in at start, or the start fails and says why', async () => {
    await assert.rejects(open(), { message: `${file}: unreadable: ENOENT` });
    writeFileSync(file, 'bad');
    await assert.rejects(open(), { message: `${file}: line 1: it is bad` });
    writeFileSync(file, 'one');
    truncateSync(file, 5 * 1024 * 1024);
    await assert.rejects(open(), /larger than 4194304 bytes/);
    writeFileSync(file, 'one');
    await open();
    assert.deepEqual(texts, ['one']);
  });

  it('is taken in again once it has changed, and only then', async () => {
    writeFileSync(file, 'one');
    await open();
    await sleep(100);
    assert.deepEqual(texts, ['one']);
    replaceFile('two');
    await until('the change', () => texts.includes('two'));
    // As editors save: a new file in the place of the old one.
    writeFileSync(`${file}.new`, 'three');
    renameSync(`${file}.new`, file);
    await until('the replacement', () => texts.includes('three'));
    assert.deepEqual(troubles, []);
  });

  it("follows the swaps of symbolic links that make a Secret's update", async () => {
    for (const version of ['v1', 'v2']) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'users'), version);
    }
    symlinkSync('v1', join(folder, '..data'));
    symlinkSync('..data/users', file);
    await open();
    symlinkSync('v2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await until('the swap', () => texts.includes('v2'));
    assert.deepEqual(texts, ['v1', 'v2']);
  });

  it('that turned bad or vanished is told once, and what was taken in stays until it is good again', async () => {
    writeFileSync(file, 'one');
    const watched = await open();
    replaceFile('bad one');
    await until('the trouble', () => troubles.length === 1);
    await sleep(80);
    rmSync(file);
    await until('the other trouble', () => troubles.length === 2);
    await sleep(80);
    assert.deepEqual(
      troubles,
      ['line 1: it is bad', 'unreadable: ENOENT'].map(
        (why) => `${file}: ${why}; what it said before stays in force`,
      ),
    );
    assert.deepEqual(texts, ['one']);
    replaceFile('two');
    await until('it is good again', () => texts.includes('two'));
    const first = { kind: 'read', source: file, entries: 3, recovered: false };
    assert.deepEqual(read, [first, { ...first, recovered: true }], 'the end of the trouble is told once');
    watched.close();
    writeFileSync(file, 'three');
    await sleep(80);
    assert.deepEqual([texts, troubles.length], [['one', 'two'], 2]);
  });
});
