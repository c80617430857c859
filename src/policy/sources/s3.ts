/**
 * Policies from an S3 bucket: one object, or all `*.yaml`, `*.yml` and `*.json` below a prefix.
 *
 * S3 shows many objects at one moment to nobody. A snapshot is what a listing names, each object in exactly the state
 * that was listed, and it counts only if a second listing says the same; otherwise it is read again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { backOff, gather, Poller, type Reading, snapshotOf, unreachable } from './polling.ts';
import { Bucket, type Listed, type S3Options } from './s3-bucket.ts';
import type { PolicySource, Snapshot, SourceText } from './source.ts';

/** A reading is begun so often before the bucket is said to keep changing. */
const attempts = 5;
/** Before it is begun again, in milliseconds, times the attempts so far. */
const settling = 100;
/** Objects fetched at once. */
const width = 8;

export class S3Source implements PolicySource {
  readonly name: string;
  readonly #options: S3Options;
  readonly #poller: Poller;
  #bucket: Bucket | undefined;
  /** By key and ETag, the last snapshot: an object that is still the same is not fetched again. */
  #held: ReadonlyMap<string, SourceText> = new Map();
  /** The listing of the last snapshot; empty where it must be told anew. */
  #print = '';

  constructor(options: S3Options) {
    this.#options = options;
    this.name = `s3://${options.bucket}/${'key' in options.objects ? options.objects.key : options.objects.prefix}`;
    this.#poller = new Poller({
      read: (signal) => this.#read(signal),
      forget: () => this.#forget(),
      pause: (failures) => backOff(options.interval ?? 10_000, failures),
    });
  }

  start(onSnapshot: (snapshot: Snapshot) => void): void {
    this.#poller.start(onSnapshot);
  }

  close(): void {
    this.#poller.close();
    this.#forget();
  }

  async #read(signal: AbortSignal): Promise<Reading> {
    const bucket = this.#bucket ?? (await Bucket.open(this.#options));
    if ('kind' in bucket) return unreachable(`${this.name}: ${bucket.why}`);
    this.#bucket = bucket;
    try {
      for (let attempt = 1; attempt <= attempts; attempt++) {
        const reading = await this.#attempt(bucket, signal);
        if (reading !== 'moving') return reading;
        await sleep(settling * attempt, undefined, { signal });
      }
    } catch (error) {
      return unreachable(`${this.name} can not be read: ${bucket.wording(error)}`);
    } finally {
      if (signal.aborted) bucket.close();
    }
    return unreachable(
      `${this.name} keeps changing while it is read; upload all objects, then leave them be`,
    );
  }

  async #attempt(bucket: Bucket, signal: AbortSignal): Promise<Reading | 'moving'> {
    const listed = await bucket.list(signal);
    if ('kind' in listed) return unreachable(`${this.name}: ${listed.why}`);
    const print = printOf(listed);
    if (print === this.#print) return { kind: 'unchanged' };
    const fetched = await gather(
      listed,
      width,
      async (object) => this.#held.get(identityOf(object)) ?? bucket.fetch(object, signal),
    );
    const texts: SourceText[] = [];
    const held = new Map<string, SourceText>();
    for (const [at, text] of fetched.entries()) {
      if (text === 'moving' || 'kind' in text) return text;
      texts.push(text);
      held.set(identityOf(listed[at] as Listed), text);
    }
    const again = await bucket.list(signal);
    if ('kind' in again || printOf(again) !== print) return 'moving';
    this.#held = held;
    this.#print = print;
    return snapshotOf(texts);
  }

  /** After a failure everything is begun anew, connections and credentials too. */
  #forget(): void {
    this.#bucket?.close();
    this.#bucket = undefined;
    this.#print = '';
  }
}

/** An ETag stands for a content, or for one upload of it. */
function identityOf({ key, etag }: Listed): string {
  return `${etag} ${key}`;
}

function printOf(listed: readonly Listed[]): string {
  return `listed:\n${listed.map(identityOf).join('\n')}`;
}
