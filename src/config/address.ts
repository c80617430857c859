/** Addresses to listen on and URLs of nodes, read strictly: what can't be honoured is refused, not ignored. */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { addressBits, networkBits } from '../networks.ts';
import { shorten } from './explain.ts';
import type { Reading } from './units.ts';

/** Elasticsearch's and OpenSearch's own port, for a node URL that names none. */
export const defaultNodePort = 9200;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface NodeAddress extends Address {
  /** `host:port`, an IPv6 address in brackets: how logs and metrics call the node. */
  readonly name: string;
  readonly secure: boolean;
}

/** `0.0.0.0:9200`, `[::]:9200`. Port 0 asks the system for a free one. Names are refused: they may resolve to many. */
export function readAddress(text: string): Reading<Address> {
  const [, bracketed, bare, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const shown = JSON.stringify(text);
  if (digits === undefined) {
    const fix = 'write HOST:PORT, e.g. 0.0.0.0:9200 or [::]:9200';
    if (isIPv6(text)) return wrong(`${shown} has no port`, `write [${text}]:9200`);
    if (isIPv4(text)) return wrong(`${shown} has no port`, `write ${text}:9200`);
    return wrong(`${shown} is not an address to listen on`, fix);
  }
  const port = Number(digits);
  if (port > 65535) return wrong(`port ${port} does not exist`, 'ports go from 0 (any free one) to 65535');
  if (bracketed !== undefined) {
    if (isIPv6(bracketed)) return { kind: 'value', value: { host: bracketed, port } };
    return wrong(`${shown} is not an IPv6 address`, 'write e.g. [::]:9200');
  }
  const host = bare ?? '';
  if (isIPv4(host)) return { kind: 'value', value: { host, port } };
  if (host === '' || host === '*') {
    return wrong(`${shown} names no address`, `write 0.0.0.0:${port}, or [::]:${port} for IPv6 as well`);
  }
  const instead = host === 'localhost' ? '127.0.0.1' : 'its address';
  return wrong(
    `${shown} is a name, not an address`,
    `write ${instead}${host === 'localhost' ? `:${port}` : ''}`,
  );
}

/** `http://10.0.0.1:9200`, `https://es.internal`. */
export function readNode(text: string): Reading<NodeAddress> {
  const match = /^(https?):\/\/(?:([^@/?#]*)@)?(\[[^\]]*\]|[^:/?#@[\]]+)(?::(\d{1,5}))?([/?#].*)?$/i.exec(
    text,
  );
  if (match === null) {
    // The text is not echoed: what failed to parse may hold a password.
    return wrong('is not the URL of a node', 'write http://HOST:PORT or https://HOST:PORT');
  }
  const [, scheme = '', credentials, rawHost = '', digits, rest] = match;
  const secure = scheme.toLowerCase() === 'https';
  const origin = `${scheme.toLowerCase()}://${rawHost}${digits === undefined ? '' : `:${digits}`}`;
  if (credentials !== undefined) {
    return wrong(
      'carries credentials, which would end in logs and process lists',
      `write ${origin}; clients send their own Authorization, which is passed on`,
    );
  }
  if (rest !== undefined && rest !== '/') {
    return wrong('has a path, query or fragment', `write ${origin}; the client's path is used`);
  }
  const port = digits === undefined ? defaultNodePort : Number(digits);
  if (port < 1 || port > 65535)
    return wrong(`port ${port} can't be connected to`, 'ports go from 1 to 65535');
  const host = (rawHost.startsWith('[') ? rawHost.slice(1, -1) : rawHost).toLowerCase();
  if (rawHost.startsWith('[') ? !isIPv6(host) : isIP(host) === 0 && !isHostName(host)) {
    return wrong(
      `${JSON.stringify(rawHost)} is neither a host name nor an address`,
      'write http://HOST:PORT',
    );
  }
  return { kind: 'value', value: { name: `${rawHost.toLowerCase()}:${port}`, host, port, secure } };
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** `https://config.internal/policies.yaml`: what is read from there is believed, so nobody on the way may change it. */
export function readTrustedUrl(text: string): Reading<string> {
  const url = URL.parse(text);
  // The text is not echoed: what failed to parse may hold a password.
  if (url === null) return wrong('is not a URL', 'write https://HOST/PATH');
  if (url.username !== '' || url.password !== '') {
    return wrong('carries credentials, which would end in logs', 'take them out; a token goes into a file');
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback.test(url.hostname))) {
    return wrong('can be changed on its way', 'write https://, or http:// to this host itself');
  }
  return { kind: 'value', value: text };
}

/** Letters, digits, hyphens and underscores in labels; all digits and dots would be an address mistyped. */
function isHostName(host: string): boolean {
  if (host.length > 253 || /^[\d.]+$/.test(host)) return false;
  return host
    .replace(/\.$/, '')
    .split('.')
    .every((label) => /^[a-z\d_](?:[a-z\d_-]{0,61}[a-z\d_])?$/.test(label));
}

function wrong(what: string, fix: string): { kind: 'wrong'; wrong: string; fix: string } {
  return { kind: 'wrong', wrong: what, fix };
}

/** `10.1.0.0/16`, `2001:db8::/32`, or one address. What lies behind the prefix must be zero. */
export function readNetwork(text: string): Reading<string> {
  const shown = shorten(JSON.stringify(text));
  const [address = '', length] = text.split('/');
  const bits = addressBits(address);
  const network = networkBits(text);
  if (network === undefined || bits === undefined || text.includes('%')) {
    return wrong(
      `${shown} is neither an address nor a block of them`,
      'write e.g. 10.1.0.0/16, 2001:db8::/32 or 10.2.3.4',
    );
  }
  if (!bits.slice(network.length).includes('1')) return { kind: 'value', value: text };
  const first = isIPv4(address) ? firstOf(network) : undefined;
  return wrong(
    `${shown} is an address within its block, not the block`,
    first === undefined
      ? `set its bits after the first ${length} to zero, or remove /${length}`
      : `write ${first}/${length} for the block, or ${address} for the address alone`,
  );
}

function firstOf(network: string): string {
  const bits = network.slice(1).padEnd(32, '0');
  return [0, 8, 16, 24].map((at) => Number.parseInt(bits.slice(at, at + 8), 2)).join('.');
}
