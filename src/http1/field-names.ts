/** Field names with a meaning to Sluice, in lower case. */

/**
 * For the next hop only, whether or not Connection says so (RFC 9110, section 7.6.1). Framing is among them:
 * it is written anew for each hop.
 */
export const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
]);

const vital: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'content-encoding',
  'expect',
  'authorization',
  'es-secondary-authorization',
  'es-security-runas-user',
  'cookie',
  'forwarded',
  'via',
  'traceparent',
  'tracestate',
  'x-elastic-product',
  'x-opaque-id',
  'x-proxy-roles',
  'x-proxy-user',
  'x-real-ip',
  'x-request-id',
]);

/**
 * Fields whose meaning must be the same to everyone on the way: framing, routing, identity, tracing. A sender
 * can't have them removed by naming them in Connection, nor forge them with `_` for `-`.
 */
export function isVital(key: string): boolean {
  return vital.has(key) || key.startsWith('x-forwarded-');
}

const neverTrailers: ReadonlySet<string> = new Set([
  'cache-control',
  'location',
  'max-forwards',
  'range',
  'retry-after',
  'set-cookie',
  'trailer',
  'www-authenticate',
]);

/**
 * Whether a field means something only in a head, so that it is dropped where it comes as a trailer (RFC
 * 9110, section 6.5.1): vital and hop-by-hop fields, `content-*`, `if-*`, and a few that steer caches and
 * clients. `_` is read as `-`.
 */
export function isBarredTrailer(key: string): boolean {
  const name = key.replaceAll('_', '-');
  return (
    isVital(name) ||
    hopByHop.has(name) ||
    neverTrailers.has(name) ||
    name.startsWith('content-') ||
    name.startsWith('if-')
  );
}

/**
 * Whether a server that trusts the proxy before it takes this field's word for who the user is (OpenSearch's proxy
 * authentication: `x-proxy-user`, `x-proxy-roles`, `x-proxy-ext-*`); with `_` for `-` as well. Keys in lower case.
 */
export function assertsUser(key: string): boolean {
  return key.startsWith('x') && asserting.test(key);
}

const asserting = /^x[-_]proxy[-_](?:user$|roles$|ext(?:[-_]|$))/;
