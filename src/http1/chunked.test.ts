import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chunkedBodies, spoiled } from '../../test/support/generated-heads.ts';
import { ChunkedDecoder, chunkHeader, lastChunk, maxExtension, standardTrailers } from './chunked.ts';

interface Decoded {
  readonly data: string;
  readonly trailers: string;
  /** How it ended: where the next message begins, what was wrong, or that more must come. */
  readonly end: number | string;
}

/** Decodes text that arrives in pieces cut at these offsets. */
function decode(text: string, cuts: readonly number[] = []): Decoded {
  const decoder = new ChunkedDecoder();
  const edges = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
  let data = '';
  for (let piece = 1; piece < edges.length; piece++) {
    const start = edges[piece - 1]!;
    const bytes = Buffer.from(text.slice(start, edges[piece]), 'latin1');
    for (let at = 0; ; ) {
      const step = decoder.next(bytes, at, bytes.length);
      if (step.kind === 'end') return { data, trailers: decoder.trailers, end: start + step.at };
      if (step.kind === 'malformed' || step.kind === 'too-long') {
        return { data, trailers: decoder.trailers, end: step.detail };
      }
      if (step.kind === 'more') break;
      data += bytes.toString('latin1', step.start, step.end);
      at = step.end;
    }
  }
  return { data, trailers: '', end: 'more' };
}

