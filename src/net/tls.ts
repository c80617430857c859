/** The client's side of TLS: which authorities are trusted, which name is verified. */
import { isIP, type Socket } from 'node:net';
import {
  connect,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import type { TlsOptions } from './contract.ts';

/** Begins a handshake on a connected socket: `secureConnect` or `error` tells how it went. */
export function secure(tcp: Socket, { serverName, ca, verify }: TlsOptions): TLSSocket {
  return connect({
    socket: tcp,
    // The name to verify. As SNI only where it is one: addresses are not allowed there (RFC 6066, section 3).
    host: serverName,
    ...(isIP(serverName) === 0 && { servername: serverName }),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: verify,
    secureContext: secureContext(ca),
  });
}

/** Parsing the system's authorities takes tens of milliseconds, so once for each set and not for each connection. */
const contexts = new Map<string, SecureContext>();
const SETS_KEPT = 16;

function secureContext(ca: string | undefined): SecureContext {
  const key = ca ?? '';
  const known = contexts.get(key);
  if (known) return known;
  const trusted = ca ?? [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
  const context = createSecureContext({ ca: trusted, minVersion: 'TLSv1.2' });
  if (contexts.size >= SETS_KEPT) contexts.clear();
  contexts.set(key, context);
  return context;
}
