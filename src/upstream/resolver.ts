/** From a name to its addresses. */
import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** Every address of a name, at least one; rejects with the system's error, which has a `code`. */
export type Resolver = (name: string) => Promise<readonly string[]>;

/**
 * The system's own way, getaddrinfo: only it knows /etc/hosts and the search domains of Kubernetes. It tells no TTL,
 * has no deadline, and takes a thread of libuv's pool, which keeps half of its threads for other work.
 */
export const systemResolver: Resolver = async (name) => {
  const answers = await lookup(name, { all: true, order: 'verbatim' });
  return usable(
    answers.map(({ address }) => address),
    ownAddresses(),
  );
};

/** However many ask for a name at once, it is looked up once. A resolver that hangs so holds one thread a name. */
export function oneAtATime(resolver: Resolver): Resolver {
  const underWay = new Map<string, Promise<readonly string[]>>();
  return (name) => {
    const known = underWay.get(name);
    if (known !== undefined) return known;
    const asked = resolver(name).finally(() => underWay.delete(name));
    underWay.set(name, asked);
    return asked;
  };
}

/**
 * Without the addresses of a family that this host has no address of (RFC 3493, AI_ADDRCONFIG): each would be a node
 * that is always dead. Loopback is always of use. All of them, where none were left.
 */
export function usable(
  addresses: readonly string[],
  own: readonly Pick<NetworkInterfaceInfo, 'address' | 'internal'>[],
): readonly string[] {
  const outward = own.filter(({ address, internal }) => !internal && !/^fe[89ab]/i.test(address));
  const hasIPv6 = outward.some(({ address }) => isIPv6(address));
  const hasIPv4 = outward.some(({ address }) => !isIPv6(address));
  const left = addresses.filter((address) => {
    if (address === '::1' || address.startsWith('127.')) return true;
    return isIPv6(address) ? hasIPv6 : hasIPv4;
  });
  return left.length > 0 ? left : addresses;
}

function ownAddresses(): readonly NetworkInterfaceInfo[] {
  try {
    return Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  } catch {
    // Some sandboxes forbid to ask; then nothing is left out.
    return [];
  }
}
