import assert from 'node:assert/strict';
import { it } from 'node:test';
import { errors } from '../errors.ts';
import { connectFailure, isOurs, tlsFailure } from './connect-failure.ts';

it('what the system says becomes a row of the table, with the address and the errno in its detail', () => {
  const rows = {
    ECONNREFUSED: 'upstream-refused',
    ETIMEDOUT: 'upstream-connect-timeout',
    EHOSTUNREACH: 'upstream-unreachable',
    ENETUNREACH: 'upstream-unreachable',
    ENOTFOUND: 'upstream-name-unresolved',
    EMFILE: 'out-of-descriptors',
    ENFILE: 'out-of-descriptors',
    EADDRNOTAVAIL: 'out-of-ports',
    ENOBUFS: 'out-of-memory',
    ENOMEM: 'out-of-memory',
    ENOSPC: 'out-of-memory',
    EPERM: 'connect-forbidden',
    EACCES: 'connect-forbidden',
  } as const;
  for (const [errno, code] of Object.entries(rows)) {
    assert.deepEqual(connectFailure(errno, '10.0.0.1:9200'), { code, detail: `10.0.0.1:9200: ${errno}` });
  }
});

it('another node may be tried after each failure, and what this machine lacks blames none', () => {
  const theirs = ['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'anything'];
  const own = ['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM', 'ENOSPC', 'EPERM', 'EACCES'];
  for (const errno of [...theirs, ...own]) {
    const { retryable, side, status } = errors[connectFailure(errno, 'a').code];
    assert.equal(retryable, true, errno);
    assert.equal(side, own.includes(errno) ? 'proxy' : 'upstream', errno);
    assert.equal(isOurs(errno), own.includes(errno), errno);
    if (own.includes(errno)) assert.equal(status, 503, errno);
  }
});

it('a handshake that fails for a reason without a text is told by its code', () => {
  const error = Object.assign(new Error('no shared cipher'), { code: 'ERR_SSL_NO_SHARED_CIPHER' });
  assert.deepEqual(tlsFailure(error, 'a:1', 'es.test'), {
    code: 'upstream-tls',
    detail: 'a:1: ERR_SSL_NO_SHARED_CIPHER',
  });
});
