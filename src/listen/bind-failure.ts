/** Why an address can't be listened on, in words for the operator. */

const causes: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken by another process',
  EACCES: 'the user may not bind this port',
  EADDRNOTAVAIL: 'the machine has no such address',
  EMFILE: 'the process has no descriptor left',
  ENFILE: 'the machine has no descriptor left',
};

/** `127.0.0.1:9200`, `[::1]:9200`. */
export function writeAddress({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `error` has the name of an errno as its `code`; what has none is told as it is. */
export function bindFailure(error: unknown, address: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why = causes[code] ?? (error instanceof Error ? error.message : String(error));
  return `can't listen on ${address}: ${why}`;
}
