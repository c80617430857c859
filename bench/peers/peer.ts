/** What is measured: a program that listens on one loopback port and proxies to another, with one worker. */

/** Where one process of a peer runs. */
export interface Place {
  /** Where the peers are installed. */
  readonly cache: string;
  /** The process's own directory, writable by it. */
  readonly dir: string;
  readonly port: number;
  readonly upstream: number;
  readonly admin: number;
}

export interface Command {
  readonly argv: readonly string[];
  /** Written into `Place.dir` first: name to content. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What a peer counts of itself, since its start. */
export interface Counters {
  /** Body bytes that never entered user space, and those that did. */
  readonly spliced: number;
  readonly copied: number;
  readonly systemCalls: number;
}

export interface Peer {
  /** As `--peers` takes it, and in results. */
  readonly name: string;
  /** As tables and plots show it. */
  readonly title: string;
  /** How it is set up, in a few words. */
  readonly setup: string;
  /** Measured in the first round only, with at most 32 bodies at once: a footnote, not a rival. */
  readonly brief?: boolean;
  /** Scenarios that it is measured in, by name; all unless told. */
  readonly only?: readonly string[];
  /** It takes whole bodies into files before it passes them on: a thousand of 100 MB would fill the disk. */
  readonly spools?: boolean;
  /** Descriptors it holds for an idle client connection, where that is not 1. */
  readonly descriptorsPerIdle?: number;
  /** Brings it into the cache, unless it is there. Throws with the reason where it can't. */
  install(cache: string): void;
  version(cache: string): string;
  command(place: Place): Command;
  /** Asks a running process, by its admin port. */
  counters?(admin: number): Promise<Counters>;
}
