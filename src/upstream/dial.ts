/** From a node's address to a connection: names are resolved, each address is tried in turn. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { failure } from '../errors.ts';
import type { ConnectResult, SocketOptions, Transport } from '../net/contract.ts';
import type { NodeAddress } from './node.ts';

export interface DialOptions {
  /** Carries plain connections. */
  readonly plain: Transport;
  /** Carries TLS, which the engine does not speak. */
  readonly secure: Transport;
  /** For each address, milliseconds. */
  readonly timeout: number;
  readonly socket: SocketOptions;
}

/** Never rejects; tells of the last address's failure when none could be connected to. */
export async function dial(node: NodeAddress, options: DialOptions): Promise<ConnectResult> {
  const addresses = await resolve(node.host);
  const transport = node.tls ? options.secure : options.plain;
  let result: ConnectResult = {
    kind: 'failed',
    ...failure('upstream-name-unresolved', `${node.name}: the name does not resolve`),
  };
  for (const host of addresses) {
    result = await transport.connect({
      host,
      port: node.port,
      timeout: options.timeout,
      tls: node.tls,
      ...options.socket,
    });
    if (result.kind === 'connected') return result;
  }
  return result;
}

async function resolve(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}
