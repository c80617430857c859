/**
 * Header and trailer fields, in the order they came (RFC 9112, section 5). Of its leniencies only those that it asks
 * of a proxy for answers: a server has acted on the request by then, and a 502 would have the client send it again.
 */
import { type Failure, failure } from '../errors.ts';
import { hopByHop, isVital } from './field-names.ts';
import { BLANK, COLON, CR, HTAB, is, LF, SP, TOKEN, VALUE } from './octets.ts';

export interface Field {
  /** The name in lower case. */
  readonly key: string;
  /** The name as received. */
  readonly name: string;
  /** Without the whitespace around it; latin1, so obs-text passes through byte for byte. */
  readonly value: string;
}

/** Keys are asked for in lower case. A linear scan: heads have ten fields, and a Map costs more to fill. */
export class Fields {
  readonly list: readonly Field[];
  /** A field of the framing came with whitespace before its colon: others may have read none there. */
  readonly disguised: boolean;

  constructor(list: readonly Field[], disguised = false) {
    this.list = list;
    this.disguised = disguised;
  }

  /** The first value; see `count` where a second one would be ambiguous. */
  get(key: string): string | undefined {
    for (const field of this.list) if (field.key === key) return field.value;
    return undefined;
  }

  /** All values as one list (RFC 9110, section 5.3); undefined where there is none. */
  joined(key: string): string | undefined {
    if (this.count(key) < 2) return this.get(key);
    const values = this.list.filter((field) => field.key === key);
    return values.map(({ value }) => value).join(', ');
  }

  count(key: string): number {
    let count = 0;
    for (const field of this.list) if (field.key === key) count++;
    return count;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }
}

/**
 * The bytes of one head, `buffer[start..end)`, and the same as a latin1 string: bytes are faster to scan, and
 * a string is faster to cut names and values from than a buffer.
 */
export interface HeadBytes {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Undefined when the bytes don't end in CRLF CRLF. As they do, no scan that stops at a CR runs past `end`.
 */
export function headBytes(buffer: Buffer, start: number, end: number): HeadBytes | undefined {
  const text = buffer.toString('latin1', start, end);
  return text.endsWith('\r\n\r\n') ? { buffer, start, end, text } : undefined;
}

/**
 * A tab beside a length, `chunked` or a host is legal, and parsers that stand before or behind don't all take
 * it for whitespace. It is left on these values, which no valid one of them has, so that they are refused.
 */
const exact: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'host']);

/** The one a proxy must not mend anything for, and the other. */
export type Sender = 'client' | 'server';

/**
 * Reads field lines from `at` up to the empty line, which must be the last thing before `head.end`. Refuses
 * with `header-malformed`, or `too-many-fields` for more than `maxFields`. In a server's, whitespace before a colon is
 * left out and a folded line is joined by a space (RFC 9112, sections 5.1 and 5.2), unless it is the framing's.
 */
export function parseFields(
  head: HeadBytes,
  at: number,
  maxFields: number,
  sender: Sender,
): Fields | Failure {
  const { buffer, start, end, text } = head;
  const list: Field[] = [];
  let disguised = false;
  let position = at;
  while (buffer[position] !== CR) {
    if (sender === 'server' && list.length > 0 && is(buffer, position, BLANK)) {
      position = unfold(head, position, list);
      if (position === -1) return malformed(list, 'a folded line that can not be joined');
      continue;
    }
    if (list.length === maxFields) return tooMany(maxFields, sender);

    const nameStart = position;
    while (is(buffer, position, TOKEN)) position++;
    const nameEnd = position;
    if (sender === 'server') while (is(buffer, position, BLANK)) position++;
    if (buffer[position] !== COLON || nameEnd === nameStart) {
      return malformed(list, nameFault(buffer, nameStart, nameEnd));
    }
    const name = text.slice(nameStart - start, nameEnd - start);
    const spaced = position !== nameEnd;

    position++;
    while (buffer[position] === SP) position++;
    const valueStart = position;
    while (is(buffer, position, VALUE)) position++;
    if (buffer[position] !== CR || buffer[position + 1] !== LF) {
      return malformed(list, valueFault(buffer, position));
    }
    let valueEnd = position;
    while (valueEnd > valueStart && buffer[valueEnd - 1] === SP) valueEnd--;

    const key = name.toLowerCase();
    if (spaced && exact.has(key)) disguised = true;
    const value = text.slice(valueStart - start, valueEnd - start);
    const tabbed = buffer[valueStart] === HTAB || buffer[valueEnd - 1] === HTAB;
    list.push({ key, name, value: tabbed && !exact.has(key) ? trimBlanks(value) : value });
    position += 2;
  }
  return position + 2 === end
    ? new Fields(list, disguised)
    : malformed(list, 'a bare CR, or bytes after the empty line');
}

