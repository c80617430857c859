/** One body on its way, and what its end means: for whom it is a failure, and which. */
import { type Failure, failure } from '../errors.ts';
import type { BodyRecord } from '../exchange.ts';
import type { Framing } from '../http1/framing.ts';
import type { BodyOutput, Connection, Relay, RelayEnd, RelayEndKind, RelayOptions } from '../net/contract.ts';

export interface BodyOptions {
  readonly framing: Framing;
  readonly output: BodyOutput;
  /** Milliseconds without a byte; 0 is for ever. */
  readonly stallTimeout: number;
  /** Bytes of a chunked body's trailers. */
  readonly maxTrailers: number;
  /** What it may move, and who is asked for more; undefined is no bound. */
  readonly allowance?: Allowance | undefined;
}

/** A bound on what a body may move, in all or in time. */
export interface Allowance {
  /** Bytes that may move before more is asked for. */
  readonly budget: number;
  readonly onBudget: (relay: Relay) => void;
  /** The body has ended with so many bytes moved. */
  end(moved: number): void;
}

export interface Body {
  readonly relay: Relay;
  /** Resolves when the body has ended one way or the other; the record is filled then. */
  readonly done: Promise<RelayEndKind>;
}

export function moveBody(from: Connection, to: Connection, options: BodyOptions, record: BodyRecord): Body {
  const { allowance, ...rest } = options;
  const relay = from.relay(to, allowance === undefined ? rest : { ...rest, ...bound(allowance) });
  return { relay, done: relay.done.then((end) => recordEnd(record, end, allowance)) };
}

function bound({ budget, onBudget }: Allowance): Pick<RelayOptions, 'budget' | 'onBudget'> {
  return { budget, onBudget };
}

function recordEnd(record: BodyRecord, end: RelayEnd, allowance: Allowance | undefined): RelayEndKind {
  allowance?.end(end.bytes);
  record.bytes = end.bytes;
  record.spliced = end.spliced;
  record.copied = end.copied;
  return end.kind;
}

/** What the end of a request's body tells; undefined where it is no failure, or not yet known to be one. */
export function requestBodyFailure(end: RelayEndKind): Failure | undefined {
  switch (end) {
    case 'source-end':
    case 'source-reset':
      return failure('client-gone', 'the client closed in the middle of the request body');
    case 'source-lost':
      return failure(
        'client-lost',
        "the client's host stopped acknowledging in the middle of the request body",
      );
    case 'source-malformed':
      return failure('chunk-malformed');
    case 'source-trailers-too-long':
      return failure('trailers-too-long');
    case 'source-stalled':
      return failure('body-stalled');
    case 'sink-stalled':
      return failure('upstream-not-reading');
    // A server that stops listening may have answered before: its answer, or its lack, decides.
    case 'sink-reset':
    case 'sink-lost':
    case 'complete':
    case 'stopped':
      return undefined;
  }
}

/** The same for a response's body. */
export function responseBodyFailure(end: RelayEndKind): Failure | undefined {
  switch (end) {
    case 'complete':
      return undefined;
    case 'source-end':
    case 'source-reset':
      return failure('upstream-truncated');
    case 'source-lost':
      return failure('upstream-truncated', "the upstream node's host stopped acknowledging");
    case 'source-malformed':
      return failure('upstream-body-malformed');
    case 'source-trailers-too-long':
      return failure('upstream-trailers-too-long');
    case 'source-stalled':
      return failure('upstream-stalled');
    case 'sink-reset':
      return failure('client-gone', 'the client closed in the middle of the response body');
    case 'sink-lost':
      return failure(
        'client-lost',
        "the client's host stopped acknowledging in the middle of the response body",
      );
    case 'sink-stalled':
      return failure('client-stalled');
    // Nobody stops a response's body but Sluice, when it ends.
    case 'stopped':
      return failure('shutting-down', 'the proxy closed the connection in the middle of the response body');
  }
}
