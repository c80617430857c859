/** Client addresses and CIDR blocks as bits, so that a test is a comparison. */
import { isIPv4, isIPv6 } from 'node:net';

/** An address as a string of `0` and `1`, with its family's letter before it: equal prefixes are equal networks. */
export type AddressBits = string;

/** Undefined for what is no address. An IPv4 address mapped into IPv6 counts as IPv4, as dual-stack listeners show it. */
export function addressBits(address: string): AddressBits | undefined {
  if (isIPv4(address)) return `4${address.split('.').map(octetBits).join('')}`;
  const plain = address.split('%', 1)[0] ?? '';
  if (!isIPv6(plain)) return undefined;
  const groups = expand(plain);
  const bits = groups.map((group) => group.toString(2).padStart(16, '0')).join('');
  return bits.startsWith(mappedPrefix) ? `4${bits.slice(mappedPrefix.length)}` : `6${bits}`;
}

const mappedPrefix = `${'0'.repeat(80)}${'1'.repeat(16)}`;

/** `10.1.0.0/16`, `2001:db8::/32`, or an address alone; undefined for anything else. */
export function networkBits(block: string): AddressBits | undefined {
  const [address = '', length, ...rest] = block.split('/');
  const bits = addressBits(address);
  if (bits === undefined || rest.length > 0) return undefined;
  if (length === undefined) return bits;
  if (!/^\d{1,3}$/.test(length)) return undefined;
  // Of a mapped address the length counts from IPv6's first bit.
  const shift = bits.startsWith('4') && address.includes(':') ? 96 : 0;
  const kept = Number(length) - shift;
  return kept < 0 || kept > bits.length - 1 ? undefined : bits.slice(0, 1 + kept);
}

function octetBits(octet: string): string {
  return Number(octet).toString(2).padStart(8, '0');
}

/** Eight groups of sixteen bits. */
function expand(address: string): readonly number[] {
  const dotted = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, a, b, c, d) => {
    const group = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16);
    return `${group(a, b)}:${group(c, d)}`;
  });
  const [head = '', tail] = dotted.split('::');
  const groupsOf = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  return [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
}
