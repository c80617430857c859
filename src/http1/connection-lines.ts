/**
 * What a response says of the connection that it comes on: lines with their CRLFs. Said each time: an HTTP/1.0 client
 * takes a connection for closed, and waits for that, unless it is told to be kept (RFC 9112, section 9.3). Clients let
 * go of an idle one five seconds before Sluice does, after `idleTimeout` milliseconds (as undici obeys).
 */
export function connectionLines(keep: boolean, idleTimeout: number): string {
  if (!keep) return 'Connection: close\r\n';
  return `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.max(1, Math.floor(idleTimeout / 1000) - 5)}\r\n`;
}
