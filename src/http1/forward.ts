/**
 * Heads as they go on to the next hop: hop-by-hop fields gone (RFC 9110, section 7.6.1), framing written anew
 * in one canonical form, all else as received and in its order. Latin1 text, for `Connection.send`.
 */
import { hopByHop, isVital } from './field-names.ts';
import type { Fields } from './fields.ts';
import type { Framing } from './framing.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

/** Names of fields, asked for in lower case; a set of them is one. */
export interface FieldNames {
  has(key: string): boolean;
}

export interface ForwardOptions {
  /** Fields to leave out, besides the hop-by-hop ones. */
  readonly drop: FieldNames;
  /** Complete field lines, each with its CRLF, to put at the end. */
  readonly add: string;
}

export interface ForwardRequestOptions extends ForwardOptions {
  /** Sent as Host where an HTTP/1.0 client named none. */
  readonly host?: string;
  /** `node`: `host` is sent whatever the client named. Absent is `client`. */
  readonly hostOf?: 'client' | 'node';
}

export interface ForwardResponseOptions extends ForwardOptions {
  /** The chunked coding is dropped on the way, for an HTTP/1.0 client: the close ends the body. */
  readonly decoded: boolean;
}

const rewritten: ReadonlySet<string> = new Set([...hopByHop, 'host', 'content-length']);
const rewrittenOfOldClient: ReadonlySet<string> = new Set([...rewritten, 'expect']);
const rewrittenInResponse: ReadonlySet<string> = new Set([...hopByHop, 'content-length']);

/**
 * Host comes first, and always from `head.host` or `options.host`. An HTTP/1.0 client's Expect means nothing and is
 * left out.
 */
export function forwardRequest(head: RequestHead, options: ForwardRequestOptions): string {
  const given = options.hostOf === 'node' ? '' : head.host;
  const host = given === '' ? (options.host ?? '') : given;
  const ours = head.version === '1.1' ? rewritten : rewrittenOfOldClient;
  return (
    `${head.method} ${head.target} HTTP/1.1\r\nHost: ${host}\r\n` +
    passedOn(head, ours, options.drop) +
    framingLine(head.framing, head.contentLength) +
    options.add +
    '\r\n'
  );
}

/**
 * Always HTTP/1.1, the version of the sender (RFC 9110, section 6.2). Nothing is said of the framing where
 * the close ends the body: then `add` must hold `Connection: close`.
 */
export function forwardResponse(head: ResponseHead, options: ForwardResponseOptions): string {
  const unframed = options.decoded && head.framing.kind === 'chunked';
  return (
    `HTTP/1.1 ${head.status} ${head.reason}\r\n` +
    passedOn(head, rewrittenInResponse, options.drop) +
    (unframed ? '' : framingLine(head.framing, head.contentLength)) +
    options.add +
    '\r\n'
  );
}

interface Received {
  readonly fields: Fields;
  readonly connection: readonly string[];
}

function passedOn(head: Received, ours: FieldNames, drop: FieldNames): string {
  let lines = '';
  for (const field of head.fields.list) {
    if (ours.has(field.key) || drop.has(field.key) || isNominated(field.key, head.connection)) continue;
    lines += `${field.name}: ${field.value}\r\n`;
  }
  return lines;
}

/** Whether the options of Connection take a field away on its way: none of those that are vital. */
export function isNominated(key: string, options: readonly string[]): boolean {
  return options.length > 0 && options.includes(key) && !isVital(key);
}

function framingLine(framing: Framing, contentLength: number | undefined): string {
  if (framing.kind === 'chunked') return 'Transfer-Encoding: chunked\r\n';
  return contentLength === undefined ? '' : `Content-Length: ${contentLength}\r\n`;
}
