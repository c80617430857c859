/**
 * A request's path, decoded once, and read as the servers read it. Both split the raw path at its slashes, match
 * the raw segments against their routes and decode only what stands for a parameter (`RestController`,
 * `PathTrie`, `RestUtils`). What another parser on the way could read as a different path is refused.
 */
import { type Failure, failure } from '../errors.ts';

export interface JudgedPath {
  /** Decoded, without a trailing slash: `/logs-a/_bulk`. A slash inside a segment stays `%2F`. */
  readonly text: string;
  /** Decoded. The root has none. */
  readonly segments: readonly string[];
  /** Places of segments with a slash inside that is not of date math, ascending: for encoded-slash.ts to judge. */
  readonly slashed: readonly number[];
}

/** More segments than any route has, by far. */
const maxSegments = 32;

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const BACKSLASH = 0x5c;

const none: readonly number[] = [];
const root: JudgedPath = { text: '/', segments: [], slashed: none };
/** Of `OPTIONS *` alone. */
const wholeServer: JudgedPath = { text: '*', segments: ['*'], slashed: none };

/**
 * Reads `RequestHead.path`, which is raw and without its query. Refused with `path-ambiguous`: empty segments
 * (but one trailing slash, which the servers ignore), `.` and `..`, backslashes, control characters, malformed
 * escapes and invalid UTF-8, an escape that decodes to another escape, and escapes of what needs none
 * (RFC 3986, section 6.2.2.2: normalisers decode `%5Fbulk`, the servers' routes don't). So are dot segments beside an
 * encoded slash. Encoded slashes themselves are told in `slashed`, except where date math rounds, as in
 * `<logs-{now%2Fd}>`: whether one may stand there depends on the route.
 *
 * `+` stands for itself, as in Elasticsearch 7 and later and in OpenSearch. Older ones read a space, which no
 * index name may hold, so no verdict hangs on it. `;` is no more special to the servers than any letter.
 */
export function readPath(path: string): JudgedPath | Failure {
  if (path === '/') return root;
  if (path === '*') return wholeServer;
  if (path.charCodeAt(0) !== SLASH) return failure('path-ambiguous', 'the path does not begin with a slash');

  const end = path.charCodeAt(path.length - 1) === SLASH ? path.length - 1 : path.length;
  const segments: string[] = [];
  let start = 1;
  let encoded = false;
  for (let at = 1; at <= end; at++) {
    const char = at === end ? SLASH : path.charCodeAt(at);
    if (char === SLASH) {
      const fault = shapeFault(path, start, at);
      if (fault !== undefined) return failure('path-ambiguous', fault);
      if (segments.push(path.slice(start, at)) > maxSegments) {
        return failure('path-ambiguous', `more than ${maxSegments} segments`);
      }
      start = at + 1;
    } else if (char === PERCENT) encoded = true;
    else if (char === BACKSLASH) return failure('path-ambiguous', 'a backslash');
    else if (char <= 0x20 || char >= 0x7f)
      return failure('path-ambiguous', 'a character that is not encoded');
  }
  if (encoded) return decodeSegments(segments);
  return { text: end === path.length ? path : path.slice(0, end), segments, slashed: none };
}

function shapeFault(path: string, start: number, end: number): string | undefined {
  if (end === start) return 'an empty segment';
  if (path.charCodeAt(start) !== DOT || end - start > 2) return undefined;
  return end - start === 1 || path.charCodeAt(start + 1) === DOT ? 'a dot segment' : undefined;
}

function decodeSegments(segments: readonly string[]): JudgedPath | Failure {
  const decoded: string[] = [];
  let slashed: number[] | undefined;
  let text = '';
  for (const raw of segments) {
    const segment = raw.includes('%') ? decodeSegment(raw) : raw;
    if (typeof segment !== 'string') return segment;
    if (segment.includes('/') && !isDateMath(segment)) {
      if (dotPiece.test(segment)) return failure('path-ambiguous', 'a dot segment beside an encoded slash');
      slashed ??= [];
      slashed.push(decoded.length);
    }
    decoded.push(segment);
    // So that no pattern on the path takes a slash inside a segment for one between two.
    text += `/${segment.includes('/') ? segment.replaceAll('/', '%2F') : segment}`;
  }
  return { text, segments: decoded, slashed: slashed ?? none };
}

const dotPiece = /(?:^|\/)\.{1,2}(?:\/|$)/;

function decodeSegment(raw: string): string | Failure {
  const escapes = escapeFault(raw);
  if (escapes !== undefined) return failure('path-ambiguous', escapes);
  let decoded: string;
  try {
    decoded = decodeURIComponent(raw);
  } catch {
    return failure('path-ambiguous', 'an escape that is not valid UTF-8');
  }
  if (/\p{Cc}/u.test(decoded)) return failure('path-ambiguous', 'an encoded control character');
  if (/%[0-9A-Fa-f]{2}/.test(decoded)) return failure('path-ambiguous', 'an escape that is encoded again');
  return decoded;
}

/** What is wrong with the escapes one by one. */
function escapeFault(raw: string): string | undefined {
  for (let at = raw.indexOf('%'); at !== -1; at = raw.indexOf('%', at + 1)) {
    const digits = raw.slice(at + 1, at + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return 'a malformed escape';
    const octet = Number.parseInt(digits, 16);
    if (octet === BACKSLASH) return 'an encoded backslash';
    if (octet === DOT) return 'an encoded dot';
    if (octet < 0x80 && /[\w-]/.test(String.fromCharCode(octet))) {
      return 'an encoded letter, digit, underscore or hyphen, which needs no encoding';
    }
  }
  return undefined;
}

/**
 * Whether each slash rounds a date: inside the braces of `<...{...}...>` and followed by nothing but a unit,
 * `<logs-{now/d}>` or `<logs-{now-1M/M{yyyy.MM|+12:00}}>`. Nothing that names a route fits in there.
 */
function isDateMath(segment: string): boolean {
  let open = false;
  let braces = 0;
  for (let at = 0; at < segment.length; at++) {
    const char = segment[at];
    if (char === '<') open = true;
    else if (char === '>') open = false;
    else if (char === '{') braces++;
    else if (char === '}') braces--;
    else if (
      char === '/' &&
      !(open && braces === 1 && /^[yMwdhHms][-+{}]/.test(segment.slice(at + 1, at + 3)))
    ) {
      return false;
    }
  }
  return true;
}
