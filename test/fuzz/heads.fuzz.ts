/**
 * `heads.fuzz.ts SECONDS FINDINGS`: the parsers of heads never throw, and what they accept goes on as one head of the
 * same framing, with nothing in it that was not a field before. Ends with 1 at the first head for which that does not
 * hold, which is written to the folder FINDINGS.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beginsNoHead } from '../../src/http1/beginning.ts';
import type { Fields } from '../../src/http1/fields.ts';
import { forwardRequest, forwardResponse } from '../../src/http1/forward.ts';
import { parseRequestHead } from '../../src/http1/request-head.ts';
import { parseResponseHead } from '../../src/http1/response-head.ts';
import { fieldValue, methods, requestHeads, spoiled, token } from '../support/generated-heads.ts';
import { headFixtures, responseTo } from '../support/head-fixtures.ts';
import { fieldNames } from './field-names.ts';

const asReceived = { drop: new Set<string>(), add: '', decoded: false };
const limits = { maxTarget: 4096, maxFields: 100 };

/** Parses the same bytes alone and amid others, as they lie in a shared buffer: what surrounds them must not matter. */
function parsed<T>(text: string, parse: (buffer: Buffer, start: number, end: number) => T): T {
  const alone = Buffer.from(text, 'latin1');
  const head = parse(alone, 0, alone.length);
  const amid = Buffer.concat([Buffer.from('X: \r\n'), alone, Buffer.from('Host: b\r\n\r\n')]);
  assert.deepEqual(parse(amid, 5, 5 + alone.length), head);
  return head;
}

const request = (text: string) =>
  parsed(text, (buffer, start, end) => parseRequestHead(buffer, start, end, limits));
const response = (text: string, method: string) =>
  parsed(text, (buffer, start, end) => parseResponseHead(buffer, start, end, responseTo(method)));

/** `forwarded` is clean lines, and each but the first and the framing is a field of `fields`. */
function assertNothingInjected(forwarded: string, fields: Fields): void {
  assert.match(forwarded, /^[^\r\n]+\r\n(?:[^\r\n]+\r\n)*\r\n$/);
  assert.doesNotMatch(forwarded, /[^\t\r\n\x20-\x7e\x80-\xff]/);
  const received = new Set(fields.list.map(({ name, value }) => `${name}: ${value}`));
  const lines = forwarded.split('\r\n').slice(1, -2);
  const added = lines.filter(
    (line) => !received.has(line) && !/^(?:Host|Content-Length|Transfer-Encoding): /.test(line),
  );
  assert.deepEqual(added, []);
  assert.ok(lines.length <= fields.list.length + 1);
}

/** What the transports take for no head at all, parsers must not accept. */
function assertBegins(text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  assert.ok(!beginsNoHead(bytes, /^(?:\r\n)*/.exec(text)?.[0].length ?? 0, bytes.length));
}

function forwardsAsItself(text: string): void {
  const head = request(text);
  if ('code' in head) return;
  assertBegins(text);
  const forwarded = forwardRequest(head, { ...asReceived, host: 'upstream' });
  assertNothingInjected(forwarded, head.fields);
  const again = request(forwarded);
  assert.ok(!('code' in again), forwarded);
  assert.deepEqual(
    [again.method, again.target, again.framing, again.contentLength, again.expectsContinue],
    [head.method, head.target, head.framing, head.contentLength, head.expectsContinue],
  );
  assert.equal(forwardRequest(again, asReceived), forwarded);
}

function answersAsItself(text: string, method: string): void {
  const head = response(text, method);
  if ('code' in head) return;
  assertBegins(text);
  const forwarded = forwardResponse(head, asReceived);
  assertNothingInjected(forwarded, head.fields);
  const again = response(forwarded, method);
  assert.ok(!('code' in again), forwarded);
  assert.deepEqual(
    [again.status, again.reason, again.framing, again.contentLength, again.interim],
    [head.status, head.reason, head.framing, head.contentLength, head.interim],
  );
  assert.equal(forwardResponse(again, asReceived), forwarded);
}

/** Fields with a meaning to Sluice, in odd spellings and with values that mean something too. */
const line = fc
  .tuple(
    fc.oneof(fc.constantFrom(...fieldNames), token),
    fc.constantFrom(':', ': ', ':\t', ' :', ''),
    fc.oneof(fc.constantFrom(...fieldNames, 'chunked', 'close', '5', '100-continue', 'a, b'), fieldValue),
    fc.boolean(),
  )
  .map(([name, colon, value, under]) => `${under ? name.replaceAll('-', '_') : name}${colon}${value}\r\n`);
const lines = fc.array(line, { maxLength: 12 }).map((each) => each.join(''));
const fixtures = (kind: 'request' | 'response') =>
  fc.constantFrom(...headFixtures(kind).map(({ bytes }) => bytes.toString('latin1')));

const requests = fc.oneof(
  requestHeads(methods).map(({ text }) => text),
  lines.map((fields) => `POST /a?b HTTP/1.1\r\nHost: a\r\n${fields}\r\n`),
  fixtures('request'),
);
const responses = fc.oneof(
  fc
    .tuple(fc.integer({ min: 100, max: 599 }), lines)
    .map(([status, fields]) => `HTTP/1.1 ${status} OK\r\n${fields}\r\n`),
  fixtures('response'),
);
const noise = fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets).toString('latin1'));
const hurt = (sound: fc.Arbitrary<string>) =>
  fc.oneof(sound, { weight: 4, arbitrary: spoiled(sound) }, spoiled(spoiled(sound)), noise);

function fuzz<T extends [string, ...string[]]>(
  name: string,
  property: fc.IProperty<T>,
  milliseconds: number,
  findings: string,
): boolean {
  const result = fc.check(property, {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: milliseconds,
    markInterruptAsFailure: false,
  });
  console.log(`fuzz ${name}: ${result.numRuns} executions`);
  if (result.counterexample === null) return true;
  const path = join(findings, `${name}-input`);
  writeFileSync(path, Buffer.from(result.counterexample[0], 'latin1'));
  console.log(`fuzz ${name}: a finding, see ${path}: ${JSON.stringify(result.counterexample)}`);
  console.log(result.errorInstance);
  return false;
}

const half = Number(process.argv[2] ?? 60) * 500;
const findings = process.argv[3] ?? '.';
const sound = [
  fuzz('request-head', fc.property(hurt(requests), forwardsAsItself), half, findings),
  fuzz(
    'response-head',
    fc.property(hurt(responses), fc.constantFrom('GET', 'HEAD'), answersAsItself),
    half,
    findings,
  ),
];
process.exitCode = sound.every(Boolean) ? 0 : 1;
