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
export function droppedFromRequests(believed: boolean): FieldNames {
  return believed ? rewritten : unbelieved;
}

const rewritten: FieldNames = new Set([...own, 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']);
const unbelieved: FieldNames = { has: (key) => untrusted.has(key) || assertsUser(key) };

/** The same with what a policy drops besides; made once for each policy. */
export function droppedWith(believed: boolean, more: FieldNames): FieldNames {
  const unions = believed ? unionsOfBelieved : unionsOfOthers;
  let both = unions.get(more);
  if (both === undefined) {
    const ours = droppedFromRequests(believed);
    both = { has: (key) => ours.has(key) || more.has(key) };
    unions.set(more, both);
  }
  return both;
}
const unionsOfBelieved = new WeakMap<FieldNames, FieldNames>();
const unionsOfOthers = new WeakMap<FieldNames, FieldNames>();

export const droppedFromResponses: ReadonlySet<string> = new Set(['x-request-id']);

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

/** Of whom a request comes from, as far as Sluice itself knows. */
export interface Sender {
  /** The peer of the connection. */
  readonly address: string;
  /** Its word on whom it speaks for counts; see trust.ts. */
  readonly believed: boolean;
}

export function requestAdditions(head: RequestHead, { address, believed }: Sender, id: string): string {
  const before = (key: string) => (believed ? head.fields.joined(key) : undefined);
  const path = before('x-forwarded-for');
  return (
    `X-Forwarded-For: ${path === undefined ? '' : `${path}, `}${address}\r\n` +
    `X-Forwarded-Proto: ${before('x-forwarded-proto') ?? 'http'}\r\n` +
    `X-Forwarded-Host: ${before('x-forwarded-host') ?? head.host}\r\n` +
    `X-Request-Id: ${id}\r\n`
  );
}

export function responseAdditions(id: string, keep: boolean, idleTimeout: number): string {
  return `X-Request-Id: ${id}\r\n${connectionLines(keep, idleTimeout)}`;
}
