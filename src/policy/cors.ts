/**
 * A browser's question before a request from another origin (Fetch standard, "CORS-preflight fetch"). It never carries
 * credentials, so that no policy that asks for a principal can allow it. It opens nothing: servers answer OPTIONS on
 * any path from their CORS settings, or with the methods that the path has.
 */
import { isNominated } from '../http1/forward.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { carriesCredentials } from './server-fields.ts';

/** What else comes with OPTIONS, credentials or a body above all, is no such question. */
export function isCorsPreflight({ method, framing, fields, connection }: RequestHead): boolean {
  if (method !== 'OPTIONS' || framing.kind !== 'none') return false;
  let origins = 0;
  let methods = 0;
  for (const { key } of fields.list) {
    if (key === 'origin') origins += 1;
    else if (key === 'access-control-request-method') methods += 1;
    else if (carriesCredentials(key)) return false;
  }
  if (origins !== 1 || methods !== 1) return false;
  return !isNominated('origin', connection) && !isNominated('access-control-request-method', connection);
}
