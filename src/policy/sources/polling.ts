/** What the sources that have to ask share: bounds, versions, and the loop that reads, tells and waits. */
import { createHash } from 'node:crypto';
import type { Snapshot, SourceText } from './source.ts';

/** What one source may hold. More than that is something else than policies, given by mistake. */
export const bounds = { fileBytes: 2 ** 20, totalBytes: 16 * 2 ** 20, files: 4096 } as const;

export type Unreachable = Extract<Snapshot, { kind: 'unreachable' }>;

/** `unchanged` may be said only after a snapshot that was read, with nothing unreachable since. */
export type Reading = Snapshot | { readonly kind: 'unchanged' };

export function unreachable(why: string): Unreachable {
  return { kind: 'unreachable', why };
}

/** The same names and texts in the same order have the same version, on every machine. */
export function snapshotOf(texts: readonly SourceText[]): Snapshot {
  const hash = createHash('sha256');
  for (const { name, text } of texts) {
    hash
      .update(`${Buffer.byteLength(name)} ${Buffer.byteLength(text)}\n`)
      .update(name)
      .update(text);
  }
  return { kind: 'read', texts, version: hash.digest('hex') };
}

/** By the last part of its path. Hidden ones are left to the tools that made them. */
export function isPolicyFile(name: string): boolean {
  return !name.startsWith('.') && /\.(yaml|yml|json)$/.test(name);
}

/** Why a source with so many files of so many bytes is refused; undefined where it is not. */
export function overBounds(
  files: readonly { readonly name: string; readonly size: number }[],
): string | undefined {
  if (files.length > bounds.files) {
    return `there are more than ${bounds.files} policy files; keep several policies in one file`;
  }
  const large = files.find(({ size }) => size > bounds.fileBytes);
  if (large) return `${large.name} is larger than 1 MiB; split it`;
  const total = files.reduce((sum, { size }) => sum + size, 0);
  return total > bounds.totalBytes
    ? 'the policy files are larger than 16 MiB together; remove some'
    : undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Undefined where `bytes` are not UTF-8: a replaced character could make another index of a name. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** `each` of `items`, at most `width` of them at once; the results in the order of `items`. */
export async function gather<T, R>(
  items: readonly T[],
  width: number,
  each: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const queue = items.entries();
  const work = async () => {
    for (const [at, item] of queue) results[at] = await each(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work));
  return results;
}

/** Milliseconds: `interval` give or take a tenth; doubled with each failure, to a minute at most. */
export function backOff(interval: number, failures: number): number {
  const base = Math.min(interval * 2 ** Math.min(failures, 16), Math.max(interval, 60_000));
  return base * (0.9 + Math.random() / 5);
}

export interface PollOptions {
  /** Settles soon after `signal` is aborted. */
  readonly read: (signal: AbortSignal) => Promise<Reading>;
  /** After a failure the next reading is to be whole, even if nothing has changed. */
  readonly forget?: () => void;
  /** Milliseconds to the next reading, after so many failures in a row. */
  readonly pause: (failures: number) => number;
}

/** Between two readings, however often one is asked to hurry; in milliseconds. */
const leastPause = 2;

/** Reads at once, then after each pause, or earlier when told to; never twice at the same time. */
export class Poller {
  readonly #options: PollOptions;
  readonly #closing = new AbortController();
  #onSnapshot: (snapshot: Snapshot) => void = () => {};
  #state: 'idle' | 'reading' | 'reading again' | 'waiting' | 'hurrying' = 'idle';
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #told = '';
  /** When the next reading may begin: as long after the last as that took, so that half the time is left. */
  #rested = 0;

  constructor(options: PollOptions) {
    this.#options = options;
  }

  start(onSnapshot: (snapshot: Snapshot) => void): void {
    this.#onSnapshot = onSnapshot;
    void this.#turn();
  }

  /** Something has changed: reads now, or once more after the reading that is under way. */
  hurry(): void {
    if (this.#state === 'reading') this.#state = 'reading again';
    if (this.#state === 'waiting') this.#wait('hurrying', this.#rested - performance.now());
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
    this.#state = 'idle';
  }

  async #turn(): Promise<void> {
    const { signal } = this.#closing;
    const begun = performance.now();
    this.#state = 'reading';
    const reading = await this.#options.read(signal).catch((error: unknown) => unreachable(String(error)));
    if (reading.kind === 'unreachable') this.#options.forget?.();
    if (signal.aborted) return;
    this.#failures = reading.kind === 'unreachable' ? this.#failures + 1 : 0;
    this.#tell(reading);
    // The listener may have closed us.
    if (signal.aborted) return;
    const ended = performance.now();
    this.#rested = ended + Math.max(leastPause, ended - begun);
    if (this.#isHurried()) this.#wait('hurrying', this.#rested - ended);
    else this.#wait('waiting', this.#options.pause(this.#failures));
  }

  #isHurried(): boolean {
    return this.#state === 'reading again';
  }

  #wait(state: 'waiting' | 'hurrying', milliseconds: number): void {
    this.#state = state;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#turn(), Math.max(0, milliseconds)).unref();
  }

  /** The same thing is told once. */
  #tell(reading: Reading): void {
    if (reading.kind === 'unchanged') return;
    const told = reading.kind === 'read' ? `read ${reading.version}` : `unreachable ${reading.why}`;
    if (told === this.#told) return;
    this.#told = told;
    this.#onSnapshot(reading);
  }
}
