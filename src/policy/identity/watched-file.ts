/**
 * A file that is taken in whenever it changes. Looked at once a second instead of watched: Kubernetes swaps
 * symbolic links, and network file systems tell nothing.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import type { IdentityEvent, Taken } from './taken.ts';

/** Larger files are no files of hashes or keys. */
const maxBytes = 4 * 1024 * 1024;

export interface FileReader {
  readonly file: string;
  /** Takes the text in, or leaves everything as it was and tells what is wrong with it. */
  accept(text: string): Taken;
  tell(event: IdentityEvent): void;
}

export class WatchedFile {
  readonly #reader: FileReader;
  /** Of the file as it was looked at last; each state of it is told about once. */
  #stamp = '';
  /** Its last state could not be taken in. */
  #failing = false;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<string | undefined> | undefined;

  private constructor(reader: FileReader) {
    this.#reader = reader;
  }

  /** Throws where the file can't be read or taken in: at start-up there is nothing to fall back on. */
  static async open(reader: FileReader, everyMilliseconds: number): Promise<WatchedFile> {
    const watched = new WatchedFile(reader);
    const trouble = await watched.#look();
    if (trouble !== undefined) throw new Error(trouble);
    watched.#timer = setInterval(() => void watched.look(), everyMilliseconds).unref();
    return watched;
  }

  /** Looks now. What is wrong is told, and what was taken in before stays. */
  async look(): Promise<void> {
    if (this.#looking !== undefined) return;
    this.#looking = this.#look();
    const trouble = await this.#looking;
    this.#looking = undefined;
    if (trouble === undefined) return;
    this.#failing = true;
    this.#reader.tell({ kind: 'trouble', why: `${trouble}; what it said before stays in force` });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<string | undefined> {
    const { file } = this.#reader;
    try {
      const { mtimeNs, size, ino } = await stat(file, { bigint: true });
      const stamp = `${await realpath(file)} ${ino} ${mtimeNs} ${size}`;
      if (stamp === this.#stamp) return undefined;
      this.#stamp = stamp;
      if (size > maxBytes) return `${file}: larger than ${maxBytes} bytes`;
      const taken = this.#reader.accept(await readFile(file, 'utf8'));
      if (taken.kind === 'wrong') return `${file}: ${taken.wrong}`;
      const { entries, same } = taken;
      const recovered = this.#failing;
      this.#failing = false;
      if (!same || recovered) this.#reader.tell({ kind: 'read', source: file, entries, recovered });
      return undefined;
    } catch (error) {
      const stamp = `unreadable: ${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}`;
      if (stamp === this.#stamp) return undefined;
      this.#stamp = stamp;
      return `${file}: ${stamp}`;
    }
  }
}
