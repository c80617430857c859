import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeaderValue } from './document.ts';
import { droppedFields, mayCarrySecret, namesUser, sendsCredentials } from './server-fields.ts';

const text: HeaderValue = { kind: 'text', text: 'a' };
const setting = (name: string, value: HeaderValue = text) => ({ set: [{ name, value }], remove: [] });

test('a secret goes only into fields that no server shows to clients', () => {
  for (const key of [
    'authorization',
    'cookie',
    'es-secondary-authorization',
    'es-client-authentication',
    'x-api-key',
    'x_api_key',
    'x-amz-security-token',
    'x-client-secret',
    'x-hot-authorization',
  ]) {
    assert.ok(mayCarrySecret(key), key);
  }
  for (const key of [
    'x-opaque-id',
    'accept',
    'content-type',
    'user-agent',
    'traceparent',
    'origin',
    'x-key-id',
    'x-tokens',
    'monkey',
    'es-security-runas-user',
    'opendistro_security_impersonate_as',
    'x-proxy-ext-token',
  ]) {
    assert.ok(!mayCarrySecret(key), key);
  }
});

test('whoever names a user to the server vouches for them, in any spelling', () => {
  for (const name of [
    'es-security-runas-user',
    'Es_Security_RunAs_User',
    'opendistro_security_impersonate_as',
    'Opendistro-Security-Impersonate-As',
    'X-Proxy-User',
    'x_proxy_roles',
    'X-Proxy-Ext-Team',
  ]) {
    assert.ok(namesUser(name.toLowerCase()), name);
    assert.ok(sendsCredentials(setting(name)), name);
  }
  assert.ok(!sendsCredentials(setting('X-Team')));
  assert.ok(sendsCredentials(setting('X-Team-Key', { kind: 'env', variable: 'SLUICE_SECRET_A' })));
});

test("beside Sluice's credentials no client says who it is", () => {
  const dropped = droppedFields(setting('Authorization', { kind: 'file', file: 'a' }));
  for (const key of [
    'authorization',
    'cookie',
    'x-api-key',
    'x_api_key',
    'es_security_runas_user',
    'es-client-authentication',
    'opendistro_security_impersonate_as',
    'opendistro-security-impersonate-as',
    'x_proxy-user',
  ]) {
    assert.ok(dropped.has(key), key);
  }
  assert.ok(!droppedFields(setting('X-Team')).has('authorization'));
});

test('however many hyphens a name has, what reads alike is dropped with it', () => {
  const name = 'x-a-b-c-d-e-f-g-h-i-j';
  const removing = droppedFields({ set: [], remove: [name] });
  for (const key of [name, name.replaceAll('-', '_'), 'x_a-b_c-d_e-f_g-h_i-j', 'x-a-b-c-d-e-f-g-h-i_j']) {
    assert.ok(removing.has(key), key);
  }
  assert.ok(!removing.has('x-a-b-c-d-e-f-g-h-i-k'));
});
