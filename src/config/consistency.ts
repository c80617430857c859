/**
 * What settings must be to each other. Each of them is right by itself; schema.ts has seen to that. Kept apart from
 * the schema, since a schema stops at the first value that is wrong and would hide what else is.
 */
import { balancerIdle } from './defaults.ts';
import { type Path, writePath } from './path.ts';
import type { Settings } from './schema.ts';
import { writeDuration } from './units.ts';
import { keepAliveTime } from './user-timeout.ts';

export interface Clash {
  /** The setting to change. */
  readonly path: Path;
  readonly wrong: string;
  readonly fix: string;
  /** All that were compared. Where one of them is wrong by itself, the comparison says nothing. */
  readonly reads: readonly Path[];
}

type SocketSettings = Settings['upstream']['socket'];
type ClusterSettings = Settings['upstream'];

export function clashes(settings: Settings): readonly Clash[] {
  const { listen, clusters, upstream, identity } = settings;
  return [
    ...listen.flatMap(({ socket }, index) => socketClashes(['listen', index, 'socket'], socket)),
    ...clusterClashes(['upstream'], upstream),
    ...Object.entries(clusters).flatMap(([name, one]) => clusterClashes(['clusters', name], one)),
    ...nameClashes(clusters),
    ...identity.tokens.flatMap((issuer, index) => issuerClashes(['identity', 'tokens', index], issuer)),
    ...limitClashes(settings),
    ...idleClashes(settings),
    ...stallClashes(settings),
    ...addressClashes(settings),
  ];
}

function socketClashes(at: Path, { keepAlive, userTimeout, allowOver350s }: SocketSettings): Clash[] {
  if (allowOver350s) return [];
  const times: readonly (readonly [number, Path])[] = [
    [keepAlive.idle, [...at, 'keepAlive', 'idle']],
    [keepAlive.interval, [...at, 'keepAlive', 'interval']],
    [userTimeout === 'auto' ? keepAliveTime(keepAlive) : userTimeout, [...at, 'userTimeout']],
  ];
  const late = times.find(([time]) => time >= balancerIdle);
  if (late === undefined) return [];
  const [time, path] = late;
  return [overBalancer(time, path, 'allowOver350s: true beside it', [path, [...at, 'allowOver350s']])];
}

function clusterClashes(at: Path, cluster: ClusterSettings): Clash[] {
  const { nodes, pool, ejection, socket } = cluster;
  const found = socketClashes([...at, 'socket'], socket);
  const twice = nodes.findIndex(({ name }, index) => nodes.findIndex((node) => node.name === name) < index);
  if (twice >= 0) {
    found.push({
      path: [...at, 'nodes', twice],
      wrong: `${nodes[twice]?.name} is named twice`,
      fix: 'remove one of the two',
      reads: [[...at, 'nodes']],
    });
  }
  if (!socket.allowOver350s && pool.idleTimeout >= balancerIdle) {
    const path = [...at, 'pool', 'idleTimeout'];
    const override = `${writePath(at)}.socket.allowOver350s: true`;
    found.push(overBalancer(pool.idleTimeout, path, override, [[...at, 'socket', 'allowOver350s'], path]));
  }
  if (ejection.baseTime > ejection.maxTime) {
    const fix = `write at least ${writeDuration(ejection.baseTime)}`;
    const path = [...at, 'ejection', 'maxTime'];
    found.push({ path, wrong: 'is shorter than baseTime', fix, reads: [[...at, 'ejection']] });
  }
  return found;
}

function nameClashes(clusters: Settings['clusters']): Clash[] {
  if (!Object.hasOwn(clusters, 'default')) return [];
  const path = ['clusters', 'default'];
  const wrong = 'the cluster named default is the one under upstream';
  return [{ path, wrong, fix: 'choose another name', reads: [] }];
}

function issuerClashes(
  path: Path,
  { jwksUrl, jwksFile }: Settings['identity']['tokens'][number],
): readonly Clash[] {
  if ((jwksUrl === undefined) !== (jwksFile === undefined)) return [];
  const reads = [
    [...path, 'jwksUrl'],
    [...path, 'jwksFile'],
  ];
  return [{ path, wrong: 'needs its keys from one place', fix: 'write jwksUrl or jwksFile', reads }];
}

function limitClashes({ limits }: Settings): Clash[] {
  if (limits.targetBytes < limits.headBytes) return [];
  const path = ['limits', 'targetBytes'];
  const fix = `write less than headBytes, ${limits.headBytes}`;
  return [{ path, wrong: 'does not fit into headBytes', fix, reads: [path, ['limits', 'headBytes']] }];
}

function idleClashes({ timeouts, listen }: Settings): Clash[] {
  if (timeouts.idle < balancerIdle || listen.every(({ socket }) => socket.allowOver350s)) return [];
  const path = ['timeouts', 'idle'];
  const reads = [path, ...listen.map((_, index) => ['listen', index, 'socket', 'allowOver350s'])];
  return [overBalancer(timeouts.idle, path, 'socket.allowOver350s: true in every listener', reads)];
}

/** The kernel would cut a reader that pauses, which only the stall timeout can tell from one that is gone. */
function stallClashes({ timeouts, listen, upstream, clusters }: Settings): Clash[] {
  const legs: readonly (readonly [Path, SocketSettings])[] = [
    ...listen.map(({ socket }, index) => [['listen', index, 'socket'], socket] as const),
    [['upstream', 'socket'], upstream.socket],
    ...Object.entries(clusters).map(([name, { socket }]) => [['clusters', name, 'socket'], socket] as const),
  ];
  return legs.flatMap(([at, { userTimeout }]) => {
    if (userTimeout === 'auto' || userTimeout > timeouts.stall) return [];
    const path = [...at, 'userTimeout'];
    const stall = writeDuration(timeouts.stall);
    return [
      {
        path,
        wrong: `${writeDuration(userTimeout)} is not over timeouts.stall, ${stall}: the kernel would cut who only pauses`,
        fix: `write more than ${stall}, or auto, or a shorter timeouts.stall`,
        reads: [path, ['timeouts', 'stall']],
      },
    ];
  });
}

function addressClashes({ admin, listen }: Settings): Clash[] {
  const taken: readonly { readonly path: Path; readonly host: string; readonly port: number }[] = [
    { path: ['admin', 'address'], ...admin.address },
    ...listen.map(({ address }, index) => ({ path: ['listen', index, 'address'], ...address })),
  ];
  return taken.flatMap((one, index) => {
    const first = taken.find(({ host, port }) => port !== 0 && host === one.host && port === one.port);
    if (first === undefined || taken.indexOf(first) === index) return [];
    const fix = 'listeners and admin each need an address of their own';
    return [{ path: one.path, wrong: 'the address is used twice', fix, reads: [one.path, first.path] }];
  });
}

function overBalancer(time: number, path: Path, override: string, reads: readonly Path[]): Clash {
  return {
    path,
    wrong: `${writeDuration(time)} is not under 350s, after which an AWS NLB has forgotten the connection`,
    fix: `write less than 350s; where no balancer is in the way, ${override}`,
    reads,
  };
}
