/**
 * The relay that copies, over any two connections that offer bytes: one block is read, then written, then the
 * next. So it holds one block at most, and the slower side sets the pace.
 */
import { standardTrailers } from '../http1/chunked.ts';
import type { Framing } from '../http1/framing.ts';
import { type BodyCoding, bodyCoding } from './body-coding.ts';
import { BLOCK, type ByteConnection } from './bytes.ts';
import type { Counters, Relay, RelayEnd, RelayEndKind, RelayOptions } from './contract.ts';

/** The part of a connection that a relay writes to. */
type Sink = Pick<ByteConnection, 'write' | 'onBroken' | 'open' | 'lost'>;

/** Counters of the transport that the source belongs to. */
export type RelayMeter = Pick<Counters, 'relays' | 'bytesCopied'>;

/** Relays one body; `Connection.relay` says what the options mean. */
export function copyRelay(
  source: ByteConnection,
  sink: Sink,
  options: RelayOptions,
  meter: RelayMeter,
): Relay {
  return new CopyRelay(source, sink, options, meter);
}

/** Reads one body and throws it away; `Connection.discard` says how it ends. */
export function discardBody(
  source: ByteConnection,
  framing: Framing,
  limit: number,
  stallTimeout: number,
): Promise<RelayEnd> {
  const options = { framing, output: 'decoded', stallTimeout, budget: limit, onBudget: stop } as const;
  const relay = new CopyRelay(source, nowhere, options, { relays: 0, bytesCopied: 0 });
  return relay.done.then((end) => ({ ...end, copied: 0 }));
}

const stop = (relay: Relay) => relay.stop();
const nowhere: Sink = { open: true, lost: false, write: () => Promise.resolve(true), onBroken() {} };

class CopyRelay implements Relay {
  readonly done: Promise<RelayEnd>;
  readonly #source: ByteConnection;
  readonly #sink: Sink;
  readonly #meter: RelayMeter;
  readonly #coding: BodyCoding;
  readonly #onBudget: ((relay: Relay) => void) | undefined;
  #moved = 0;
  #budget: number;
  /** Whom the relay waits for: a stall is theirs. */
  #waitsFor: 'source' | 'sink' | 'grant' = 'source';
  #granted: (() => void) | undefined;
  #stall: NodeJS.Timeout | undefined;
  #ended = false;
  #resolve: (end: RelayEnd) => void;

  constructor(source: ByteConnection, sink: Sink, options: RelayOptions, meter: RelayMeter) {
    this.#source = source;
    this.#sink = sink;
    this.#meter = meter;
    this.#coding = bodyCoding(
      options.framing,
      options.output ?? 'same',
      options.maxTrailers ?? standardTrailers,
    );
    this.#budget = options.budget ?? Number.POSITIVE_INFINITY;
    this.#onBudget = options.onBudget;
    const { promise, resolve } = Promise.withResolvers<RelayEnd>();
    this.done = promise;
    this.#resolve = resolve;
    meter.relays += 1;
    sink.onBroken(() => this.#end(this.#sinkGone()));
    if (options.stallTimeout > 0) this.#stall = setTimeout(() => this.#stalled(), options.stallTimeout);
    // Not before the caller holds the relay: `onBudget` may be due at once.
    queueMicrotask(() => this.#run());
  }

  get moved(): number {
    return this.#moved;
  }

  grant(bytes: number): void {
    this.#budget += bytes;
    if (this.#budget > 0) this.#granted?.();
  }

  stop(): void {
    this.#end('stopped');
  }

  async #run(): Promise<void> {
    while (!this.#ended && !this.#coding.done) {
      if (this.#budget <= 0 && this.#coding.atData) await this.#grant();
      else await this.#step();
    }
    this.#end('complete');
  }

  /** Reads one block, writes what becomes of it. Without a budget it goes byte by byte, to stop before the data. */
  async #step(): Promise<void> {
    this.#waitsFor = 'source';
    const next = await this.#source.read(Math.min(BLOCK, this.#coding.most, Math.max(this.#budget, 1)));
    if (this.#ended) return;
    if (next.kind !== 'data') {
      this.#end(sourceEnds[next.kind === 'end' && this.#coding.untilClose ? 'whole' : next.kind]);
      return;
    }
    const piece = this.#coding.take(next.bytes);
    if (typeof piece === 'string') {
      this.#end(piece === 'malformed' ? 'source-malformed' : 'source-trailers-too-long');
      return;
    }
    if (piece.used < next.bytes.length) this.#source.unread(next.bytes.subarray(piece.used));
    if (piece.out.length === 0) return;
    this.#waitsFor = 'sink';
    const taken = await this.#sink.write(piece.out);
    if (this.#ended) return;
    if (taken) this.#count(piece.body);
    else this.#end(this.#sinkGone());
  }

  #count(bytes: number): void {
    if (bytes === 0) return;
    this.#moved += bytes;
    this.#budget -= bytes;
    this.#meter.bytesCopied += bytes;
    this.#stall?.refresh();
  }

  async #grant(): Promise<void> {
    this.#waitsFor = 'grant';
    await new Promise<void>((resolve) => {
      this.#granted = resolve;
      this.#onBudget?.(this);
    });
    this.#granted = undefined;
    if (!this.#ended) this.#stall?.refresh();
  }

  #stalled(): void {
    if (this.#waitsFor !== 'grant') this.#end(this.#waitsFor === 'sink' ? 'sink-stalled' : 'source-stalled');
  }

  #sinkGone(): RelayEndKind {
    if (!this.#sink.open) return 'stopped';
    return this.#sink.lost ? 'sink-lost' : 'sink-reset';
  }

  #end(kind: RelayEndKind): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#stall);
    this.#granted?.();
    this.#source.cancelRead();
    this.#sink.onBroken(null);
    this.#meter.relays -= 1;
    this.#resolve({ kind, bytes: this.#moved, spliced: 0, copied: this.#moved });
  }
}

const sourceEnds = {
  whole: 'complete',
  end: 'source-end',
  reset: 'source-reset',
  lost: 'source-lost',
  closed: 'stopped',
  timeout: 'source-stalled',
} as const satisfies Record<string, RelayEndKind>;
