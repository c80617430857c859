/**
 * The head of a request, from bytes (RFC 9112, sections 2 to 6). Strict: what two parsers could read
 * differently is refused.
 */
import { type Failure, failure } from '../errors.ts';
import { type Protocol, protocolOf } from './beginning.ts';
import {
  connectionOptions,
  type Fields,
  type HeadBytes,
  headBytes,
  isPersistent,
  parseFields,
  withoutLookAlikes,
} from './fields.ts';
import { bodyOfLength, chunkedBody, declaredBody, type Framing, noBody } from './framing.ts';
import { CR, is, LF, SP, TARGET, TOKEN } from './octets.ts';

export interface RequestHead {
  readonly method: string;
  /** As it is sent upstream: origin-form, or `*`. */
  readonly target: string;
  /** The raw path, without the query: nothing decoded. */
  readonly path: string;
  /** Empty, or from its `?` on. */
  readonly query: string;
  readonly version: '1.0' | '1.1';
  /** `host` or `host:port`: of an absolute-form target, else of Host. Empty only in HTTP/1.0. */
  readonly host: string;
  readonly fields: Fields;
  readonly framing: Framing;
  /** The declared length in bytes, 0 included; undefined when none is declared. */
  readonly contentLength: number | undefined;
  /** The options of Connection, in lower case. */
  readonly connection: readonly string[];
  /** Whether the client means to send another request on this connection. */
  readonly persistent: boolean;
  /** `Expect: 100-continue` in an HTTP/1.1 request. */
  readonly expectsContinue: boolean;
}

export interface RequestLimits {
  /** Bytes of the target; a longer one is `target-too-long`. */
  readonly maxTarget: number;
  /** Field lines; more are `too-many-fields`. */
  readonly maxFields: number;
}

/** Empty lines before the request line, left over by old clients after a body (RFC 9112, section 2.2). */
const maxEmptyLines = 2;

/** Parses `buffer[start..end)`, a whole head with its empty line. */
export function parseRequestHead(
  buffer: Buffer,
  start: number,
  end: number,
  limits: RequestLimits,
): RequestHead | Failure {
  // A transport gives the first empty line that it does not skip.
  if (end - start === 2) return failure('request-line-malformed', 'too many empty lines before it');
  const head = headBytes(buffer, start, end);
  if (head === undefined) {
    const why = refuseProtocol(buffer, start, end);
    return why ?? failure('header-malformed', 'the head does not end in CRLF CRLF');
  }
  const line = parseRequestLine(head, limits);
  if ('code' in line) return refuseProtocol(buffer, start, end) ?? line;
  const received = parseFields(head, line.end, limits.maxFields, 'client');
  if ('code' in received) return received;
  const fields = head.text.includes('_', line.end - start) ? withoutLookAlikes(received) : received;

  const host = readHost(fields, line);
  if (typeof host !== 'string') return host;
  const declared = declaredBody(fields, line.version);
  if (typeof declared === 'object') return declared;
  // A server could take the one that no policy has judged.
  if (fields.count('authorization') > 1) return failure('header-malformed', 'Authorization more than once');
  const expect = line.version === '1.1' ? fields.get('expect') : undefined;
  if (expect !== undefined && (expect.toLowerCase() !== '100-continue' || fields.count('expect') > 1)) {
    return failure('expectation-failed');
  }

  const { method, target, version } = line;
  const query = target.indexOf('?');
  const connection = connectionOptions(fields);
  return {
    method,
    target,
    path: query === -1 ? target : target.slice(0, query),
    query: query === -1 ? '' : target.slice(query),
    version,
    host,
    fields,
    framing: declared === undefined ? noBody : declared === 'chunked' ? chunkedBody : bodyOfLength(declared),
    contentLength: declared === 'chunked' ? undefined : declared,
    connection,
    persistent: isPersistent(version, connection),
    expectsContinue: expect !== undefined,
  };
}

const noMethod = failure('request-line-malformed', 'no valid method');

/** Why `buffer[start..end)` is refused, the beginning of no head: by the name of what it is, where that is known. */
export function refuseForeign(buffer: Buffer, start: number, end: number): Failure {
  return refuseProtocol(buffer, start, end) ?? noMethod;
}

function refuseProtocol(buffer: Buffer, start: number, end: number): Failure | undefined {
  const protocol = protocolOf(buffer, skipEmptyLines(buffer, start), end);
  return protocol && protocols[protocol];
}

const protocols: Readonly<Record<Protocol, Failure>> = {
  TLS: failure(
    'tls-on-plain-port',
    'the client speaks TLS to a port of plain HTTP: its URL must say http://',
  ),
  'PROXY 1': unexpected('1'),
  'PROXY 2': unexpected('2'),
  'HTTP/2': failure('version-not-supported', 'the client speaks HTTP/2, and has not asked whether it may'),
};

