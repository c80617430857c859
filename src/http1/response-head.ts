/**
 * The head of a response, from bytes (RFC 9112, sections 4 to 6), as strict as the request's, except where a proxy is
 * told to mend what a server has written.
 */
import { type Failure, failure } from '../errors.ts';
import { type Protocol, protocolOf } from './beginning.ts';
import { connectionOptions, type Fields, headBytes, isPersistent, parseFields } from './fields.ts';
import {
  bodyOfLength,
  chunkedBody,
  type Declared,
  declaredBody,
  type Framing,
  noBody,
  untilClose,
} from './framing.ts';
import { is, VALUE } from './octets.ts';

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly version: '1.0' | '1.1';
  readonly fields: Fields;
  readonly framing: Framing;
  /**
   * The declared length in bytes; on answers to HEAD and 304 that of the body not sent; never on 1xx, 204.
   */
  readonly contentLength: number | undefined;
  /** The options of Connection, in lower case. */
  readonly connection: readonly string[];
  /** Whether another request may follow on this connection, once the body has ended: nothing of this head is in doubt. */
  readonly persistent: boolean;
  /** True for 1xx: the final head is still to come. */
  readonly interim: boolean;
}

export interface ResponseRules {
  /** Of the request that it answers. */
  readonly method: string;
  /** Field lines; more are `upstream-too-many-fields`. */
  readonly maxFields: number;
}

const malformed = (detail: string): Failure => failure('upstream-head-malformed', detail);

/** Why `buffer[start..end)` is refused, the beginning of no answer: by the name of what it is, where that is known. */
export function refuseForeignAnswer(buffer: Buffer, start: number, end: number): Failure {
  return refuseProtocol(buffer, start, end) ?? malformed('no valid status line');
}

function refuseProtocol(buffer: Buffer, start: number, end: number): Failure | undefined {
  const protocol = protocolOf(buffer, start, end);
  return protocol && protocols[protocol];
}

const protocols: Readonly<Partial<Record<Protocol, Failure>>> = {
  TLS: malformed('the node speaks TLS: its URL must say https://'),
  'HTTP/2': malformed('the node speaks HTTP/2 alone'),
};

/**
 * Parses `buffer[start..end)`, a whole head with its empty line. Refuses with `upstream-head-malformed` or
 * `upstream-too-many-fields`. 101 is refused: upgrades are never asked for.
 */
export function parseResponseHead(
  buffer: Buffer,
  start: number,
  end: number,
  { method, maxFields }: ResponseRules,
): ResponseHead | Failure {
  const head = headBytes(buffer, start, end);
  if (head === undefined) {
    return refuseProtocol(buffer, start, end) ?? malformed('the head does not end in CRLF CRLF');
  }
  const line = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: |\r\n)/.exec(head.text);
  if (line === null) return refuseForeignAnswer(buffer, start, end);
  const status = Number(line[2]);
  if (status === 101) return malformed('101 to a request that asked for no upgrade');
  const version = line[1] === '0' ? '1.0' : '1.1';

  let reasonEnd = start + 'HTTP/1.1 200'.length;
  while (is(buffer, reasonEnd, VALUE)) reasonEnd++;
  const lineEnd = reasonEnd - start;
  if (!head.text.startsWith('\r\n', lineEnd)) return malformed('a control character in the reason phrase');

  const fields = parseFields(head, reasonEnd + 2, maxFields, 'server');
  if ('code' in fields) return asUpstream(fields);
  const declared = declaredBody(fields, version);
  // RFC 9112, section 6.3: these end with their heads, whatever those say of a body.
  const bodiless = status < 200 || status === 204;
  if (typeof declared === 'object' && !bodiless) return asUpstream(declared);
  const body = bodiless || typeof declared === 'object' ? undefined : declared;
  // What comes next on the connection may be a body that the server has sent all the same, or the rest of one.
  const doubtful = bodiless ? (declared ?? 0) !== 0 : fields.disguised;

  const connection = connectionOptions(fields);
  const framing = bodiless || status === 304 || method === 'HEAD' ? noBody : framingOf(body);
  return {
    status,
    reason: head.text.slice('HTTP/1.1 200 '.length, lineEnd),
    version,
    fields,
    framing,
    contentLength: body === 'chunked' ? undefined : body,
    connection,
    persistent: !doubtful && framing.kind !== 'until-close' && isPersistent(version, connection),
    interim: status < 200,
  };
}

function framingOf(declared: Declared): Framing {
  if (declared === undefined) return untilClose;
  return declared === 'chunked' ? chunkedBody : bodyOfLength(declared);
}

/** The shared rules speak of a client; here the server broke them. */
function asUpstream(fault: Failure): Failure {
  const code = fault.code === 'too-many-fields' ? 'upstream-too-many-fields' : 'upstream-head-malformed';
  return failure(code, fault.detail);
}
