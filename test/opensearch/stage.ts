/** What each test stands on: one server, Sluice before it, and documents to send. */
import { after, before, describe, test } from 'node:test';
import { type Choice, type ServerKind, servers } from './catalogue.ts';
import { type Digest, type Document, digestOf, documents } from './documents.ts';
import { createIndex, deleteIndex } from './http.ts';
import { chooseServer } from './java.ts';
import { type SearchServer, type ServerOptions, startServer } from './servers.ts';
import { type Sluice, startSluice } from './sluice.ts';

export class Stage {
  readonly kind: ServerKind;
  #server: SearchServer | undefined;
  #sluice: Sluice | undefined;
  #indices = 0;

  constructor(kind: ServerKind) {
    this.kind = kind;
  }

  async raise(options: ServerOptions): Promise<void> {
    this.#server = await startServer(options);
    this.#sluice = await startSluice(this.#server.url);
  }

  async strike(): Promise<void> {
    try {
      await this.#sluice?.stop();
    } finally {
      await this.#server?.stop();
    }
  }

  get sluice(): Sluice {
    if (!this.#sluice) throw new Error('the stage is not up');
    return this.#sluice;
  }

  /** The server's own address. */
  get direct(): string {
    if (!this.#server) throw new Error('the stage is not up');
    return this.#server.url;
  }

  /** What the server has registered, and which server it is. */
  get registered(): { readonly server: string; readonly routes: string } {
    if (!this.#server) throw new Error('the stage is not up');
    return { server: this.#server.name, routes: this.#server.routes };
  }

  /** Runs `body` with a new index, made and deleted behind the proxy's back. */
  async withIndex<T>(body: (index: string) => Promise<T>): Promise<T> {
    const index = `parcels-${++this.#indices}`;
    await createIndex(this.direct, index);
    try {
      return await body(index);
    } finally {
      await deleteIndex(this.direct, index);
    }
  }
}

export interface StageOptions {
  readonly title: string;
  readonly heap: string;
  readonly settings?: Readonly<Record<string, string>>;
}

/** The cases, run against the server of that choice; one skipped test where no Java here can run it. */
export function onStage(choice: Choice, options: StageOptions, cases: (stage: Stage) => void): void {
  const chosen = chooseServer(choice);
  if (!chosen) {
    test(`${choice}, ${options.title}`, { skip: 'no Java on this machine is new enough for it' });
    return;
  }
  const kind = servers[chosen.name];
  describe(`${chosen.name} (${kind.version}), ${options.title}`, () => {
    const stage = new Stage(kind);
    const { heap, settings } = options;
    before(() => stage.raise({ ...chosen, heap, ...(settings ? { settings } : {}) }));
    after(() => stage.strike());
    cases(stage);
  });
}

export interface Corpus {
  readonly documents: readonly Document[];
  readonly digest: Digest;
}

const corpora = new Map<number, Corpus>();

/** Documents whose `_bulk` body is of so many megabytes (10^6 bytes), at most 8 KB less. */
export function corpus(megabytes: number): Corpus {
  let made = corpora.get(megabytes);
  if (!made) {
    const all = documents(megabytes, megabytes * 1_000_000);
    made = { documents: all, digest: digestOf(all) };
    corpora.set(megabytes, made);
  }
  return made;
}
