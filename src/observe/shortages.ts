/**
 * What this machine has run out of, for the operator: one line of the log when it begins, one when it has ended, and
 * counts for the metrics. Between the two there may be thousands of failed calls.
 */
import type { Log } from './log.ts';

/** A call that the system refused, as net/contract.ts tells of it. */
export interface FailedCall {
  readonly transport: string;
  readonly call: string;
  /** The name of an errno, such as `EMFILE`. */
  readonly errno: string;
}

type Resource = 'descriptors' | 'ports' | 'memory' | 'permission' | 'room';

const resources: Readonly<Record<string, Resource>> = {
  EMFILE: 'descriptors',
  ENFILE: 'descriptors',
  EADDRNOTAVAIL: 'ports',
  EPERM: 'permission',
  EACCES: 'permission',
};

const begins: Readonly<Record<Resource, string>> = {
  descriptors: 'out of file descriptors: new clients wait, and no upstream connection can be opened',
  ports: 'out of local addresses and ports for upstream connections',
  memory: 'the system has no memory left for connections: they fail, or are tried again',
  permission: 'the system forbids upstream connections: a firewall, a full conntrack table, or seccomp',
  room: 'as many connections as are allowed are open: new clients wait',
};

const ends: Readonly<Record<Resource, string>> = {
  descriptors: 'file descriptors are available again',
  ports: 'local addresses and ports are available again',
  memory: 'the system has memory for connections again',
  permission: 'upstream connections are no longer forbidden',
  room: 'there is room for new clients again',
};

interface Episode {
  readonly since: number;
  failures: number;
  /** Causes that last until they are told to be over. */
  lasting: number;
  timer: NodeJS.Timeout | undefined;
}

/** An episode has ended when nothing of its kind has happened for so long, milliseconds: no line for each client. */
const quietFor = 5000;

export class Shortages {
  readonly #log: Pick<Log, 'warn' | 'info'>;
  readonly #quietFor: number;
  readonly #episodes = new Map<Resource, Episode>();
  readonly #counts = new Map<string, FailedCall & { count: number }>();

  constructor(log: Pick<Log, 'warn' | 'info'>, quiet = quietFor) {
    this.#log = log;
    this.#quietFor = quiet;
  }

  failed(call: FailedCall): void {
    const key = `${call.transport} ${call.call} ${call.errno}`;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { ...call, count: 1 });
    else known.count += 1;
    this.#begin(resources[call.errno] ?? 'memory', { ...call }, 0)();
  }

  /** A listener has as many connections as it may. What is returned says that it has fewer again. */
  full(listener: {
    readonly host: string;
    readonly port: number;
    readonly maxConnections: number;
  }): () => void {
    const { host, port, maxConnections } = listener;
    return this.#begin('room', { host, port, maxConnections }, 1);
  }

  /** Failed calls since the start, by transport, call and errno. */
  *counts(): Generator<FailedCall & { readonly count: number }> {
    yield* this.#counts.values();
  }

  #begin(resource: Resource, cause: object, lasting: 0 | 1): () => void {
    let episode = this.#episodes.get(resource);
    if (episode === undefined) {
      episode = { since: performance.now(), failures: 0, lasting: 0, timer: undefined };
      this.#episodes.set(resource, episode);
      this.#log.warn({ short: resource, ...cause }, begins[resource]);
    }
    const current = episode;
    current.failures += 1;
    current.lasting += lasting;
    return () => {
      current.lasting -= lasting;
      if (current.lasting > 0) return;
      if (current.timer !== undefined) current.timer.refresh();
      else current.timer = setTimeout(() => this.#end(resource, current), this.#quietFor).unref();
    };
  }

  #end(resource: Resource, episode: Episode): void {
    episode.timer = undefined;
    if (episode.lasting > 0) return;
    this.#episodes.delete(resource);
    const seconds = Math.round((performance.now() - episode.since) / 1000);
    this.#log.info({ short: resource, times: episode.failures, seconds }, ends[resource]);
  }
}
