/** The nodes of a configuration, as this machine sees them: do their names resolve, and to whom. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Config, NodeConfig } from '../../config/config.ts';
import type { Path } from '../../config/path.ts';
import { clustersOf, type Finding } from './finding.ts';

export interface NamedNode {
  readonly path: Path;
  readonly node: NodeConfig;
  /** None where the name does not resolve. */
  readonly addresses: readonly string[];
}

/** Milliseconds; a resolver that does not answer must not hold the check up. */
const resolveTimeout = 5000;

export function resolveNodes(config: Config): Promise<readonly NamedNode[]> {
  const nodes = clustersOf(config).flatMap(({ path, cluster }) =>
    cluster.nodes.map((node, index) => ({ path: [...path, 'nodes', index] as Path, node })),
  );
  return Promise.all(nodes.map(async (one) => ({ ...one, addresses: await addressesOf(one.node.host) })));
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const found = lookup(host, { all: true }).then(
    (all) => all.map(({ address }) => address),
    () => [],
  );
  const late = new Promise<readonly string[]>((resolve) => {
    setTimeout(() => resolve([]), resolveTimeout).unref();
  });
  return Promise.race([found, late]);
}

export function unresolved({ path, node, addresses }: NamedNode): readonly Finding[] {
  if (addresses.length > 0) return [];
  const fix = 'check the name; --static leaves out what only the proxy will see';
  return [{ path, wrong: `the name ${node.host} does not resolve on this machine`, fix }];
}

/** A node that is one of our own listeners would pass each request on to itself. */
export function loops({ path, node, addresses }: NamedNode, { listen, admin }: Config): readonly Finding[] {
  const own = new Set(Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(addressOf)));
  const isOwn = (address: string) => own.has(address) || /^127\.|^::1$/.test(address);
  const answers = ({ host, port }: { readonly host: string; readonly port: number }): boolean => {
    if (port !== node.port) return false;
    return host === '0.0.0.0' || host === '::' ? addresses.some(isOwn) : addresses.includes(host);
  };
  if (answers(admin)) {
    const wrong = `${node.name} is the admin address of this proxy, which answers no request of a client`;
    return [{ path, wrong, fix: 'name the servers behind the proxy, or use another port for admin.address' }];
  }
  if (!listen.some(answers)) return [];
  const wrong = `${node.name} is where this proxy listens: a request would come back to it`;
  return [{ path, wrong, fix: 'name the servers behind the proxy, or listen on another port' }];
}

const addressOf = ({ address }: { readonly address: string }): string => address;
