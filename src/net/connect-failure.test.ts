import assert from 'node:assert/strict';
import { it } from 'node:test';
import { errors } from '../errors.ts';
import { connectFailure, tlsFailure } from './connect-failure.ts';

it('what the system says becomes a row of the table, with the address and the errno in its detail', () => {
  const rows = {
    ECONNREFUSED: 'upstream-refused',
    ETIMEDOUT: 'upstream-connect-timeout',
    EHOSTUNREACH: 'upstream-unreachable',
    ENETUNREACH: 'upstream-unreachable',
    EACCES: 'upstream-unreachable',
    EADDRNOTAVAIL: 'upstream-unreachable',
    ENOTFOUND: 'upstream-name-unresolved',
    EMFILE: 'internal',
  } as const;
  for (const [errno, code] of Object.entries(rows)) {
    assert.deepEqual(connectFailure(errno, '10.0.0.1:9200'), { code, detail: `10.0.0.1:9200: ${errno}` });
  }
});

it('another node may be tried after each failure but one of our own', () => {
  for (const errno of ['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'anything']) {
    assert.equal(errors[connectFailure(errno, 'a').code].retryable, true);
  }
  assert.equal(errors[connectFailure('ENFILE', 'a').code].side, 'proxy');
});

it('a handshake that fails for a reason without a text is told by its code', () => {
  const error = Object.assign(new Error('no shared cipher'), { code: 'ERR_SSL_NO_SHARED_CIPHER' });
  assert.deepEqual(tlsFailure(error, 'a:1', 'es.test'), {
    code: 'upstream-tls',
    detail: 'a:1: ERR_SSL_NO_SHARED_CIPHER',
  });
});
