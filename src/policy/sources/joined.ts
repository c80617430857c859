/** Several sources as one. A source that can not be read keeps what it said last; the others go on changing. */
import { createHash } from 'node:crypto';
import type { Outcome, PolicySource, Snapshot, SourceText } from './source.ts';

/** How one source fares, for `/readyz` and the log. */
export interface SourceState {
  readonly name: string;
  /** Its last reading succeeded. */
  readonly reachable: boolean;
  /** Only where it is not reachable. */
  readonly why?: string;
  /** Of what it said last; undefined while it has never been read. */
  readonly version?: string;
  /** When it became reachable, or ceased to be; in milliseconds since 1970. */
  readonly since: number;
}

interface Part {
  readonly source: PolicySource;
  /** It has been read, or has said that it can not be. */
  spoken: boolean;
  read: Extract<Snapshot, { kind: 'read' }> | undefined;
  state: SourceState;
}

/** What of each source went into a snapshot. */
type Composition = readonly {
  readonly source: PolicySource;
  readonly version: string;
  readonly names: readonly string[];
}[];

/** Snapshots whose outcome may still come; the oldest is given up, since later ones have come since. */
const maxPending = 64;

export class JoinedSource implements PolicySource {
  readonly name: string;
  readonly #parts: readonly Part[];
  readonly #onState: (state: SourceState) => void;
  readonly #pending = new Map<string, Composition>();
  #onSnapshot: (snapshot: Snapshot) => void = () => {};
  #told = '';
  #closed = false;

  /** `onState` is told when a source is read for the first time, is lost, is lost for another reason, is back. */
  constructor(sources: readonly PolicySource[], onState: (state: SourceState) => void = () => {}) {
    this.name = sources.map(({ name }) => name).join(', ');
    this.#onState = onState;
    this.#parts = sources.map((source) => ({
      source,
      spoken: false,
      read: undefined,
      state: { name: source.name, reachable: false, why: 'it has not been read yet', since: Date.now() },
    }));
  }

  start(onSnapshot: (snapshot: Snapshot) => void): void {
    this.#onSnapshot = onSnapshot;
    // Without sources there is nothing to wait for.
    if (this.#parts.length === 0) this.#tell();
    for (const part of this.#parts) part.source.start((snapshot) => this.#take(part, snapshot));
  }

  /** In the order of the sources. */
  states(): readonly SourceState[] {
    return this.#parts.map(({ state }) => state);
  }

  /** Each source hears of its own version and its own names. */
  report({ version, accepted, problems }: Outcome): void {
    const composition = this.#pending.get(version);
    if (!composition) return;
    // What came before it was overtaken. It may be judged again itself: a secret that it names can change.
    for (const pending of [...this.#pending.keys()]) {
      if (pending === version) break;
      this.#pending.delete(pending);
    }
    for (const { source, version, names } of composition) {
      const own = new Set(names);
      source.report?.({
        version,
        accepted,
        problems: new Map([...problems].filter(([name]) => own.has(name))),
      });
    }
  }

  close(): void {
    this.#closed = true;
    for (const { source } of this.#parts) source.close();
  }

  #take(part: Part, snapshot: Snapshot): void {
    if (this.#closed) return;
    const before = part.state;
    const news = !part.spoken || snapshot.kind === 'unreachable' || !before.reachable;
    part.spoken = true;
    if (snapshot.kind === 'read') part.read = snapshot;
    const reachable = snapshot.kind === 'read';
    part.state = {
      name: part.source.name,
      reachable,
      ...(snapshot.kind === 'unreachable' && { why: snapshot.why }),
      ...(part.read && { version: part.read.version }),
      since: reachable === before.reachable ? before.since : Date.now(),
    };
    if (news) this.#onState(part.state);
    this.#tell();
  }

  /** Once every source has spoken, what they say together; the same thing once. */
  #tell(): void {
    if (!this.#parts.every(({ spoken }) => spoken)) return;
    const unread = this.#parts.filter(({ read }) => !read);
    if (unread.length > 0) {
      const why = unread.map(({ state }) => state.why).join('; ');
      if (this.#isNews(`unreachable ${why}`)) this.#onSnapshot({ kind: 'unreachable', why });
      return;
    }
    const hash = createHash('sha256');
    const texts: SourceText[] = [];
    const composition: Composition[number][] = [];
    for (const { source, read } of this.#parts) {
      if (!read) continue;
      hash.update(`${read.version}\n`);
      texts.push(...read.texts);
      composition.push({ source, version: read.version, names: read.texts.map(({ name }) => name) });
    }
    const version = hash.digest('hex');
    if (!this.#isNews(`read ${version}`)) return;
    this.#remember(version, composition);
    this.#onSnapshot({ kind: 'read', texts, version });
  }

  #isNews(told: string): boolean {
    if (told === this.#told) return false;
    this.#told = told;
    return true;
  }

  #remember(version: string, composition: Composition): void {
    this.#pending.delete(version);
    this.#pending.set(version, composition);
    const oldest = this.#pending.keys().next();
    if (this.#pending.size > maxPending && !oldest.done) this.#pending.delete(oldest.value);
  }
}
