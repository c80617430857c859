/** Client addresses and CIDR blocks as bits, so that a test is a comparison. */
import { isIPv4, isIPv6 } from 'node:net';

/** An address as a string of `0` and `1`, with its family's letter before it: equal prefixes are equal networks. */
export type AddressBits = string;

/** Undefined for what is no address. An IPv4 address mapped into IPv6 counts as IPv4, as dual-stack listeners show it. */
export function addressBits(address: string): AddressBits | undefined {
  if (isIPv4(address)) return `4${bitsOfIPv4(address)}`;
  const plain = address.split('%', 1)[0] ?? '';
  if (!isIPv6(plain)) return undefined;
  const bits = bitsOfIPv6(plain);
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

/** What one customer of a network is given: a whole IPv4 address, or an IPv6 /64. */
const ownedBits = { '4': 1 + 32, '6': 1 + 64 };

/** By what clients count as one, since they can use any address of it: texts that are no addresses stand alone. */
export function ownerOf(address: string): string {
  const bits = addressBits(address);
  return bits === undefined ? address : bits.slice(0, ownedBits[bits.startsWith('4') ? '4' : '6']);
}

/** A set may hold a hundred thousand blocks. */
const octets = Array.from({ length: 256 }, (_, octet) => octet.toString(2).padStart(8, '0'));

function bitsOfIPv4(address: string): string {
  let bits = '';
  for (const octet of address.split('.')) bits += octets[Number(octet)];
  return bits;
}

/** Eight groups of sixteen bits, of which `::` stands for as many as are missing. */
function bitsOfIPv6(address: string): string {
  const [head = '', tail] = (address.includes('.') ? withoutDots(address) : address).split('::');
  const front = bitsOfGroups(head);
  const back = tail === undefined ? '' : bitsOfGroups(tail);
  return front + back.padStart(128 - front.length, '0');
}

function withoutDots(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, a, b, c, d) => {
    const group = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16);
    return `${group(a, b)}:${group(c, d)}`;
  });
}

function bitsOfGroups(part: string): string {
  if (part === '') return '';
  let bits = '';
  for (const text of part.split(':')) {
    const group = Number.parseInt(text, 16);
    bits += `${octets[group >> 8]}${octets[group & 255]}`;
  }
  return bits;
}
