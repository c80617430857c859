/** The texts of a policy document, each read by one function that says what is wrong and how to mend it. */
import { isIP } from 'node:net';
import { shorten } from '../../config/explain.ts';
import { nearest } from '../../config/nearest.ts';
import type { Reading } from '../../config/units.ts';
import { secretVariablePrefix } from '../secrets.ts';

/** As Elasticsearch has it for names of users; longer ones are a mistake. */
const maxText = 1024;
/** A subdomain in the sense of RFC 1123, as Kubernetes asks of names. */
export const namePattern = '^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$';
export const timeOfDayPattern = '^([01]\\d|2[0-3]):[0-5]\\d$|^24:00$';
export const headerNamePattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";
export const variablePattern = `^${secretVariablePrefix}[A-Z0-9_]+$`;

/** Any text that a reader can see whole: what is invisible would be judged and not be noticed. */
export function readText(text: string): Reading<string> {
  if (text === '') return wrong('is empty', 'write at least one character, or leave it out');
  if (text.length > maxText) return wrong(`is longer than ${maxText} characters`, 'shorten it');
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)) {
    return wrong(`${quoted(text)} holds an invisible character`, 'write it anew, by hand');
  }
  return value(text);
}

/** Of a document. */
export function readName(text: string): Reading<string> {
  const fits = text.length <= 253 && new RegExp(namePattern).test(text);
  if (!fits) {
    return wrong(
      `${quoted(text)} is not a name`,
      'write lower-case letters, digits, - and ., e.g. team-a-writes',
    );
  }
  // The decision of no policy is told under this name.
  return text === 'default' ? wrong('default is what no policy decides', 'choose another name') : value(text);
}

/** What the value of a header can equal: printable ASCII without blanks around it. */
export function readFieldText(text: string): Reading<string> {
  if (text === '' || text.length > maxText) return readText(text);
  if (/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text)) return value(text);
  return wrong('is not one line of printable ASCII, without blanks around it', 'write it so');
}

/** In lower case. */
export function readHeaderName(text: string): Reading<string> {
  const fits = text.length <= 256 && new RegExp(headerNamePattern).test(text);
  return fits
    ? value(text.toLowerCase())
    : wrong(`${quoted(text)} is not the name of a header`, 'write letters, digits and -, e.g. x-team');
}

/** Any: what is no known method can be tested as well. */
export function readMethod(text: string): Reading<string> {
  const fits = text.length <= 32 && new RegExp(headerNamePattern).test(text);
  return fits ? value(text) : wrong(`${quoted(text)} is not a method`, 'write e.g. POST');
}

export function readAddress(text: string): Reading<string> {
  if (isIP(text) !== 0 && !text.includes('%')) return value(text);
  return wrong(`${quoted(text)} is not an address`, 'write e.g. 10.1.2.3 or 2001:db8::1');
}

/** Compared segment by segment with the decoded path, so that it has to be one itself. */
export function readPathPattern(text: string): Reading<string> {
  const checked = readText(text);
  if (checked.kind === 'wrong') return checked;
  const shown = quoted(text);
  if (!text.startsWith('/')) return wrong(`${shown} does not begin with /`, `write ${quoted(`/${text}`)}`);
  if (/[?#]/.test(text)) return wrong(`${shown} is more than a path`, 'end it before ? or #');
  if (text.includes('%')) return wrong(`${shown} is encoded`, 'write it decoded: that is what is compared');
  const segments = text.slice(1).replace(/\/$/, '').split('/');
  if (text !== '/' && segments.some((segment) => ['', '.', '..'].includes(segment))) {
    return wrong(`${shown} has an empty segment, . or ..`, 'remove it: no request with one passes');
  }
  if (segments.some((segment) => segment !== '**' && segment.includes('**'))) {
    return wrong(`${shown} has ** beside other characters`, "write ** as a segment of its own: '/a/*/**'");
  }
  return value(text);
}

/** In lower case, without parameters. */
export function readMediaType(text: string): Reading<string> {
  if (/^[a-z\d!#$&^_.+-]{1,127}\/[a-z\d!#$&^_.+-]{1,127}$/i.test(text)) return value(text.toLowerCase());
  return wrong(
    `${quoted(text)} is not a media type without parameters and wildcards`,
    'write e.g. application/x-ndjson',
  );
}

/** `08:30` to minutes since midnight, up to `24:00`. */
export function readTimeOfDay(text: string): Reading<number> {
  if (!new RegExp(timeOfDayPattern).test(text)) {
    return wrong(`${quoted(text)} is not a time of day`, "write hours and minutes, e.g. '08:00'");
  }
  return value(Number(text.slice(0, 2)) * 60 + Number(text.slice(3)));
}

const knownZones = new Map<string, boolean>();
const maxKnownZones = 1024;

/** An IANA name, as far as this Node knows them. */
export function readZone(text: string): Reading<string> {
  if (text.length <= 64 && isZone(text)) return value(text);
  const meant = nearest(text, Intl.supportedValuesOf('timeZone'));
  const fix = meant === undefined ? 'write e.g. Europe/Berlin or UTC' : `did you mean ${meant}?`;
  return wrong(`${quoted(text)} is not a time zone`, fix);
}

function isZone(text: string): boolean {
  let known = knownZones.get(text);
  if (known === undefined) {
    known = isTimeZone(text);
    if (knownZones.size < maxKnownZones) knownZones.set(text, known);
  }
  return known;
}

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}

/** What a client is told: one line of printable ASCII, at most 256 characters. */
export function readReason(text: string): Reading<string> {
  if (/^[\x20-\x7e]{1,256}$/.test(text) && text.trim() !== '') return value(text);
  return wrong('is not one line of 1 to 256 characters of printable ASCII', 'shorten it, or write it so');
}

/** Relative, and inside its directory. */
export function readSecretFile(text: string): Reading<string> {
  const checked = readText(text);
  if (checked.kind === 'wrong') return checked;
  const leadsOut =
    text.startsWith('/') || text.includes('\\') || text.split('/').some((part) => isDots(part));
  if (!leadsOut) return value(text);
  const fix = 'write a path inside policies.secrets.directory, e.g. hot/credentials';
  return wrong(`${quoted(text)} leads out of the directory of secrets`, fix);
}

const isDots = (part: string): boolean => part === '' || part === '.' || part === '..';

export function readSecretVariable(text: string): Reading<string> {
  if (new RegExp(variablePattern).test(text)) return value(text);
  return wrong(
    `${quoted(text)} is not a variable that policies may send`,
    `name it ${secretVariablePrefix} and capitals, digits or _, e.g. ${secretVariablePrefix}HOT`,
  );
}

/** `2026-11-23T10:00:00Z` to milliseconds since 1970. */
export function readMoment(text: string): Reading<number> {
  const fits = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const time = fits ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return value(time);
  return wrong(`${quoted(text)} is not a moment`, 'write date, time and zone, e.g. 2026-11-23T10:00:00Z');
}

/** As a client sends it: the path, encoded, and a query if there is one. */
export function readTarget(text: string): Reading<string> {
  if (/^\/[\x21-\x22\x24-\x7e]*$/.test(text)) return value(text);
  return wrong(`${quoted(text)} is not a path as it is sent`, 'begin with /, and percent-encode the rest');
}

export function quoted(text: string): string {
  return shorten(JSON.stringify(text));
}

function value<T>(read: T): Reading<T> {
  return { kind: 'value', value: read };
}

function wrong(what: string, fix: string): { kind: 'wrong'; wrong: string; fix: string } {
  return { kind: 'wrong', wrong: what, fix };
}