/**
 * Joins the folded line at `at` to the last field of `list`. Returns where the next line begins, or -1 where the line is
 * no value, or goes on with a length or `chunked`: what others make of these can't be known.
 */
function unfold({ buffer, start, text }: HeadBytes, at: number, list: Field[]): number {
  const last = list.pop();
  let end = at;
  while (is(buffer, end, VALUE)) end++;
  if (last === undefined || exact.has(last.key) || buffer[end] !== CR || buffer[end + 1] !== LF) return -1;
  const rest = trimBlanks(text.slice(at - start, end - start));
  list.push({ ...last, value: trimBlanks(`${last.value} ${rest}`) });
  return end + 2;
}

function tooMany(maxFields: number, sender: Sender): Failure {
  const setting = sender === 'client' ? 'limits.headFields' : 'limits.responseHeadFields';
  return failure('too-many-fields', `more than ${maxFields} fields (${setting})`);
}

function malformed(before: readonly Field[], what: string): Failure {
  return failure('header-malformed', `field ${before.length + 1}: ${what}`);
}

function nameFault(buffer: Buffer, nameStart: number, position: number): string {
  if (buffer[position] === COLON) return 'an empty name';
  if (!is(buffer, position, BLANK)) return 'a character that no name may hold';
  return position === nameStart ? 'a folded line' : 'whitespace in or after the name';
}

function valueFault(buffer: Buffer, position: number): string {
  if (buffer[position] === CR) return 'a bare CR';
  return buffer[position] === LF ? 'a bare LF' : 'a control character in the value';
}

const keepAliveOnly: readonly string[] = ['keep-alive'];
const closeOnly: readonly string[] = ['close'];
const noOptions: readonly string[] = [];

/** The options of all Connection fields, in lower case. */
export function connectionOptions(fields: Fields): readonly string[] {
  const first = fields.get('connection');
  if (first === undefined) return noOptions;
  if (fields.count('connection') === 1) {
    if (first === 'keep-alive') return keepAliveOnly;
    if (first === 'close') return closeOnly;
  }
  return fields.list
    .filter((field) => field.key === 'connection')
    .flatMap((field) => field.value.toLowerCase().split(','))
    .map(trimBlanks)
    .filter((option) => option !== '');
}

/** SP and HTAB alone: `trim` would take NBSP, which is obs-text here, and a pattern would be quadratic. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isBlank = (octet: number): boolean => octet === SP || octet === HTAB;

/** Whether the sender means to keep its connection open after this message (RFC 9112, section 9.3). */
export function isPersistent(version: '1.0' | '1.1', options: readonly string[]): boolean {
  if (options.includes('close')) return false;
  return version === '1.1' || options.includes('keep-alive');
}

/** A name with `_` as `-`: names that read alike, as to CGI and many servers, are one. */
export const dashed = (key: string): string => (key.includes('_') ? key.replaceAll('_', '-') : key);

/**
 * Drops fields whose name, once `_` is read as `-` (as CGI and many servers do), is that of another field of
 * this head, of a vital field or of a hop-by-hop one: a value that no policy has looked at must not pass for
 * one that was.
 */
export function withoutLookAlikes(fields: Fields): Fields {
  const keysOf = new Map<string, string>();
  const collided = new Set<string>();
  for (const { key } of fields.list) {
    const name = dashed(key);
    const other = keysOf.get(name);
    if (other === undefined) keysOf.set(name, key);
    else if (other !== key) collided.add(name);
  }
  return new Fields(
    fields.list.filter(({ key }) => {
      const name = dashed(key);
      return name === key || !(collided.has(name) || isVital(name) || hopByHop.has(name));
    }),
  );
}
