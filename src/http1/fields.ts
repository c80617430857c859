/** Header and trailer fields, in the order they came (RFC 9112, section 5, without its leniencies). */
import { type Failure, failure } from '../errors.ts';
import { hopByHop, isVital } from './field-names.ts';
import { BLANK, COLON, CR, HTAB, is, LF, SP, TOKEN, VALUE } from './octets.ts';

/** More fields than this in one head are refused. */
export const maxFields = 100;

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

  constructor(list: readonly Field[]) {
    this.list = list;
  }

  /** The first value; see `count` where a second one would be ambiguous. */
  get(key: string): string | undefined {
    for (const field of this.list) if (field.key === key) return field.value;
    return undefined;
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

/**
 * Reads field lines from `at` up to the empty line, which must be the last thing before `head.end`. Refuses
 * with `header-malformed`, or `head-too-large` for more than `maxFields`.
 */
export function parseFields(head: HeadBytes, at: number): Fields | Failure {
  const { buffer, start, end, text } = head;
  const list: Field[] = [];
  let position = at;
  while (buffer[position] !== CR) {
    if (list.length === maxFields) return failure('head-too-large', `more than ${maxFields} fields`);

    const nameStart = position;
    while (is(buffer, position, TOKEN)) position++;
    if (buffer[position] !== COLON || position === nameStart) {
      return malformed(list, nameFault(buffer, nameStart, position));
    }
    const name = text.slice(nameStart - start, position - start);

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
    const value = text.slice(valueStart - start, valueEnd - start);
    const tabbed = buffer[valueStart] === HTAB || buffer[valueEnd - 1] === HTAB;
    list.push({ key, name, value: tabbed && !exact.has(key) ? trimBlanks(value) : value });
    position += 2;
  }
  return position + 2 === end
    ? new Fields(list)
    : malformed(list, 'a bare CR, or bytes after the empty line');
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

const dashed = (key: string): string => key.replaceAll('_', '-');

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
