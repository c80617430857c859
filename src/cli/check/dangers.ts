/** What works, and is dangerous or without effect. */
import type { Config } from '../../config/config.ts';
import type { Path } from '../../config/path.ts';
import { clustersOf, type Finding } from './finding.ts';

export function dangers(config: Config): readonly Finding[] {
  const { policies, identity, clusters, forwarded } = config;
  const unverified = clustersOf(config).flatMap(({ path, cluster }): readonly Finding[] => {
    if (!cluster.nodes.some(({ tls }) => tls?.verify === false)) return [];
    const wrong = 'whoever is on the way can pass for these nodes and read credentials';
    return [
      { path: [...path, 'tls', 'verify'], wrong, fix: 'remove it, and name their authority in caFile' },
    ];
  });
  const open: Finding[] =
    policies?.onStart === 'allow'
      ? [
          {
            path: ['policies', 'onStart'],
            wrong: 'everything is allowed until the first policies are read',
            fix: 'write wait or deny',
          },
        ]
      : [];
  const forged: readonly Finding[] = believesAnybody(forwarded.trust)
    ? [
        {
          path: ['forwarded', 'trust'],
          wrong: 'whoever reaches a listener can pass for any client address and any user',
          fix: 'write the networks of the proxies in front',
        },
      ]
    : [];
  if (policies !== undefined) return [...unverified, ...forged, ...open];
  const verifies =
    identity.users !== undefined || identity.apiKeys !== undefined || identity.tokens.length > 0;
  const idle: readonly (readonly [boolean, Path, string])[] = [
    [verifies, ['identity'], 'nobody is verified where there are no policies'],
    [Object.keys(clusters).length > 0, ['clusters'], 'no request goes there where there are no policies'],
  ];
  const unused = idle.flatMap(([given, path, wrong]) =>
    given ? [{ path, wrong, fix: 'add policies, or remove it' }] : [],
  );
  return [...unverified, ...forged, ...unused];
}

function believesAnybody(trust: Config['forwarded']['trust']): boolean {
  return trust === 'all' || (trust !== 'none' && trust.some((block) => block.endsWith('/0')));
}
