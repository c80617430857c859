/** What Sluice itself says in the heads that it passes on. Pure text; every line ends with CRLF. */
import { randomBytes } from 'node:crypto';
import { connectionLines } from '../http1/connection-lines.ts';
import { assertsUser } from '../http1/field-names.ts';
import type { FieldNames } from '../http1/forward.ts';
import type { RequestHead } from '../http1/request-head.ts';

/** Fields by which a client could claim to be another, or to come from elsewhere. */
const claims: readonly string[] = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
];
const own: readonly string[] = ['x-request-id', 'via'];

const untrusted: ReadonlySet<string> = new Set([...own, ...claims]);

/** Dropped from requests, since Sluice writes its own or trusts no one else's. */
export const droppedFromRequests: Readonly<Record<Trust, FieldNames>> = {
  none: { has: (key) => untrusted.has(key) || assertsUser(key) },
  all: new Set([...own, 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']),
};

/** The same with what a policy drops besides; made once for each policy. */
export function droppedWith(trust: Trust, more: FieldNames): FieldNames {
  let both = unions.get(more);
  if (both === undefined) {
    const ours = droppedFromRequests[trust];
    both = { has: (key) => ours.has(key) || more.has(key) };
    unions.set(more, both);
  }
  return both;
}
const unions = new WeakMap<FieldNames, FieldNames>();

export const droppedFromResponses: ReadonlySet<string> = new Set(['x-request-id']);

/**
 * Whose word is believed on where a request comes from (X-Forwarded-*) and who sends it (X-Proxy-User): nobody's, or
 * everybody's because only proxies reach the listener.
 */
export type Trust = 'none' | 'all';

const idPattern = /^[\x21-\x7e]{1,128}$/;

/** Random once per process, then counted: unique over all replicas, and free. */
const idPrefix = randomBytes(8).toString('hex');
let lastId = 0;

export function newRequestId(): string {
  lastId += 1;
  return `${idPrefix}-${lastId}`;
}

/** The client's own id, where it is one that can go into logs and heads; a new one otherwise. */
export function requestId(head: RequestHead): string {
  const given = head.fields.get('x-request-id');
  return given !== undefined && idPattern.test(given) ? given : newRequestId();
}

export function requestAdditions(head: RequestHead, clientAddress: string, id: string, trust: Trust): string {
  const before = (key: string) => (trust === 'all' ? head.fields.joined(key) : undefined);
  const path = before('x-forwarded-for');
  return (
    `X-Forwarded-For: ${path === undefined ? '' : `${path}, `}${clientAddress}\r\n` +
    `X-Forwarded-Proto: ${before('x-forwarded-proto') ?? 'http'}\r\n` +
    `X-Forwarded-Host: ${before('x-forwarded-host') ?? head.host}\r\n` +
    `X-Request-Id: ${id}\r\n`
  );
}

export function responseAdditions(id: string, keep: boolean, idleTimeout: number): string {
  return `X-Request-Id: ${id}\r\n${connectionLines(keep, idleTimeout)}`;
}
