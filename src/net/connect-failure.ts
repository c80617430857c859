/** From what the system or the TLS library says when a connection can't be made, to a row of the error table. */
import { type ErrorCode, type Failure, failure } from '../errors.ts';

const refused = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);
const timedOut = new Set(['ETIMEDOUT']);
const unresolved = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NONAME', 'EINVAL']);

/**
 * What this machine refuses, whatever the node is like. EADDRNOTAVAIL: every local port towards that address and port
 * is taken, or waits in TIME_WAIT (net.ipv4.ip_local_port_range). ENOSPC: no more descriptors may be watched
 * (fs.epoll.max_user_watches). EPERM and EACCES: a firewall of this machine's, a full table of connections behind it
 * (nf_conntrack), seccomp, SELinux.
 */
const ours: Readonly<Record<string, ErrorCode>> = {
  EMFILE: 'out-of-descriptors',
  ENFILE: 'out-of-descriptors',
  EADDRNOTAVAIL: 'out-of-ports',
  ENOBUFS: 'out-of-memory',
  ENOMEM: 'out-of-memory',
  ENOSPC: 'out-of-memory',
  EAGAIN: 'out-of-memory',
  EPERM: 'connect-forbidden',
  EACCES: 'connect-forbidden',
};

/** True for an errno that says nothing of a node. */
export function isOurs(errno: string): boolean {
  return Object.hasOwn(ours, errno);
}

/** `code` is the name of an errno, such as `ECONNREFUSED`. Those not known count as unreachable. */
export function connectFailure(code: string, address: string): Failure {
  const detail = `${address}: ${code}`;
  if (refused.has(code)) return failure('upstream-refused', detail);
  if (timedOut.has(code)) return failure('upstream-connect-timeout', detail);
  if (unresolved.has(code)) return failure('upstream-name-unresolved', detail);
  const own = ours[code];
  if (own !== undefined) return failure(own, detail);
  return failure('upstream-unreachable', detail);
}

const certificateFaults: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  CERT_REVOKED: 'the certificate is revoked',
  CERT_UNTRUSTED: 'the certificate is not trusted',
  INVALID_PURPOSE: 'the certificate is not meant for a server',
  CERT_SIGNATURE_FAILURE: "the certificate's signature is wrong",
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the chain ends in a self-signed certificate that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate was issued by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate was issued by an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate was issued by an unknown authority',
};

/** What went wrong in a handshake, told so that one knows which certificate to mend. */
export function tlsFailure(error: NodeJS.ErrnoException, address: string, serverName: string): Failure {
  return failure('upstream-tls', `${address}: ${tlsFault(error, serverName)}`);
}

function tlsFault(error: NodeJS.ErrnoException, serverName: string): string {
  const code = error.code ?? '';
  const fault = certificateFaults[code];
  if (fault) return `${fault} (${code})`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = 'cert' in error ? subjectNames(error.cert) : '';
    return `the certificate is not for ${serverName}${names && `, but for ${names}`} (host name mismatch)`;
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'the server does not speak TLS';
  }
  if (refused.has(code)) return 'the server closed the connection during the handshake';
  return code || error.message;
}

function subjectNames(certificate: unknown): string {
  const { subjectaltname } = certificate as { subjectaltname?: string };
  return subjectaltname ?? '';
}
