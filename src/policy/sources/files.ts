/**
 * Policies from a file, or from a directory's `*.yaml`, `*.yml` and `*.json`, not from those below it.
 *
 * A snapshot never mixes two versions. Kubernetes swaps a ConfigMap by renaming the symlink `..data`, and adds and
 * removes the visible entries one by one before or after that (kubelet's AtomicWriter): so where there is a `..data`,
 * what it points to is read, and not the entries. Elsewhere a reading counts only if a second look shows the same
 * files, unchanged.
 */
import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  decodeText,
  gather,
  isPolicyFile,
  overBounds,
  Poller,
  type Reading,
  snapshotOf,
  type Unreachable,
  unreachable,
} from './polling.ts';
import type { PolicySource, Snapshot, SourceText } from './source.ts';
import { Watch } from './watch.ts';

export interface FilesOptions {
  /** A file or a directory; symlinks are followed. */
  readonly path: string;
  /** Between two looks where the kernel gives no notice; in milliseconds, 1000 unless told. */
  readonly interval?: number | undefined;
}

/** How long a set that changes while it is read is read again, in milliseconds. */
const patience = 1000;
/** How often in a row the same thing may be missing before it is. */
const misses = 6;
/** How long a file that was just written is given to be written on, in milliseconds. More than a kernel's tick of 4. */
const settling = 5;
/** How long a set that could be read, but is written on and on, is given in all. */
const longestSettling = 250;
/** A file changed so lately, in milliseconds, could change again without a new time of change. */
const young = 20;
/** Files open at once. */
const width = 16;
const data = '..data';

export class FilesSource implements PolicySource {
  readonly name: string;
  readonly #path: string;
  readonly #poller: Poller;
  readonly #watch: Watch;
  /** What the last snapshot was read from; empty where it must be read anew. */
  #print = '';

