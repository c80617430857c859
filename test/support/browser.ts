/** What a browser does for a page that fetches from another origin (Fetch standard, sections 4.8 to 4.10). */
import { type Head, readWhole } from './http-peer.ts';
import type { RawPeer } from './raw-peer.ts';

export interface PageRequest {
  /** Of the page. */
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Fetched =
  /** What the page's script can read. */
  | { readonly kind: 'response'; readonly status: number; readonly text: string }
  /** The script hears "Failed to fetch" and nothing else; `status` is what the browser has seen. */
  | { readonly kind: 'network error'; readonly step: 'preflight' | 'request'; readonly status: number };

const safelistedMethods: readonly string[] = ['GET', 'HEAD', 'POST'];
const safelistedHeaders: readonly string[] = ['accept', 'accept-language', 'content-language'];
const safelistedTypes: readonly string[] = [
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
];

/** In the mode `cors`, with credentials that the script sets itself. */
export async function fetchAsPage(peer: RawPeer, request: PageRequest): Promise<Fetched> {
  const { origin, method, path, headers = {}, body } = request;
  const unsafe = unsafeNames(headers);
  if (unsafe.length > 0 || !safelistedMethods.includes(method)) {
    const asked = unsafe.length > 0 ? `Access-Control-Request-Headers: ${unsafe.join(',')}\r\n` : '';
    await peer.write(
      `OPTIONS ${path} HTTP/1.1\r\nHost: es\r\nAccept: */*\r\nAccess-Control-Request-Method: ${method}\r\n${asked}` +
        `Origin: ${origin}\r\nSec-Fetch-Mode: cors\r\n\r\n`,
    );
    const { head } = await readWhole(peer);
    const passed = head.status >= 200 && head.status <= 299 && mayRead(head, origin);
    if (!passed || !permits(head, method, unsafe)) {
      return { kind: 'network error', step: 'preflight', status: head.status };
    }
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  await peer.write(
    `${method} ${path} HTTP/1.1\r\nHost: es\r\nOrigin: ${origin}\r\nSec-Fetch-Mode: cors\r\n${lines.join('')}${length}\r\n${body ?? ''}`,
  );
  const { head, text } = await readWhole(peer, method);
  if (!mayRead(head, origin)) return { kind: 'network error', step: 'request', status: head.status };
  return { kind: 'response', status: head.status, text };
}

/** "CORS-unsafe request-header names", sorted and in lower case. */
function unsafeNames(headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name, value]) => {
      if (name === 'content-type') return !safelistedTypes.includes(value.split(';', 1)[0] ?? '');
      return !safelistedHeaders.includes(name);
    })
    .map(([name]) => name)
    .toSorted();
}

/** The "CORS check". */
function mayRead(head: Head, origin: string): boolean {
  const allowed = head.field('access-control-allow-origin');
  return allowed === '*' || allowed === origin;
}

function permits(head: Head, method: string, unsafe: readonly string[]): boolean {
  const listed = (name: string): readonly string[] =>
    (head.field(name) ?? '').split(',').map((one) => one.trim());
  const methods = listed('access-control-allow-methods');
  const names = listed('access-control-allow-headers').map((one) => one.toLowerCase());
  if (!safelistedMethods.includes(method) && !methods.includes(method) && !methods.includes('*'))
    return false;
  // A star does not stand for Authorization.
  return unsafe.every((name) => names.includes(name) || (names.includes('*') && name !== 'authorization'));
}
