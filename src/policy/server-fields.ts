/** What a policy changes in the fields that the server gets. */
import { assertsUser } from '../http1/field-names.ts';
import type { FieldNames } from '../http1/forward.ts';
import type { HeaderChanges } from './document.ts';

/** Fields that say who is asking: whoever sends them with the server's trust behind them is that user. */
const identifying: readonly string[] = [
  'authorization',
  'proxy-authorization',
  'cookie',
  // Elasticsearch: run as another user, and the credentials of the second leg.
  'es-security-runas-user',
  'es-secondary-authorization',
  'es-client-authentication',
  // OpenSearch: impersonation.
  'opendistro_security_impersonate_as',
];

/** Whether the server will take the request for someone whom Sluice vouches for. */
export function sendsCredentials({ set }: HeaderChanges): boolean {
  return set.some(({ name, value }) => value.kind !== 'text' || isIdentifying(name.toLowerCase()));
}

function isIdentifying(key: string): boolean {
  return identifying.includes(key) || assertsUser(key);
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
      ...(alone ? identifying : []),
    ].flatMap(spellings),
  );
  return alone ? { has: (key) => names.has(key) || assertsUser(key) } : names;
}

const maxSpellings = 64;

function spellings(name: string): readonly string[] {
  let all = [''];
  for (const char of name) {
    const forms = (char === '-' || char === '_') && all.length < maxSpellings ? ['-', '_'] : [char];
    all = all.flatMap((text) => forms.map((form) => text + form));
  }
  return all;
}
