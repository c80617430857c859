import { type Failure, failure } from '../errors.ts';
import type { Fields } from './fields.ts';

/**
 * How the end of a message body is found (RFC 9112, section 6.3). `length` and bodies are in bytes.
 * A body of known length 0 is `none`, so that nobody starts a relay for it.
 */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

export const noBody: Framing = { kind: 'none' };
export const chunkedBody: Framing = { kind: 'chunked' };
export const untilClose: Framing = { kind: 'until-close' };

export function bodyOfLength(length: number): Framing {
  return length === 0 ? noBody : { kind: 'length', length };
}

/** What a head says of its body: a length in bytes, `chunked`, or nothing. */
export type Declared = number | 'chunked' | undefined;

/**
 * Reads Content-Length and Transfer-Encoding. Refuses whatever two parsers could take for two lengths: both
 * fields together, either of them twice (even if equal), lists, signs, and a transfer coding in HTTP/1.0 (RFC
 * 9112, sections 6.1 and 6.3).
 */
export function declaredBody(fields: Fields, version: '1.0' | '1.1'): Declared | Failure {
  const coding = fields.get('transfer-encoding');
  const length = fields.get('content-length');
  if (coding === undefined) {
    if (length === undefined) return undefined;
    return fields.count('content-length') === 1
      ? parseLength(length)
      : ambiguous('Content-Length more than once');
  }
  if (length !== undefined) return ambiguous('Content-Length together with Transfer-Encoding');
  if (version === '1.0') return ambiguous('Transfer-Encoding in HTTP/1.0');
  if (fields.count('transfer-encoding') > 1) return ambiguous('Transfer-Encoding more than once');
  return coding.toLowerCase() === 'chunked' ? 'chunked' : refuseCoding(coding);
}

function ambiguous(detail: string): Failure {
  return failure('framing-ambiguous', detail);
}

/** Sixteen digits hold every safe integer; a length that needs more can't be counted exactly. */
function parseLength(value: string): number | Failure {
  const length = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(length)) return length;
  return failure(
    'content-length-malformed',
    'Content-Length is not one plain decimal number, or is too large',
  );
}

/** Other codings, before a final `chunked` or alone, are sound but unknown here; all the rest is a trick. */
function refuseCoding(value: string): Failure {
  const codings = value.toLowerCase().split(/, ?/);
  const sound = codings.every((coding) => /^[\w!#$%&'*+.^`|~-]+$/.test(coding));
  const first = codings.indexOf('chunked');
  if (sound && (first === -1 || first === codings.length - 1)) {
    return failure('transfer-coding-not-supported', 'a transfer coding other than chunked');
  }
  return ambiguous('Transfer-Encoding is not exactly chunked');
}
