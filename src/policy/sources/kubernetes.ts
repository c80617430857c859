/**
 * Policies from the cluster: the `Policy` resources of one namespace, followed by list and watch, with what became of
 * them written back into their status. Needs deploy/crds/policy.yaml and the rights of deploy/rbac/policy-source.yaml.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Access,
  type Client,
  group,
  loadClient,
  openApi,
  type PolicyObject,
  version,
} from './kubernetes-api.ts';
import { type Ending, type Following, follow } from './kubernetes-follow.ts';
import { StatusWriter } from './kubernetes-status.ts';
import { bounds, type Unreachable, unreachable } from './polling.ts';
import type { Outcome, PolicySource, Snapshot, SourceText } from './source.ts';

export interface KubernetesOptions extends Access {
  /** Only policies with these labels, as kubectl's `--selector` takes it. */
  readonly labelSelector?: string | undefined;
}

/** A set is told of when nothing has changed for so long, in milliseconds: `kubectl apply` of many is one change. */
const quiet = 50;
/** And at the latest so long after the first change. */
const longest = 1000;
/** A following that held so long, in milliseconds, makes up for the failures before it. */
const steady = 10_000;

const notInstalled =
  'policies from Kubernetes need a package that is not installed; npm install @kubernetes/client-node@2.0.1';

export class KubernetesSource implements PolicySource {
  readonly name: string;
  readonly #options: KubernetesOptions;
  readonly #closing = new AbortController();
  readonly #writer: StatusWriter;
  #onSnapshot: (snapshot: Snapshot) => void = () => {};
  #following: Following | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the first change came that hasn't been told of; undefined where all have. */
  #unsaidSince: number | undefined;
  #told = '';

  /** `warn` is told of what needs an operator but keeps no policy from working. */
  constructor(options: KubernetesOptions, warn: (message: string) => void) {
    this.name = `kubernetes ${options.namespace ?? '(its own namespace)'}`;
    this.#options = options;
    this.#writer = new StatusWriter(warn, this.#closing.signal);
  }

  start(onSnapshot: (snapshot: Snapshot) => void): void {
    this.#onSnapshot = onSnapshot;
    this.#run().catch((error: unknown) =>
      this.#tell(
        unreachable(`the source failed (${String(error)}); restart the proxy and report this fault`),
      ),
    );
  }

  report(outcome: Outcome): void {
    if (this.#following) this.#writer.report(outcome, this.#following);
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
    this.#following?.stop();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const client = await loadClient();
    if (!client) return this.#tell(unreachable(notInstalled));
    for (let failures = 1; !signal.aborted; failures++) {
      const begun = performance.now();
      const why = await this.#follow(client);
      if (signal.aborted) return;
      if (why !== undefined) this.#tell(unreachable(why));
      if (performance.now() - begun > steady) failures = 1;
      await sleep(pauseAfter(failures, Math.random()), undefined, { signal }).catch(() => {});
    }
  }

  /**
   * Until it fails; each time from a new list, so that nothing depends on what was seen before. Why it failed, or
   * undefined where a watch was cut: servers restart, balancers close, and the next list says how it stands.
   */
  async #follow(client: Client): Promise<string | undefined> {
    const api = openApi(client, this.#options, this.#closing.signal);
    if ('kind' in api) return api.why;
    const ending = await new Promise<Ending | undefined>((onEnd) => {
      const onChange = () => this.#changed();
      this.#following = follow(client, api, this.#options.labelSelector, { onChange, onEnd });
    });
    clearTimeout(this.#timer);
    this.#unsaidSince = undefined;
    if (!ending) return undefined;
    const { phase, failure } = ending;
    return phase === 'watching' && failure.status === 0 ? undefined : failure.why;
  }

  #changed(): void {
    const now = performance.now();
    this.#unsaidSince ??= now;
    clearTimeout(this.#timer);
    const wait = Math.max(0, Math.min(quiet, this.#unsaidSince + longest - now));
    this.#timer = setTimeout(() => this.#show(), wait).unref();
  }

  #show(): void {
    this.#unsaidSince = undefined;
    const following = this.#following;
    if (!following) return;
    const objects = following.all();
    const snapshot = snapshotOfPolicies(objects);
    if (snapshot.kind === 'read') {
      const byName = new Map(objects.map((object) => [nameOf(object), object]));
      this.#writer.tell({ version: snapshot.version, objects: byName });
    }
    const wasAway = this.#told.startsWith('unreachable');
    this.#tell(snapshot);
    if (wasAway) this.#writer.resume(following);
  }

  /** The same thing is told once. */
  #tell(snapshot: Snapshot): void {
    const told = snapshot.kind === 'read' ? `read ${snapshot.version}` : `unreachable ${snapshot.why}`;
    if (told === this.#told || this.#closing.signal.aborted) return;
    this.#told = told;
    this.#onSnapshot(snapshot);
  }
}

/** As messages name it. */
export function nameOf({ metadata }: PolicyObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/**
 * By name. The version comes of uid and generation, which change when and only when a policy is made anew or its spec
 * changes: the status that is written back leaves it as it is.
 */
export function snapshotOfPolicies(
  objects: readonly PolicyObject[],
): Extract<Snapshot, { kind: 'read' }> | Unreachable {
  const sorted = objects.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const hash = createHash('sha256');
  const texts: SourceText[] = [];
  let length = 0;
  for (const { metadata, spec } of sorted) {
    const document = {
      apiVersion: `${group}/${version}`,
      kind: 'Policy',
      metadata: { name: metadata.name },
      spec,
    };
    const text = JSON.stringify(document, null, 2);
    length += text.length;
    if (length > bounds.totalBytes) {
      return unreachable(
        'the policies are larger than 16 MiB together; remove some, or select some by label',
      );
    }
    hash.update(`${metadata.uid} ${metadata.generation}\n`);
    texts.push({ name: `${metadata.namespace}/${metadata.name}`, text });
  }
  return { kind: 'read', texts, version: hash.digest('hex') };
}

/** Milliseconds after so many failures in a row, from a quarter of a second to ten; `chance` in [0, 1) spreads them. */
export function pauseAfter(failures: number, chance: number): number {
  return Math.min(10_000, 250 * 2 ** Math.min(failures - 1, 16)) * (0.5 + chance / 2);
}
