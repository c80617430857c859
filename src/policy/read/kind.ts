/** Of which kind a document says it is. */
import { shorten } from '../../config/explain.ts';
import { nearest } from '../../config/nearest.ts';
import type { Path } from '../../config/path.ts';
import { apiVersion } from './schema.ts';

export type Kind = 'Policy' | 'PolicyTest';

type Tell = (path: Path, wrong: string, fix: string) => void;

/** Looked at first: what is of another kind need not be told all that it lacks to be a policy. */
export function kindOf(content: unknown, tell: Tell): Kind | undefined {
  if (!isMapping(content)) {
    const given = Array.isArray(content) ? 'a list' : shorten(JSON.stringify(content) ?? String(content));
    tell([], `${given} is not a document`, 'write a mapping of apiVersion, kind, metadata and spec');
    return undefined;
  }
  const { apiVersion: version, kind } = content;
  if (version !== apiVersion) {
    const given = shorten(JSON.stringify(version) ?? '');
    const ours =
      typeof version === 'string' && (version.startsWith('sluice') || nearest(version, [apiVersion]));
    const another =
      kind === 'List' ? 'write its items as documents of their own' : 'keep other kinds elsewhere';
    if (version === undefined && 'upstream' in content) {
      tell([], 'this is a configuration of Sluice, not a policy', 'name the policies alone');
    } else if (version === undefined) tell(['apiVersion'], 'is missing', `write ${apiVersion}`);
    else
      tell(['apiVersion'], `${given} is not ${apiVersion}`, ours ? `did you mean ${apiVersion}?` : another);
    return undefined;
  }
  if (kind === 'Policy' || kind === 'PolicyTest') return kind;
  if (kind === undefined) tell(['kind'], 'is missing', 'write Policy or PolicyTest');
  else {
    const meant = typeof kind === 'string' ? nearest(kind, ['Policy', 'PolicyTest']) : undefined;
    const given = shorten(JSON.stringify(kind) ?? '');
    const fix = meant === undefined ? 'write Policy or PolicyTest' : `did you mean ${meant}?`;
    tell(['kind'], `${given} is not Policy or PolicyTest`, fix);
  }
  return undefined;
}

export function nameOf(content: unknown): string | undefined {
  const metadata = isMapping(content) ? content.metadata : undefined;
  const name = isMapping(metadata) ? metadata.name : undefined;
  return typeof name === 'string' ? name : undefined;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
