/** From a node to a connection: one attempt at one address, TLS included. */
import type { ConnectResult, SocketOptions, Transport } from '../net/contract.ts';
import type { UpstreamNode } from './node.ts';

export interface DialOptions {
  /** Carries plain connections. */
  readonly plain: Transport;
  /** Carries TLS, which the engine does not speak. */
  readonly secure: Transport;
  /** For the whole attempt, and for the lookup of a name where there is no address yet; milliseconds. */
  readonly timeout: number;
  readonly socket: SocketOptions;
}

/** Never rejects. */
export function dial({ host, configured }: UpstreamNode, options: DialOptions): Promise<ConnectResult> {
  const { port, tls } = configured;
  const transport = tls ? options.secure : options.plain;
  return transport.connect({ host, port, timeout: options.timeout, tls, ...options.socket });
}