function unexpected(version: '1' | '2'): Failure {
  const detail = `the connection begins with the PROXY protocol, version ${version}: turn it off at the balancer`;
  return failure('proxy-protocol-unexpected', detail);
}

/**
 * Which limit a head has hit that is longer than `maxHead` bytes: `buffer[start..end)` is as much of it as had come.
 */
export function refuseLargeHead(
  buffer: Buffer,
  start: number,
  end: number,
  limits: Pick<RequestLimits, 'maxTarget'> & { readonly maxHead: number },
): Failure {
  let at = skipEmptyLines(buffer, start);
  while (at < end && is(buffer, at, TOKEN)) at++;
  const targetStart = at + 1;
  if (buffer[at] === SP) while (++at < end && is(buffer, at, TARGET));
  return at - targetStart > limits.maxTarget
    ? targetTooLong(limits.maxTarget)
    : failure('head-too-large', `longer than ${limits.maxHead} bytes (limits.headBytes)`);
}

function targetTooLong(maxTarget: number): Failure {
  return failure('target-too-long', `the target is longer than ${maxTarget} bytes (limits.targetBytes)`);
}

interface RequestLine {
  readonly method: string;
  readonly target: string;
  /** Of an absolute-form target; otherwise empty. */
  readonly authority: string;
  readonly version: '1.0' | '1.1';
  /** Where the field lines begin. */
  readonly end: number;
}

function skipEmptyLines(buffer: Buffer, start: number): number {
  let at = start;
  for (let lines = 0; lines < maxEmptyLines && buffer[at] === CR && buffer[at + 1] === LF; lines++) at += 2;
  return at;
}

function parseRequestLine(head: HeadBytes, limits: RequestLimits): RequestLine | Failure {
  const { buffer, start, end, text } = head;
  const methodStart = skipEmptyLines(buffer, start);
  if (methodStart >= end) return failure('request-line-malformed', 'no request line');
  let at = methodStart;
  while (is(buffer, at, TOKEN)) at++;
  if (at === methodStart || buffer[at] !== SP) return noMethod;
  const method = text.slice(methodStart - start, at - start);

  const targetStart = ++at;
  while (is(buffer, at, TARGET)) at++;
  if (at - targetStart > limits.maxTarget) return targetTooLong(limits.maxTarget);
  if (buffer[at] === CR || at === targetStart) {
    return failure('request-line-malformed', 'not a method, a target and a version, each after one space');
  }
  if (buffer[at] !== SP) return failure('target-malformed', 'a character that no target may hold');
  const target = text.slice(targetStart - start, at - start);

  const version = parseVersion(text, at + 1 - start);
  if (typeof version !== 'string') return version;
  // TRACE would show a client what Sluice adds for the server; CONNECT would make it a tunnel.
  if (method === 'CONNECT' || method === 'TRACE') return failure('method-not-supported');
  const lineEnd = at + 1 + 'HTTP/1.1\r\n'.length;
  if (target.startsWith('/') || (target === '*' && method === 'OPTIONS')) {
    return { method, target, authority: '', version, end: lineEnd };
  }
  const parts = /^https?:\/\/([^/?]+)(\/?.*)$/i.exec(target);
  if (parts?.[1] === undefined || parts[2] === undefined) return failure('target-malformed');
  const origin = originForm(parts[2], method);
  return { method, target: origin, authority: parts[1], version, end: lineEnd };
}

function parseVersion(text: string, at: number): '1.0' | '1.1' | Failure {
  if (text.startsWith('HTTP/1.1\r\n', at)) return '1.1';
  if (text.startsWith('HTTP/1.0\r\n', at)) return '1.0';
  if (/^HTTP\/[0-9]\.[0-9]\r\n/.test(text.slice(at, at + 10))) return failure('version-not-supported');
  return failure('request-line-malformed', 'no valid version at the end of the line');
}

/** RFC 9112, sections 3.2.1 and 3.2.4: an empty path is `/`, and for OPTIONS without a query `*`. */
function originForm(rest: string, method: string): string {
  if (rest === '') return method === 'OPTIONS' ? '*' : '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * A name, an IPv4 address or an IPv6 literal, and perhaps a port; no userinfo. Narrower than RFC 3986's
 * reg-name: no sub-delims and no percent-encoding, which no name in DNS holds and which libraries read
 * differently.
 */
const hostPattern = /^(?:[\w.~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

function readHost(fields: Fields, line: RequestLine): string | Failure {
  const host = fields.get('host');
  if (host === undefined) {
    if (line.version === '1.1') return failure('host-malformed', 'no Host');
  } else {
    if (fields.count('host') > 1) return failure('host-malformed', 'Host more than once');
    if (!hostPattern.test(host)) return failure('host-malformed', 'Host is not a host and a port');
  }
  if (line.authority === '') return host ?? '';
  return hostPattern.test(line.authority)
    ? line.authority
    : failure('target-malformed', "the target's authority is not a host and a port");
}
