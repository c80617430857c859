/** What `sluice check` finds of a configuration that is right by itself. */
import type { ClusterConfig, Config } from '../../config/config.ts';
import type { Path } from '../../config/path.ts';

export interface Finding {
  /** Of the setting. */
  readonly path: Path;
  readonly wrong: string;
  readonly fix: string;
}

/** Every cluster, and where it stands. */
export function clustersOf({
  upstream,
  clusters,
}: Config): readonly { readonly path: Path; readonly cluster: ClusterConfig }[] {
  return [
    { path: ['upstream'], cluster: upstream },
    ...Object.entries(clusters).map(([name, cluster]) => ({ path: ['clusters', name], cluster })),
  ];
}
