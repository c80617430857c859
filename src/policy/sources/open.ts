/** The sources that an operator names, as one. */
import { FilesSource } from './files.ts';
import { JoinedSource, type SourceState } from './joined.ts';
import { KubernetesSource } from './kubernetes.ts';
import { S3Source } from './s3.ts';
import type { PolicySource } from './source.ts';
import { UrlSource } from './url.ts';

/** One source; its interval in milliseconds, its paths absolute. */
export type SourceOptions =
  | { readonly kind: 'path'; readonly path: string }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly interval: number;
      readonly tokenFile: string | undefined;
      readonly caFile: string | undefined;
    }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly prefix: string;
      readonly region: string | undefined;
      readonly endpoint: string | undefined;
      readonly pathStyle: boolean;
      readonly interval: number;
    }
  | {
      readonly kind: 'kubernetes';
      readonly namespace: string | undefined;
      readonly labelSelector: string | undefined;
      readonly kubeconfig: string | undefined;
      readonly context: string | undefined;
    };

export interface SourceWatcher {
  /** A source is lost or back. */
  readonly onState: (state: SourceState) => void;
  /** What needs an operator but keeps no policy from working. */
  readonly warn: (message: string) => void;
}

/** Throws where a source can't be what it is said to be: a mistake of the configuration. */
export function openSources(
  sources: readonly SourceOptions[],
  { onState, warn }: SourceWatcher,
): JoinedSource {
  return new JoinedSource(
    sources.map((source) => openSource(source, warn)),
    onState,
  );
}

function openSource(options: SourceOptions, warn: (message: string) => void): PolicySource {
  switch (options.kind) {
    case 'path':
      return new FilesSource({ path: options.path });
    case 'url': {
      const { kind: _, tokenFile, caFile, ...rest } = options;
      return new UrlSource({ ...rest, ...(tokenFile && { tokenFile }), ...(caFile && { caFile }) });
    }
    case 's3': {
      const { kind: _, prefix, region, endpoint, ...rest } = options;
      return new S3Source({
        ...rest,
        objects: { prefix },
        ...(region && { region }),
        ...(endpoint && { endpoint }),
      });
    }
    case 'kubernetes': {
      const { kind: _, ...given } = options;
      const access = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      return new KubernetesSource(access, warn);
    }
  }
}