  constructor({ path, interval = 1000 }: FilesOptions) {
    this.name = path;
    this.#path = path;
    this.#poller = new Poller({
      read: (signal) => this.#read(signal),
      forget: () => {
        this.#print = '';
      },
      pause: () => interval,
    });
    this.#watch = new Watch(() => this.#poller.hurry());
  }

  start(onSnapshot: (snapshot: Snapshot) => void): void {
    this.#poller.start(onSnapshot);
  }

  close(): void {
    this.#poller.close();
    this.#watch.close();
  }

  async #read(signal: AbortSignal): Promise<Reading> {
    const begun = performance.now();
    let stable: Snapshot | undefined;
    let missing = '';
    let missed = 0;
    while (!signal.aborted && performance.now() - begun < (stable ? longestSettling : patience)) {
      const seen = await look(this.#path);
      if (seen.kind === 'unreachable') return seen;
      if (seen.kind === 'moving') continue;
      if (seen.kind === 'missing') {
        missed = seen.why === missing ? missed + 1 : 1;
        missing = seen.why;
        if (missed === misses) return unreachable(missing);
        await sleep(settling);
        continue;
      }
      if (signal.aborted) break;
      // What has changed before it was watched is seen by looking once more.
      if (this.#watch.aim(seen.identity, watchTargets(this.#path, seen))) continue;
      missing = '';
      if (seen.print === this.#print) return { kind: 'unchanged' };
      const texts = await readTexts(seen);
      // What is behind `..data` is never changed, only removed: all of it could be read, so it is whole.
      if (texts === 'moving' || !(seen.swapped || (await isStill(this.#path, seen)))) continue;
      if ('kind' in texts) return texts;
      stable = snapshotOf(texts);
      const isYoung = Date.now() - seen.changed < young;
      this.#print = isYoung && !seen.swapped ? '' : seen.print;
      if (!isYoung || seen.swapped) return stable;
      // In place, a file is written in steps.
      await sleep(settling);
      if (await isStill(this.#path, seen)) return stable;
    }
    return (
      stable ??
      unreachable(
        `${this.#path} keeps changing while it is read; write files aside and rename them into place`,
      )
    );
  }
}

interface SeenFile {
  readonly name: string;
  readonly real: string;
  readonly size: number;
}

interface Seen {
  readonly kind: 'seen';
  /** Which directory or file `path` means at present. */
  readonly identity: string;
  /** Everything of the files that changes when they do. */
  readonly print: string;
  readonly files: readonly SeenFile[];
  readonly directory: boolean;
  /** Read from behind `..data`. */
  readonly swapped: boolean;
  /** When the last of the files changed, in milliseconds since 1970. */
  readonly changed: number;
}

type Look =
  | Seen
  | Unreachable
  /** Perhaps for a moment only. */
  | { readonly kind: 'missing'; readonly why: string }
  /** It was swapped between two calls. */
  | { readonly kind: 'moving' };

async function look(path: string): Promise<Look> {
  try {
    const top = await realpath(path);
    const topStats = await stat(top, { bigint: true });
    const directory = topStats.isDirectory();
    const root = directory ? await behindData(top) : top;
    const names = directory ? (await readdir(root)).filter(isPolicyFile).sort() : [''];
    const swapped = root !== top;
    // Swapped before it was listed, it may have been listed while it was removed.
    if (swapped && (await behindData(top)) !== root) return { kind: 'moving' };
    const tooMany = overBounds(names.map((name) => ({ name, size: 0 })));
    if (tooMany !== undefined) return unreachable(`${path}: ${tooMany}`);
    const all = await gather(names, width, async (name) => {
      const real = join(root, name);
      return { name: directory ? join(path, name) : path, real, stats: await stat(real, { bigint: true }) };
    });
    const regular = all.filter(({ stats }) => stats.isFile());
    if (!directory && regular.length === 0) {
      return unreachable(`${path} is neither a file nor a directory; name one of these`);
    }
    const files = regular.map(({ name, real, stats }) => ({ name, real, size: Number(stats.size) }));
    const tooLarge = overBounds(files);
    if (tooLarge !== undefined) return unreachable(`${path}: ${tooLarge}`);
    return {
      kind: 'seen',
      identity: `${top} ${topStats.dev} ${topStats.ino} ${topStats.birthtimeNs}`,
      print: [
        root,
        ...regular.map(
          ({ real, stats: s }) => `${real} ${s.dev} ${s.ino} ${s.size} ${s.mtimeNs} ${s.ctimeNs}`,
        ),
      ].join('\n'),
      files,
      directory,
      swapped,
      changed: regular.reduce((latest, { stats }) => Math.max(latest, Number(stats.ctimeMs)), 0),
    };
  } catch (error) {
    return explain(error, path);
  }
}

/** The directory that Kubernetes shows at present, or `directory` itself where it is not of that kind. */
async function behindData(directory: string): Promise<string> {
  try {
    return await realpath(join(directory, data));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return directory;
    throw error;
  }
}

async function isStill(path: string, before: Seen): Promise<boolean> {
  const after = await look(path);
  return after.kind === 'seen' && after.print === before.print;
}

async function readTexts({ files }: Seen): Promise<SourceText[] | Unreachable | 'moving'> {
  try {
    const read = await gather(files, width, async (file) => ({ file, bytes: await readExactly(file) }));
    const texts: SourceText[] = [];
    for (const { file, bytes } of read) {
      if (bytes === undefined) return 'moving';
      const text = decodeText(bytes);
      if (text === undefined) return unreachable(`${file.name} is not UTF-8; save it as UTF-8`);
      texts.push({ name: file.name, text });
    }
    return texts;
  } catch (error) {
    const failed = explain(error, '');
    return failed.kind === 'missing' ? 'moving' : failed;
  }
}

/** Undefined where the file has no longer the size that was seen. */
async function readExactly({ real, size }: SeenFile): Promise<Uint8Array | undefined> {
  // Were it a pipe by now, opening it would wait for a writer.
  await using file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
  const bytes = Buffer.allocUnsafe(size + 1);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length === size ? bytes.subarray(0, size) : undefined;
}

function watchTargets(path: string, seen: Seen) {
  const parent = {
    directory: dirname(path),
    concerns: (name: string) => name === basename(path) || name === data,
  };
  if (!seen.directory) return [parent];
  const inside = { directory: path, concerns: (name: string) => name === data || isPolicyFile(name) };
  // The path itself may be the symlink that is swapped.
  return seen.identity.startsWith(`${resolve(path)} `) ? [inside] : [inside, parent];
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function explain(error: unknown, path: string): Extract<Look, { why: string }> {
  const code = codeOf(error);
  const where = error instanceof Error && 'path' in error ? String(error.path) : path;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return {
      kind: 'missing',
      why: `${where} does not exist; create it, or correct the path in policies.sources`,
    };
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return unreachable(
      `${where} may not be read; give the user of this process (uid ${process.getuid?.()}) the right to`,
    );
  }
  return unreachable(`${where} can not be read (${code || String(error)}); check the file system`);
}
