/** Which nodes a cluster has, from what is configured and what its names resolve to. Pure. */
import type { NodeAddress, UpstreamNode } from './node.ts';

/** A configured node, and the addresses that it has now. */
export interface Placed {
  readonly configured: NodeAddress;
  readonly addresses: readonly string[];
}

export interface Membership {
  readonly nodes: readonly UpstreamNode[];
  readonly joined: readonly UpstreamNode[];
  readonly left: readonly UpstreamNode[];
}

/**
 * Each address and port once, as the first of the configured nodes that has it. A node that stays is the same object,
 * so that it keeps its connections, its weight and its ejection.
 */
export function membership(
  placed: readonly Placed[],
  current: readonly UpstreamNode[],
  make: (configured: NodeAddress, address: string) => UpstreamNode,
): Membership {
  const wanted = new Map<string, { readonly configured: NodeAddress; readonly address: string }>();
  for (const { configured, addresses } of placed) {
    for (const address of addresses) {
      const key = `${address} ${configured.port}`;
      if (!wanted.has(key)) wanted.set(key, { configured, address });
    }
  }
  const stay: UpstreamNode[] = [];
  const left: UpstreamNode[] = [];
  for (const node of current) {
    const key = `${node.host} ${node.configured.port}`;
    // Of another configured node it would have another TLS name and another Host.
    const stays = wanted.get(key)?.configured === node.configured;
    if (stays) wanted.delete(key);
    (stays ? stay : left).push(node);
  }
  const joined = [...wanted.values()].map(({ configured, address }) => make(configured, address));
  return { nodes: [...stay, ...joined], joined, left };
}
