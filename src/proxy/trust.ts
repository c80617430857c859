/**
 * Whose word is believed on where a request comes from (X-Forwarded-*) and who sends it (X-Proxy-User), and which
 * address is then the client's.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { RequestHead } from '../http1/request-head.ts';
import { addressBits, networkBits } from '../networks.ts';

/** Nobody's, everybody's, or that of peers in these blocks (CIDR). */
export type TrustSetting = 'none' | 'all' | readonly string[];

export interface Trust {
  /** Whether an address is a proxy whose word counts. */
  believes(address: string): boolean;
}

export function createTrust(setting: TrustSetting): Trust {
  if (setting === 'none') return { believes: () => false };
  if (setting === 'all') return { believes: () => true };
  const networks = setting.map((block) => {
    const network = networkBits(block);
    if (network === undefined) throw new Error(`${block} is no network`);
    return network;
  });
  // Every request asks, and those of one connection for the same address.
  const known = new Map<string, boolean>();
  return {
    believes(address) {
      const before = known.get(address);
      if (before !== undefined) return before;
      const bits = addressBits(address);
      const believed = bits !== undefined && networks.some((network) => bits.startsWith(network));
      if (known.size >= maxKnown) known.clear();
      known.set(address, believed);
      return believed;
    },
  };
}

/** Addresses come from clients, too: what is remembered of them is bounded. */
const maxKnown = 4096;

/** More proxies than any request passes: what a client writes before them is not read to its end. */
const maxHops = 64;

/**
 * The address for which a believed peer speaks. Each proxy appends the address of its own peer to X-Forwarded-For, so
 * the list is read from its end: entries of proxies that are believed themselves are passed over, and the first other
 * one is the client. What stands before it the client has written. Where an entry is no address (`unknown`, a name,
 * nothing), the proxy that wrote it is the last one known, and counts as the client.
 */
export function clientOf(head: RequestHead, peer: string, trust: Trust): string {
  let client = peer;
  let hops = 0;
  for (let at = head.fields.list.length - 1; at >= 0; at--) {
    const field = head.fields.list[at];
    if (field?.key !== 'x-forwarded-for') continue;
    for (let end = field.value.length; end >= 0; ) {
      const comma = end === 0 ? -1 : field.value.lastIndexOf(',', end - 1);
      const address = readEntry(field.value.slice(comma + 1, end));
      if (address === undefined) return client;
      client = address;
      hops += 1;
      if (hops === maxHops || !trust.believes(client)) return client;
      end = comma;
    }
  }
  return client;
}

const dotted = /^(\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?$/;
const bracketed = /^\[([\da-f:.]+)\](?::\d{1,5})?$/i;
const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

/**
 * `10.0.0.1`, `10.0.0.1:5050`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:5050`, with blanks around it: some proxies
 * write the port as well. Undefined for anything else. An address without port; one that is mapped into IPv6 as IPv4.
 */
function readEntry(text: string): string | undefined {
  const entry = text.trim();
  const four = dotted.exec(entry)?.[1];
  if (four !== undefined) return isIPv4(four) ? four : undefined;
  const six = bracketed.exec(entry)?.[1] ?? entry;
  // A zone means something only on the host that wrote it.
  if (!isIPv6(six) || six.includes('%')) return undefined;
  return mapped.exec(six)?.[1] ?? six;
}
