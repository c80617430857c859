/** What the commands on policies work with: the documents of files and directories, and what `sluice.yaml` adds. */
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import type { Config, SourceConfig } from '../config/config.ts';
import { loadConfig, type Problem } from '../config/load.ts';
import type { PolicyDocument } from '../policy/document.ts';
import type { PolicyTestDocument } from '../policy/read/policy-test.ts';
import { readSet } from '../policy/read/reading.ts';
import { FilesSource } from '../policy/sources/files.ts';
import type { Snapshot, SourceText } from '../policy/sources/source.ts';
import { type Surroundings, verifiedBy } from '../policy/surroundings.ts';

export interface Given {
  /** Files and directories; none asks for those of `config`. */
  readonly paths: readonly string[];
  /** A `sluice.yaml`. */
  readonly config?: string | undefined;
  readonly default?: 'allow' | 'deny' | undefined;
}

export interface Input {
  readonly kind: 'read';
  readonly policies: readonly PolicyDocument[];
  readonly tests: readonly PolicyTestDocument[];
  readonly warnings: readonly Problem[];
  /** Sources of the configuration that only a proxy looks at. */
  readonly passedOver: readonly string[];
  readonly fallback: 'allow' | 'deny';
  /** Bytes. */
  readonly limits: Pick<Config['limits'], 'headBytes' | 'headFields' | 'targetBytes'>;
}

export interface Invalid {
  readonly kind: 'invalid';
  readonly problems: readonly Problem[];
}

/** Those of sluice.yaml, where there is none. */
export const standardLimits = { headBytes: 16_384, headFields: 100, targetBytes: 4096 };

export async function readInput(given: Given): Promise<Input | Invalid> {
  if (given.config === undefined) {
    if (given.paths.length > 0) return readFor(given, undefined);
    const fix = 'name files or directories of policies, or --config sluice.yaml';
    return invalid({ where: 'command line', path: '', wrong: 'there are no policies to look at', fix });
  }
  const loaded = loadConfig(given.config);
  if (loaded.kind === 'invalid') return loaded;
  return readFor(given, loaded.config);
}

async function readFor(given: Given, config: Config | undefined): Promise<Input | Invalid> {
  const sources = config?.policies?.sources ?? [];
  const own = given.paths.length === 0;
  const paths = own ? pathsOf(sources) : given.paths;
  const read = await readPaths(paths, config === undefined ? anywhere : surroundingsOf(config));
  if (read.kind === 'invalid') return read;
  return {
    ...read,
    passedOver: own ? sources.flatMap((source) => passedOver(source) ?? []) : [],
    fallback: given.default ?? config?.policies?.default ?? 'deny',
    limits: config?.limits ?? standardLimits,
  };
}

/** Where nothing is known of the proxy: any name will do. */
export const anywhere: Surroundings = { clusters: undefined, verifies: undefined };

export function surroundingsOf({ clusters, identity }: Pick<Config, 'clusters' | 'identity'>): Surroundings {
  return { clusters: ['default', ...Object.keys(clusters)], verifies: verifiedBy(identity) };
}

/** As one would write them from here: in messages they are read, and clicked at. */
export function pathsOf(sources: readonly SourceConfig[]): readonly string[] {
  return sources.flatMap((source) => {
    if (source.kind !== 'path') return [];
    const path = relative('.', source.path);
    return path === '' || path.startsWith('..') ? [source.path] : [path];
  });
}

/** What a source is called, unless it is a path. */
export function passedOver(source: SourceConfig): string | undefined {
  switch (source.kind) {
    case 'path':
      return undefined;
    case 'url':
      return source.url;
    case 's3':
      return `s3://${source.bucket}/${source.prefix}`;
    case 'kubernetes':
      return `kubernetes ${source.namespace ?? ''}`.trim();
  }
}

export type Documents = Pick<Input, 'kind' | 'policies' | 'tests' | 'warnings'>;

/** All of them as one set. */
export async function readPaths(
  paths: readonly string[],
  surroundings: Surroundings,
): Promise<Documents | Invalid> {
  const texts: SourceText[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    const snapshot = existsSync(path) ? await readOnce(path) : missing;
    if (snapshot.kind === 'read') texts.push(...snapshot.texts);
    else problems.push(unreadable(path, snapshot.why));
  }
  return problems.length > 0 ? invalid(...problems) : await readSet(texts, surroundings);
}

/** `why` is what is wrong, a semicolon and how to mend it; what is wrong mostly begins with the path. */
function unreadable(path: string, why: string): Problem {
  const at = why.indexOf('; ');
  const wrong = why.slice(0, at);
  const named = wrong.startsWith(`${path} `) ? wrong.slice(path.length + 1) : wrong;
  return { where: path, path: '', wrong: named, fix: why.slice(at + 2) };
}

const missing: Snapshot = { kind: 'unreachable', why: 'does not exist; check the path' };

/** As the proxy reads them: the same files of a directory, within the same bounds. */
async function readOnce(path: string): Promise<Snapshot> {
  const source = new FilesSource({ path });
  try {
    return await new Promise((resolve) => source.start(resolve));
  } finally {
    source.close();
  }
}

function invalid(...problems: readonly Problem[]): Invalid {
  return { kind: 'invalid', problems };
}
