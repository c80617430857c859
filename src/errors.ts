/**
 * Every way an exchange can fail, in one table. Hostile or unlucky input is never thrown: it is one of these
 * codes, carried as a value. `docs/errors.md` lists the same rows; a test keeps the two equal.
 */

/** Whose doing it was. `client`: the request or its sender; `proxy`: Sluice itself; `upstream`: the server. */
export type Side = 'client' | 'proxy' | 'upstream';

export interface ErrorRow {
  readonly side: Side;
  /** The status the client is answered with while no response head has been sent; 499 is only ever logged. */
  readonly status: number;
  /** True where another node may be tried, as long as no byte of the body has left for a server. */
  readonly retryable: boolean;
  readonly reason: string;
}

const row = (side: Side, status: number, reason: string, retryable = false): ErrorRow => ({
  side,
  status,
  retryable,
  reason,
});

export const errors = {
  // The head of the request. All of these close the connection: what follows it can't be trusted.
  'request-line-malformed': row('client', 400, 'The request line is malformed.'),
  'tls-on-plain-port': row('client', 400, 'The client speaks TLS to a port of plain HTTP.'),
  'proxy-protocol-unexpected': row('client', 400, 'The connection begins with the PROXY protocol.'),
  'target-malformed': row('client', 400, 'The request target is malformed.'),
  'header-malformed': row('client', 400, 'A header field is malformed.'),
  'host-malformed': row('client', 400, 'The request must carry exactly one valid Host.'),
  'framing-ambiguous': row('client', 400, 'The length of the body is ambiguous.'),
  'content-length-malformed': row('client', 400, 'Content-Length is malformed.'),
  'chunk-malformed': row('client', 400, 'The chunked body is malformed.'),
  'head-timeout': row('client', 408, 'The request head did not arrive in time.'),
  'body-stalled': row('client', 408, 'The request body stopped arriving.'),
  'target-too-long': row('client', 414, 'The request target is too long.'),
  'expectation-failed': row('client', 417, 'The only expectation supported is 100-continue.'),
  'too-many-fields': row('client', 431, 'The request head has too many fields.'),
  'head-too-large': row('client', 431, 'The request head is too large.'),
  'trailers-too-long': row('client', 431, 'The trailers are longer than limits.trailerBytes.'),
  'method-not-supported': row('client', 501, 'The method is not supported.'),
  'transfer-coding-not-supported': row('client', 501, 'The only transfer coding supported is chunked.'),
  'version-not-supported': row('client', 505, 'Only HTTP/1.0 and HTTP/1.1 are supported.'),
  'client-gone': row('client', 499, 'The client closed the connection before the exchange ended.'),
  'client-lost': row('client', 499, "The client's host stopped acknowledging what was sent to it."),
  'client-stalled': row('client', 499, 'The client stopped reading the response.'),

  // What a policy says. A deny's own status and reason win over these.
  'path-ambiguous': row('client', 400, 'The path can be read in more than one way.'),
  unauthenticated: row('client', 401, 'The credentials are missing or not valid.'),
  'policy-denied': row('client', 403, 'No policy allows this request.'),
  'body-too-large': row('client', 413, 'The request body is larger than the policy allows.'),
  'policy-limited': row('client', 429, "The policy's limit is reached."),

  // Sluice itself.
  'no-policies': row('proxy', 503, 'No policies have been loaded yet.'),
  'identity-unavailable': row('proxy', 503, 'The credentials can not be verified at the moment.'),
  'no-cluster': row('proxy', 503, 'The policy routes to a cluster that is not configured.'),
  'no-node': row('proxy', 503, 'No upstream node is available.'),
  'loop-detected': row('proxy', 508, 'The request has come back: an upstream node leads to this proxy.'),
  'shutting-down': row('proxy', 503, 'The proxy is shutting down.'),
  internal: row('proxy', 500, 'The proxy failed.'),

  // The machine that Sluice runs on has no more of something. No node is to blame, and another one may still do.
  'out-of-descriptors': row('proxy', 503, 'The proxy has no file descriptor left for a connection.', true),
  'out-of-ports': row('proxy', 503, 'The proxy has no local port left for a connection to the node.', true),
  'out-of-memory': row('proxy', 503, 'The system has no memory left for a connection.', true),
  'connect-forbidden': row('proxy', 503, 'The system forbids the proxy to connect to the node.', true),

  // The way to the server, before it has answered.
  'upstream-name-unresolved': row('upstream', 502, 'The name of the upstream node does not resolve.', true),
  'upstream-refused': row('upstream', 502, 'The upstream node refused the connection.', true),
  'upstream-unreachable': row('upstream', 502, 'The upstream node is unreachable.', true),
  'upstream-connect-timeout': row('upstream', 504, 'The upstream node did not accept in time.', true),
  'upstream-tls': row('upstream', 502, 'The TLS handshake with the upstream node failed.', true),
  'upstream-lost': row('upstream', 504, "The upstream node's host stopped acknowledging.", true),
  'upstream-closed': row('upstream', 502, 'The upstream node closed before it answered.', true),

  // The server's answer.
  'upstream-head-malformed': row('upstream', 502, 'The upstream node sent a malformed response head.'),
  'upstream-head-too-large': row('upstream', 502, 'The upstream node sent too large a response head.'),
  'upstream-expectation-failed': row(
    'upstream',
    502,
    'The upstream node refused an expectation of the proxy when the body had begun.',
  ),
  'upstream-too-many-fields': row('upstream', 502, 'The upstream node sent too many header fields.'),
  'upstream-head-timeout': row('upstream', 504, 'The upstream node did not answer in time.'),
  'upstream-not-reading': row('upstream', 504, 'The upstream node stopped reading the request body.'),
  'upstream-body-malformed': row('upstream', 502, 'The upstream node sent a malformed response body.'),
  'upstream-trailers-too-long': row(
    'upstream',
    502,
    'The upstream node sent trailers longer than limits.trailerBytes.',
  ),
  'upstream-truncated': row('upstream', 502, 'The upstream node closed in the middle of its response.'),
  'upstream-stalled': row('upstream', 504, 'The upstream node stopped sending its response.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errors;

/** All of them, in the order of the table. */
export const errorCodes = Object.keys(errors) as readonly ErrorCode[];

/** One failure: its code, and what exactly was wrong. The detail never holds a secret or a raw header value. */
export interface Failure {
  readonly code: ErrorCode;
  readonly detail: string;
}

export function failure(code: ErrorCode, detail: string = errors[code].reason): Failure {
  return { code, detail };
}
