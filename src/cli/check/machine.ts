/**
 * What a configuration asks of the machine that it is checked on: files, directories, names, the kernel. What can't
 * work is a problem, as it would be at start or, worse, later; what works and is dangerous is a warning.
 */
import { readFileSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { defaults } from '../../config/defaults.ts';
import { descriptorLimit, fitListeners } from '../../config/descriptors.ts';
import type { Path } from '../../config/path.ts';
import { fileFaults } from './files.ts';
import { clustersOf, type Finding } from './finding.ts';
import { loops, resolveNodes, unresolved } from './nodes.ts';

export interface Examined {
  readonly problems: readonly Finding[];
  readonly warnings: readonly Finding[];
}

export async function examineMachine(config: Config): Promise<Examined> {
  const [files, nodes] = await Promise.all([fileFaults(config), resolveNodes(config)]);
  return {
    problems: [...files, ...unknownAlgorithms(config), ...nodes.flatMap(unresolved)],
    warnings: [
      ...nodes.flatMap((node) => loops(node, config)),
      ...tooManyConnections(config, descriptorLimit()),
    ],
  };
}

const algorithmsFile = '/proc/sys/net/ipv4/tcp_available_congestion_control';

/** The kernel refuses unknown ones without a word, and connections keep its own. */
function unknownAlgorithms(config: Config): readonly Finding[] {
  const known = readOptional(algorithmsFile)?.trim().split(' ');
  if (known === undefined) return [];
  const sockets: readonly (readonly [Path, string | undefined])[] = [
    ...config.listen.map(({ socket }, index) => [['listen', index], socket.congestionControl] as const),
    ...clustersOf(config).map(({ path, cluster }) => [path, cluster.socket.congestionControl] as const),
  ];
  return sockets.flatMap(([at, algorithm]) => {
    if (algorithm === undefined || known.includes(algorithm)) return [];
    const path = [...at, 'socket', 'congestionControl'];
    const fix = `write one of ${known.join(', ')}, or load the kernel's module for it`;
    return [{ path, wrong: `this kernel has no ${algorithm}`, fix }];
  });
}

/** So many clients are enough for a default that nobody chose: a ceiling rather than a wish. */
const enoughClients = 1000;

/** More clients than the limit of open files has descriptors for. `run` says so, too, and lets fewer in. */
export function tooManyConnections(
  { listen, transport }: Config,
  limit = Number.POSITIVE_INFINITY,
): readonly Finding[] {
  const asked = listen.map(({ maxConnections, backlog }) => ({
    maxConnections,
    waiting: transport === 'streams' ? backlog : 0,
  }));
  const fit = fitListeners(asked, limit);
  if (fit.kind === 'fits') return [];
  return fit.rooms.flatMap(({ maxConnections: left }, index): readonly Finding[] => {
    const wanted = asked[index]?.maxConnections;
    if (wanted === defaults.maxConnections && left >= enoughClients) return [];
    const wrong = `${wanted} clients and their upstream connections are more than a process here may open (${limit} files)`;
    const fix = `raise the limit (ulimit -n) to ${fit.needed}, or write at most ${left}`;
    return [{ path: ['listen', index, 'maxConnections'], wrong, fix }];
  });
}

function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
