/**
 * Which proxies a request has come through (RFC 9110, section 7.6.3), so that one that comes back to where it has been
 * is stopped: without that, a proxy whose upstream leads to itself multiplies each request until it has no socket left.
 */
import { randomBytes } from 'node:crypto';
import type { RequestHead } from '../http1/request-head.ts';

/** What all of them begin with. */
const name = 'sluice-';

/** More proxies of this kind in one chain than anybody builds: a loop through so many replicas that none is met twice. */
const mostHops = 10;

/** The name of one proxy in Via: another for each process, since replicas stand in one chain as well. */
export function newPseudonym(): string {
  return `${name}${randomBytes(4).toString('hex')}`;
}

/** The field line of the request that goes on, with its CRLF. */
export function viaLine(head: RequestHead, pseudonym: string): string {
  const before = head.fields.joined('via');
  return `Via: ${before === undefined ? '' : `${before}, `}${head.version} ${pseudonym}\r\n`;
}

/** Whether the request has been here before, or has come through too many like this one. */
export function isLoop(head: RequestHead, pseudonym: string): boolean {
  const via = head.fields.joined('via');
  if (via === undefined || !via.includes(name)) return false;
  const hops = via.split(',').map(receivedBy);
  return hops.includes(pseudonym) || hops.filter((hop) => hop.startsWith(name)).length >= mostHops;
}

/** Of one member, `1.1 name (comment)`; empty where it is none. */
function receivedBy(member: string): string {
  return /^[ \t]*[^ \t]+[ \t]+([^ \t]+)/.exec(member)?.[1] ?? '';
}
