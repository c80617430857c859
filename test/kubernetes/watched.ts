/** A source that is watched by a test: what it told of, and what it warned of. */
import { type KubernetesOptions, KubernetesSource } from '../../src/policy/sources/kubernetes.ts';
import type { Snapshot } from '../../src/policy/sources/source.ts';
import { until } from '../support/deadline.ts';

export type Read = Extract<Snapshot, { kind: 'read' }>;

export class Watched {
  readonly source: KubernetesSource;
  readonly snapshots: Snapshot[] = [];
  readonly warnings: string[] = [];

  constructor(options: KubernetesOptions) {
    this.source = new KubernetesSource(options, (message) => this.warnings.push(message));
    this.source.start((snapshot) => this.snapshots.push(snapshot));
  }

  get last(): Snapshot | undefined {
    return this.snapshots.at(-1);
  }

  /** Names of what was told of last; nothing while the API server is away. */
  get names(): readonly string[] {
    return this.last?.kind === 'read' ? this.last.texts.map(({ name }) => name.replace(/^[^/]*\//, '')) : [];
  }

  spec(name: string): unknown {
    const texts = this.last?.kind === 'read' ? this.last.texts : [];
    const found = texts.find((text) => text.name.endsWith(`/${name}`));
    return found && JSON.parse(found.text).spec;
  }

  async untilNames(...names: readonly string[]): Promise<Read> {
    await until(
      `the set ${names}`,
      () => this.last?.kind === 'read' && `${this.names}` === `${names}`,
      30_000,
    );
    return this.last as Read;
  }

  async untilUnreachable(): Promise<string> {
    await until('being told that it is unreachable', () => this.last?.kind === 'unreachable', 60_000);
    return this.last?.kind === 'unreachable' ? this.last.why : '';
  }

  /** As the store does: the whole set is refused for the problems, or accepted where there are none. */
  report(problems: Readonly<Record<string, readonly string[]>> = {}): void {
    if (this.last?.kind !== 'read') throw new Error('there is nothing to report on');
    const named = Object.entries(problems).map(([name, list]) => [`sluice/${name}`, list] as const);
    this.source.report({
      version: this.last.version,
      accepted: named.length === 0,
      problems: new Map(named),
    });
  }
}
