/**
 * A request's query, decoded once, as the servers' `RestUtils.decodeQueryString` does: parameters end at `&` and `;`,
 * leading `=` are skipped, `+` is a space. Of several values of one name the servers take the last; all are kept here,
 * since a hop on the way may take another.
 */
import { type Failure, failure } from '../errors.ts';

/** By name, in the order in which they come. Undefined is a value that can't be decoded, which servers refuse. */
export type QueryParameters = ReadonlyMap<string, readonly (string | undefined)[]>;

const none: QueryParameters = new Map();

/**
 * Reads `RequestHead.query`: empty, or from its `?` on. Refused with `path-ambiguous` are names with an escape that is
 * malformed, no valid UTF-8, or of a character that needs none, as in `pip%65line`: servers decode them, and nothing
 * that looks for the name as it is written would find it.
 */
export function readQuery(query: string): QueryParameters | Failure {
  if (query.length < 2) return none;
  const parameters = new Map<string, (string | undefined)[]>();
  for (const pair of query.slice(1).split(/[&;]/)) {
    const start = pair.search(/[^=]/);
    if (start === -1) continue;
    const end = pair.indexOf('=', start);
    const raw = end === -1 ? pair.slice(start) : pair.slice(start, end);
    const name = isPlain(raw) ? raw : decodeName(raw);
    if (typeof name !== 'string') return name;
    const value = end === -1 ? '' : pair.slice(end + 1);
    const decoded = isPlain(value) ? value : decode(value);
    const before = parameters.get(name);
    if (before === undefined) parameters.set(name, [decoded]);
    else before.push(decoded);
  }
  return parameters;
}

function isPlain(text: string): boolean {
  return !text.includes('%') && !text.includes('+');
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function decodeName(raw: string): string | Failure {
  const decoded = decode(raw);
  if (decoded === undefined)
    return failure('path-ambiguous', 'a malformed escape in the name of a parameter');
  for (const [, digits = ''] of raw.matchAll(/%(..)/g)) {
    const octet = Number.parseInt(digits, 16);
    if (octet < 0x80 && /[\w.-]/.test(String.fromCharCode(octet))) {
      return failure('path-ambiguous', 'an escape that the name of a parameter does not need');
    }
  }
  return decoded;
}
