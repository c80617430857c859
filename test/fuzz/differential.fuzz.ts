/**
 * `differential.fuzz.ts SECONDS FINDINGS`: the engine's chunk decoder and that of src/http1 must agree on any input:
 * the verdict, the data, where the body ends, the trailers. Ends with 1 at the first on which they don't, which is
 * cut down and written to the folder FINDINGS.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { chunkedBodies, fieldValue, spoiled, token } from '../support/generated-heads.ts';
import { corpus } from './corpus.ts';
import { buildNativeDecoder, type Decoded, difference } from './decoders.ts';
import { fieldNames } from './field-names.ts';

const BATCH = 1000;

const trailerName = fc
  .tuple(fc.oneof(fc.constantFrom(...fieldNames), token), fc.nat(4))
  .map(
    ([name, how]) =>
      [name, name.toUpperCase(), name.replaceAll('-', '_'), `x${name}`, `${name}-`][how] ?? name,
  );
const trailer = fc
  .tuple(trailerName, fc.constantFrom('', ' ', '\t ', '  '), fieldValue, fc.constantFrom('', ' ', ' \t'))
  .map(([name, before, value, after]) => `${name}:${before}${value}${after}\r\n`);
const trailers = fc.array(trailer, { maxLength: 8 }).map((lines) => `0\r\n${lines.join('')}\r\n`);

/** Just below, at, and just above each limit. */
const around = (limit: number) => fc.integer({ min: limit - 3, max: limit + 3 });
const limits = fc.oneof(
  around(13).map((digits) => `${'0'.repeat(digits)}\r\n\r\n`),
  around(256).map((length) => `1;${'a'.repeat(length)}\r\nx\r\n0\r\n\r\n`),
  around(100).map((lines) => `0\r\n${'X: a\r\n'.repeat(lines)}\r\n`),
  fc.tuple(around(8192), fc.integer({ min: 1, max: 30 })).map(([length, lines]) => {
    const short = 'Host: a\r\n'.repeat(lines);
    return `0\r\n${short}X: ${'a'.repeat(length - short.length - 5)}\r\n\r\n`;
  }),
);

const sound = fc.oneof(
  chunkedBodies.map(({ text }) => text),
  trailers,
  limits,
  fc.constantFrom(...corpus('chunk-decoder').map(({ bytes }) => bytes.toString('latin1'))),
);
const noise = fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets).toString('latin1'));
const inputs = fc
  .oneof(
    { weight: 2, arbitrary: sound },
    { weight: 8, arbitrary: spoiled(sound) },
    { weight: 1, arbitrary: noise },
  )
  .map((text) => Buffer.from(text, 'latin1'));

/** Cuts pieces out of a finding, ever smaller ones, as long as it stays one. */
function cutDown(finding: Buffer, isFinding: (body: Buffer) => boolean): Buffer {
  let least = finding;
  for (let size = Math.ceil(least.length / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < least.length; ) {
      const less = Buffer.concat([least.subarray(0, at), least.subarray(at + size)]);
      if (isFinding(less)) least = less;
      else at += size;
    }
  }
  return least;
}

function fuzz(decode: (bodies: readonly Buffer[]) => Decoded[], seconds: number, findings: string): boolean {
  const told = (body: Buffer) => difference(body, decode([body])[0]!);
  const deadline = performance.now() + seconds * 1000;
  let executions = 0;
  while (performance.now() < deadline) {
    const bodies = fc.sample(inputs, BATCH);
    const natives = decode(bodies);
    const found = bodies.find((body, index) => difference(body, natives[index]!) !== undefined);
    executions += bodies.length;
    if (!found) continue;
    const least = cutDown(found, (body) => told(body) !== undefined);
    const path = join(findings, 'differential-input');
    writeFileSync(path, least);
    console.log(`fuzz differential: a finding after ${executions} executions: ${told(least)}; see ${path}`);
    return false;
  }
  console.log(`fuzz differential: ${executions} executions`);
  return true;
}

const decode = buildNativeDecoder();
if (!decode) console.log('fuzz differential: not run, there is no g++ here');
else process.exitCode = fuzz(decode, Number(process.argv[2] ?? 60), process.argv[3] ?? '.') ? 0 : 1;
