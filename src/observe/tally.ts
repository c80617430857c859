/**
 * What ended exchanges add up to, in plain numbers: a library's counters with labels cost 2 µs an exchange, a tenth
 * of a small request. They are handed to the library when somebody scrapes.
 */
import type { ErrorCode } from '../errors.ts';
import type { BodyRecord, Exchange } from '../exchange.ts';

/** Counts by bucket, as Prometheus's histograms are made of. */
export class Distribution {
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** By bucket, not cumulative; the last one is what lies above all bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    this.sum += value;
  }
}

/** Anything else is `other`: clients must not be able to make new series. */
const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'other'];
const statusClasses: readonly string[] = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** From a small request on loopback to an upload over a slow line, in seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600];

/** Names move from address to address for as long as the process runs: no more nodes than these are remembered. */
const maxNodes = 1000;

/** Exchanges that one node served, by transport, and by whether the connection was pooled. */
interface Served {
  readonly cluster: string;
  readonly node: string;
  readonly transport: string;
  fresh: number;
  reused: number;
  /** Exchanges at the last look for nodes that are gone. */
  seen: number;
}

export class Tally {
  readonly duration = new Distribution(bounds);
  readonly firstByte = new Distribution(bounds);
  readonly bytes = { request: { spliced: 0, copied: 0 }, response: { spliced: 0, copied: 0 } };
  readonly failures = new Map<ErrorCode, number>();
  attempts = 0;
  readonly #requests = methods.map(() => new Float64Array(statusClasses.length));
  /** By the node's address. */
  readonly #served = new Map<string, Served[]>();
  #lastServed: Served | undefined;

  add(exchange: Exchange): void {
    const { method, status, failure, firstByteAfter } = exchange;
    const row = this.#requests[methods.indexOf(method)] ?? this.#requests.at(-1);
    const column = status >= 100 && status < 600 ? Math.trunc(status / 100) : 0;
    if (row !== undefined) row[column] = (row[column] ?? 0) + 1;
    this.duration.observe(exchange.endedAfter / 1000);
    if (firstByteAfter !== undefined) this.firstByte.observe(firstByteAfter / 1000);
    addBytes(this.bytes.request, exchange.request);
    addBytes(this.bytes.response, exchange.response);
    this.attempts += exchange.attempts;
    if (exchange.node !== '') this.#serve(exchange);
    if (failure !== undefined) this.failures.set(failure.code, (this.failures.get(failure.code) ?? 0) + 1);
  }

  /** All of them from the start, but for the class of which no final answer is. */
  *requests(): Generator<{ readonly method: string; readonly status: string; readonly count: number }> {
    for (const [index, method] of methods.entries()) {
      for (const [column, status] of statusClasses.entries()) {
        const count = this.#requests[index]?.[column] ?? 0;
        if (count > 0 || status !== '1xx') yield { method, status, count };
      }
    }
  }

  /** Of each node that there is or that has served since the last call; the rest is forgotten. */
  *served(isThere: (cluster: string, node: string) => boolean): Generator<Served> {
    for (const [node, rows] of this.#served) {
      const left = rows.filter((row) => row.fresh + row.reused > row.seen || isThere(row.cluster, node));
      if (left.length === 0) this.#served.delete(node);
      else this.#served.set(node, left);
      for (const row of left) row.seen = row.fresh + row.reused;
      yield* left;
    }
    this.#lastServed = undefined;
  }

  #serve(exchange: Exchange): void {
    const { cluster, node, transport, reused } = exchange;
    const isOf = (one: Served): boolean =>
      one.node === node && one.cluster === cluster && one.transport === transport;
    const last = this.#lastServed;
    const served =
      last !== undefined && isOf(last) ? last : (this.#served.get(node)?.find(isOf) ?? this.#first(exchange));
    this.#lastServed = served;
    if (reused) served.reused += 1;
    else served.fresh += 1;
  }

  /** The first exchange of a row. The oldest node makes room: should it serve again, it counts from 0. */
  #first({ cluster, node, transport }: Exchange): Served {
    const served = { cluster, node, transport, fresh: 0, reused: 0, seen: 0 };
    const rows = this.#served.get(node);
    if (rows !== undefined) rows.push(served);
    else {
      const [oldest] = this.#served.keys();
      if (this.#served.size >= maxNodes && oldest !== undefined) this.#served.delete(oldest);
      this.#served.set(node, [served]);
    }
    return served;
  }
}

function addBytes(sum: { spliced: number; copied: number }, { spliced, copied }: BodyRecord): void {
  sum.spliced += spliced;
  sum.copied += copied;
}
