/**
 * The beginning of a head, and those of other protocols that come to the wrong port. Most of these hold no end of a
 * head: who waits for one learns nothing until a deadline.
 */
import { CR, is, LF, SP, TOKEN } from './octets.ts';

export type Protocol = 'TLS' | 'PROXY 1' | 'PROXY 2' | 'HTTP/2';

/** How much of a head is looked at to tell that it is none. */
const beginningBytes = 16;

const SLASH = 0x2f;
const LETTER_P = 0x50;

/**
 * Whether no head begins as `buffer[start..end)` does, behind any empty lines: a start line begins with a method or
 * with `HTTP/1.1`. Looks at the first bytes alone, so that it says the same however they were cut. The PROXY protocol's
 * first version is a line of words, and is known by them. The engine follows the same rule (engine/src/head.h).
 */
export function beginsNoHead(buffer: Buffer, start: number, end: number): boolean {
  const stop = Math.min(end, start + beginningBytes);
  for (let at = start; at < stop; at++) {
    const octet = buffer[at];
    if (octet === SP || octet === CR || octet === LF) break;
    if (octet !== SLASH && !is(buffer, at, TOKEN)) return true;
  }
  return buffer[start] === LETTER_P && start < end && isProxyLine(buffer.toString('latin1', start, stop));
}

/** The protocol that begins as `buffer[start..end)` does, behind any empty lines; undefined for none that is known. */
export function protocolOf(buffer: Buffer, start: number, end: number): Protocol | undefined {
  const text = buffer.toString('latin1', start, Math.min(end, start + beginningBytes));
  const first = text.charCodeAt(0);
  // RFC 8446, section 5.1: a record's type, 20 to 23, and version 3.x of what was SSL.
  if (first >= 20 && first <= 23 && (text.length === 1 || text[1] === '\x03')) return 'TLS';
  if (isProxyLine(text)) return 'PROXY 1';
  // Its signature is CRLF CRLF NUL CRLF QUIT LF.
  if (text.startsWith('\0\r')) return 'PROXY 2';
  // RFC 9113: a client's preface (3.4), and the SETTINGS that a server begins with (6.5).
  if (text.startsWith('PRI * HTTP/2.0') || isSettings(text)) return 'HTTP/2';
  return undefined;
}

/** https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.1. */
function isProxyLine(text: string): boolean {
  return text.startsWith('PROXY TCP4 ') || text.startsWith('PROXY TCP6 ') || text.startsWith('PROXY UNKNOWN');
}

/** A frame's length (24 bits), type 4, its flags, stream 0. */
function isSettings(text: string): boolean {
  return text.startsWith('\0') && text[3] === '\x04' && text.slice(5, 9) === '\0\0\0\0';
}