describe('a chunked body', () => {
  test('ends at its last byte, and what follows belongs to the next message', () => {
    const body = '5\r\nhello\r\nA;x="y"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n';
    assert.deepEqual(decode(`${body}GET /`), {
      data: 'hello0123456789',
      trailers: 'X-Sum: 1\r\n',
      end: body.length,
    });
  });

  test('that was cut off never ends, wherever it was cut', () => {
    const body = '5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n';
    for (let length = 0; length < body.length; length++)
      assert.equal(decode(body.slice(0, length)).end, 'more');
  });

  test('is read as what was written, whatever the splits', () => {
    fc.assert(
      fc.property(chunkedBodies, fc.array(fc.nat(), { maxLength: 12 }), ({ text, data, trailers }, cuts) => {
        assert.deepEqual(decode(`${text}rest`, cuts), { data, trailers, end: text.length });
      }),
      { numRuns: 500 },
    );
  });

  test('is read alike, sound or spoiled, whether it comes whole or byte by byte', () => {
    fc.assert(
      fc.property(spoiled(chunkedBodies.map(({ text }) => text)), (text) => {
        assert.deepEqual(
          decode(
            text,
            Array.from({ length: text.length }, (_, at) => at),
          ),
          decode(text),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test('is written again so that it reads the same', () => {
    const text = `${chunkHeader(255)}${'x'.repeat(255)}\r\n${lastChunk('X-Sum: 1\r\n')}`;
    assert.deepEqual(decode(text), { data: 'x'.repeat(255), trailers: 'X-Sum: 1\r\n', end: text.length });
  });
});

describe('a malformed chunked body is refused', () => {
  const rows: Record<string, string> = {
    'no size': '\r\nhello\r\n',
    'an extension without a size': ';a\r\n',
    'a negative size': '-5\r\nhello\r\n',
    'a size with a plus': '+5\r\nhello\r\n',
    'a size with 0x': '0x5\r\nhello\r\n',
    'a size that is no number': 'G\r\n',
    'a size with an underscore': '1_0\r\n',
    'a blank before the size': ' 5\r\nhello\r\n',
    'a blank after the size': '5 \r\nhello\r\n',
    'a blank before the extension': '5 ;a\r\nhello\r\n',
    'a size of 14 digits': '00000000000005\r\nhello\r\n',
    'a size over 64 bits': 'FFFFFFFFFFFFFFFF1\r\n',
    'a bare LF after the size': '5\nhello\r\n',
    'a bare CR after the size': '5\rhello\r\n',
    'a NUL in an extension': '5;a\0\r\nhello\r\n',
    'a bare LF in an extension': '5;a\nhello\r\n',
    'a bare CR in an extension': '5;a\rb\r\nhello\r\n',
    'an extension that is too long': `5;${'a'.repeat(maxExtension + 1)}\r\nhello\r\n`,
    'more data than its size': '5\r\nhello!\r\n',
    'a bare LF after the data': '5\r\nhello\n0\r\n\r\n',
    'a bare CR after the data': '5\r\nhello\r0\r\n\r\n',
    'a bare LF after the last chunk': '0\n\n',
    'a bare LF at the end': '0\r\n\n',
    'a bare CR at the end': '0\r\n\rX',
    'a bare LF after a trailer': '0\r\nX: a\n\r\n',
    'a trailer without a colon': '0\r\nX\r\n\r\n',
    'a trailer without a name': '0\r\n: a\r\n\r\n',
    'a blank before a colon in a trailer': '0\r\nX : a\r\n\r\n',
    'a folded trailer': '0\r\nX: a\r\n b\r\n\r\n',
    'a control character in a trailer': '0\r\nX: \x1b\r\n\r\n',
    'trailers that are too long': `0\r\nX: ${'a'.repeat(standardTrailers)}\r\n\r\n`,
    'trailers that are too long once they are canonical': `0\r\nX:${'a'.repeat(standardTrailers - 4)}\r\n\r\n`,
  };
  for (const [name, text] of Object.entries(rows)) {
    test(name, () => {
      const { end } = decode(`${text}\r\n\r\n`);
      assert.ok(typeof end === 'string' && end !== 'more', String(end));
    });
  }
});

test('the largest size of 13 digits is exact', () => {
  const decoder = new ChunkedDecoder();
  const line = Buffer.from('fffffffffffff\r\nx');
  assert.deepEqual(decoder.next(line, 0, line.length), { kind: 'data', start: 15, end: 16 });
});

test('an extension and trailers of exactly the limit are accepted', () => {
  assert.equal(decode(`1;${'a'.repeat(maxExtension)}\r\nx\r\n0\r\n\r\n`).data, 'x');
  const trailer = `X: ${'a'.repeat(standardTrailers - 5)}\r\n`;
  assert.equal(decode(`0\r\n${trailer}\r\n`).trailers, trailer);
});

test('trailers that are too long are told from malformed ones, by the limit that the decoder is made for', () => {
  const kindOf = (text: string, limit: number) => {
    const bytes = Buffer.from(text, 'latin1');
    return new ChunkedDecoder(limit).next(bytes, 0, bytes.length).kind;
  };
  for (const [text, kind] of [
    [`0\r\n${'X: a\r\n'.repeat(58)}\r\n`, 'end'],
    [`0\r\n${'X: a\r\n'.repeat(59)}\r\n`, 'too-long'],
    [`0\r\n${'X:a\r\n'.repeat(70)}\r\n`, 'too-long'],
    [`0\r\nX: ${'a'.repeat(300)}`, 'more'],
    [`0\r\nX: ${'a'.repeat(400)}`, 'too-long'],
    ['0\r\n: a\r\n\r\n', 'malformed'],
  ] as const) {
    assert.equal(kindOf(text, 350), kind, text);
  }
});

test('trailers that mean something only in a head are dropped, also with _ for -', () => {
  const barred = [
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'host: b',
    'Authorization: a',
    'Content_Type: a',
  ];
  const text = `0\r\n${barred.join('\r\n')}\r\nX-Forwarded-For: a\r\nTE: a\r\nIf-Match: a\r\nX-Sum: 1\r\n\r\n`;
  assert.equal(decode(text).trailers, 'X-Sum: 1\r\n');
});

test('a decoder that met a fault stays at it', () => {
  const decoder = new ChunkedDecoder();
  const bytes = Buffer.from('x5\r\nhello\r\n');
  const fault = decoder.next(bytes, 0, 1);
  assert.equal(fault.kind, 'malformed');
  assert.equal(decoder.next(bytes, 1, bytes.length), fault);
});
