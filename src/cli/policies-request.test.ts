import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPrincipal, readRequest } from './policies-request.ts';

const plain = { method: 'GET', path: '/', source: '127.0.0.1' };

test('every kind of principal is read, whatever its name holds', () => {
  const none = { issuer: undefined, claims: undefined };
  const token = { kind: 'token', verified: true, claims: {} };
  for (const [text, principal] of [
    ['user:alice', { kind: 'user', name: 'alice', verified: true, ...none }],
    ['claimed-user:a:b', { kind: 'user', name: 'a:b', verified: false, ...none }],
    ['api-key:id', { kind: 'api-key', name: 'id', verified: true, ...none }],
    ['claimed-api-key:id', { kind: 'api-key', name: 'id', verified: false, ...none }],
    ['token:issuer:svc', { ...token, issuer: 'issuer', name: 'svc' }],
    ['token:https://login.example/:svc', { ...token, issuer: 'https://login.example/', name: 'svc' }],
    [
      'token:https://login.example:8443/x:svc',
      { ...token, issuer: 'https://login.example:8443/x', name: 'svc' },
    ],
    [
      'token:https://k.example:system:serviceaccount:ns:sa',
      { ...token, issuer: 'https://k.example', name: 'system:serviceaccount:ns:sa' },
    ],
    [
      'token:i:s:team=a,group=x,group=y=z',
      { ...token, issuer: 'i', name: 's', claims: { team: 'a', group: ['x', 'y=z'] } },
    ],
  ] as const) {
    assert.deepEqual(readPrincipal(text), { kind: 'value', value: principal }, text);
  }
  for (const text of ['', 'alice', 'user:', 'users:alice', 'token:', 'token:i', 'constructor:x', ':x']) {
    assert.equal(readPrincipal(text).kind, 'wrong', text);
  }
});

test('what the parser has to judge is left as it is', () => {
  const reading = readRequest({
    ...plain,
    method: 'G T',
    path: 'no path',
    header: ['Bad Name : x', 'a:b:c'],
  });
  assert.ok(reading.kind === 'request');
  const { method, target, headers } = reading.request;
  assert.deepEqual([method, target], ['G T', 'no path']);
  assert.deepEqual(headers, [
    { name: 'Bad Name ', value: 'x' },
    { name: 'a', value: 'b:c' },
  ]);
});

test('a length is bytes, a size or chunked, and nothing of a flag reaches another line of the head', () => {
  const length = (text: string) => {
    const reading = readRequest({ ...plain, length: text });
    return reading.kind === 'request' ? reading.request.length : undefined;
  };
  assert.deepEqual(['0', '104857600', '1MiB', 'chunked', 'x', '-1'].map(length), [
    0,
    104_857_600,
    1_048_576,
    'chunked',
    undefined,
    undefined,
  ]);
  for (const flags of [{ method: 'GET\r\n' }, { path: '/\nX: y' }, { header: ['a: b\r\nc: d'] }]) {
    assert.equal(readRequest({ ...plain, ...flags }).kind, 'invalid');
  }
});
