/** What a policy changes in the fields that the server gets. */

import { assertsUser } from '../http1/field-names.ts';
import { dashed } from '../http1/fields.ts';
import type { FieldNames } from '../http1/forward.ts';
import type { HeaderChanges } from './document.ts';

/** Fields that carry credentials. No server shows one in an answer. With `-` for `_`, as the next. */
const credentials: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'x-api-key',
  // Elasticsearch: the credentials of the second leg.
  'es-secondary-authorization',
  'es-client-authentication',
]);

/** Fields that name the user for whom the server takes the request: run-as of Elasticsearch and of OpenSearch. */
const impersonating: ReadonlySet<string> = new Set([
  'es-security-runas-user',
  'opendistro-security-impersonate-as',
]);

/** Whether a field, by its name in lower case, carries credentials and nothing else. */
export function carriesCredentials(key: string): boolean {
  return credentials.has(key.replaceAll('_', '-'));
}

/** Whether a field, by its name in lower case, says who the user is; that is no secret. */
export function namesUser(key: string): boolean {
  return impersonating.has(key.replaceAll('_', '-')) || assertsUser(key);
}

/**
 * Whether a field, by its name in lower case, may be given a secret. Others may come back to the client: servers
 * send `X-Opaque-Id` as it came, and quote `Accept` and `Content-Type` in errors.
 */
export function mayCarrySecret(key: string): boolean {
  return carriesCredentials(key) || (!namesUser(key) && /-(?:token|key|secret|authorization)$/.test(key));
}

/** Whether the server will take the request for someone whom Sluice vouches for. */
export function sendsCredentials({ set }: HeaderChanges): boolean {
  return set.some(({ name, value }) => {
    const key = name.toLowerCase();
    return value.kind !== 'text' || carriesCredentials(key) || namesUser(key);
  });
}

/**
 * Whether the server will not see by what the client says who it is. Principals are read from Authorization alone: who
 * removes another field takes a way to be somebody from the client, and gives none.
 */
export function removesClaims({ remove }: HeaderChanges): boolean {
  return remove.includes('authorization');
}

/**
 * Fields of the client's that do not reach the server: those removed, those that Sluice sets itself, and, beside
 * Sluice's credentials, all by which a client could be another; each also with `_` for `-`, as many servers read it.
 */
export function droppedFields(changes: HeaderChanges): FieldNames {
  const alone = sendsCredentials(changes);
  const names = new Set(
    [
      ...changes.remove,
      ...changes.set.map(({ name }) => name.toLowerCase()),
      ...(alone ? [...credentials, ...impersonating] : []),
    ].map(dashed),
  );
  return { has: (key) => names.has(dashed(key)) || (alone && assertsUser(key)) };
}
