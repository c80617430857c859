/** The sources that an operator names, as one. */
import { JoinedSource, type SourceState } from './joined.ts';
import type { PolicySource } from './source.ts';

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
export async function openSources(
  sources: readonly SourceOptions[],
  { onState, warn }: SourceWatcher,
): Promise<JoinedSource> {
  return new JoinedSource(await Promise.all(sources.map((source) => openSource(source, warn))), onState);
}

/** Only the kinds that are asked for are loaded: HTTPS and the SDKs cost memory. */
async function openSource(options: SourceOptions, warn: (message: string) => void): Promise<PolicySource> {
  switch (options.kind) {
    case 'path': {
      const { FilesSource } = await import('./files.ts');
      return new FilesSource({ path: options.path });
    }
    case 'url': {
      const { UrlSource } = await import('./url.ts');
      const { kind: _, tokenFile, caFile, ...rest } = options;
      return new UrlSource({ ...rest, ...(tokenFile && { tokenFile }), ...(caFile && { caFile }) });
    }
    case 's3': {
      const { S3Source } = await import('./s3.ts');
      const { kind: _, prefix, region, endpoint, ...rest } = options;
      return new S3Source({
        ...rest,
        objects: { prefix },
        ...(region && { region }),
        ...(endpoint && { endpoint }),
      });
    }
    case 'kubernetes': {
      const { KubernetesSource } = await import('./kubernetes.ts');
      const { kind: _, ...given } = options;
      const access = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      return new KubernetesSource(access, warn);
    }
  }
}
