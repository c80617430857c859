/** The two chunk decoders, the engine's and the one of src/http1, asked the same and compared. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChunkedDecoder } from '../../src/http1/chunked.ts';

export interface Decoded {
  readonly kind: 'more' | 'ended' | 'malformed' | 'too-long';
  /** Bytes up to the end of the body; undefined unless it has ended. */
  readonly length: number | undefined;
  /** Latin1, as are the trailers. */
  readonly data: string;
  readonly trailers: string;
}

const verdicts = new Map<string, Decoded['kind']>([
  ['+', 'more'],
  ['.', 'ended'],
  ['!', 'malformed'],
  ['>', 'too-long'],
]);

/** The engine's decoder, built as a program for as long as this process runs; undefined where there is no g++. */
export function buildNativeDecoder(): ((bodies: readonly Buffer[]) => Decoded[]) | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-fuzz-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  try {
    execFileSync('g++', ['--version'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const program = join(folder, 'chunk-cli');
  const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  const flags = ['-std=c++20', '-O1', `-I${path('../../engine/src')}`];
  execFileSync('g++', [...flags, path('chunk-cli.cc'), '-o', program], { timeout: 60_000 });
  return (bodies) => runNative(program, bodies);
}

function runNative(program: string, bodies: readonly Buffer[]): Decoded[] {
  const input = Buffer.concat(bodies.flatMap((body) => [word(body.length), body]));
  const output = execFileSync(program, { input, maxBuffer: 2 ** 30, timeout: 60_000 });
  let at = 0;
  const text = (length: number) => {
    at += length;
    return output.toString('latin1', at - length, at);
  };
  const number = () => {
    at += 4;
    return output.readUInt32LE(at - 4);
  };
  return bodies.map(() => {
    const kind = verdicts.get(text(1)) ?? 'malformed';
    const length = number();
    return {
      kind,
      length: kind === 'ended' ? length : undefined,
      data: text(number()),
      trailers: text(number()),
    };
  });
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Shown in pieces of `pieceLength` bytes, each in a buffer of its own. */
export function decodeHere(body: Buffer, pieceLength = body.length): Decoded {
  const decoder = new ChunkedDecoder();
  let data = '';
  for (let start = 0; start < body.length; start += pieceLength) {
    const piece = Buffer.from(body.subarray(start, start + pieceLength));
    for (let at = 0; ; ) {
      const step = decoder.next(piece, at, piece.length);
      if (step.kind === 'malformed' || step.kind === 'too-long') {
        return { kind: step.kind, length: undefined, data, trailers: '' };
      }
      if (step.kind === 'end') {
        return { kind: 'ended', length: start + step.at, data, trailers: decoder.trailers };
      }
      if (step.kind === 'more') break;
      data += piece.toString('latin1', step.start, step.end);
      at = step.end;
    }
  }
  return { kind: 'more', length: undefined, data, trailers: '' };
}

const isRefused = ({ kind }: Decoded): boolean => kind === 'malformed' || kind === 'too-long';

/**
 * What the two differ in; undefined when they agree. The engine judges each trailer line as it ends, the other all
 * of them at the end: so of a body that was cut off one may know already what the other will find out, and of two
 * faults each may meet another first.
 */
export function difference(body: Buffer, native: Decoded): string | undefined {
  const here = decodeHere(body);
  const agreed =
    here.kind === native.kind ||
    (isRefused(native) &&
      (isRefused(here) ||
        (here.kind === 'more' && isRefused(decodeHere(Buffer.concat([body, Buffer.from('\r\n\r\n')]))))));
  if (!agreed) return `the engine says ${native.kind}, src/http1 says ${here.kind}`;
  if (here.data !== native.data) return 'the data differ';
  if (here.length !== native.length) return `the ends differ: ${native.length} and ${here.length}`;
  if (here.trailers === native.trailers) return undefined;
  return `the trailers differ: ${JSON.stringify(native.trailers)} and ${JSON.stringify(here.trailers)}`;
}
