/**
 * Heads and chunked bodies for property tests: valid ones with what they must be read as, and ways to spoil
 * them.
 */
import fc from 'fast-check';
import { hopByHop, isVital } from '../../src/http1/field-names.ts';

const chars = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => String.fromCharCode(from + i));
const visible = chars(33, 127);
const tokenChars = visible.filter((char) => !'"(),/:;<=>?@[\\]{}'.includes(char));
const text = (unit: readonly string[], minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...unit), minLength, maxLength });

/** Around a plain value; around Host and framing, the tabs are left out. */
const blanks = fc.constantFrom('', ' ', '\t', '  \t ');
const withoutOuterBlanks = (value: string) => value.replace(/^[ \t]+|[ \t]+$/g, '');

/** Any token. */
export const token = text(tokenChars, 1, 12);
/** Any field value: visible ASCII, obs-text, blanks inside. */
export const fieldValue = text([...visible, ...chars(128, 256), ' ', '\t'], 0, 40).map(withoutOuterBlanks);
/** Any name without a meaning to Sluice and without `_`, so that nothing about it is special. */
export const plainName = token.filter((name) => {
  const key = name.toLowerCase();
  return !key.includes('_') && !hopByHop.has(key) && !isVital(key);
});

export interface GeneratedField {
  readonly name: string;
  readonly value: string;
}

/** A request head and what a parser must make of it. */
export interface GeneratedRequest {
  readonly text: string;
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly host: string;
  readonly body: 'none' | 'chunked' | number;
  /** All of them in order, framing and Host included. */
  readonly fields: readonly GeneratedField[];
}

const host = fc.constantFrom('localhost:9200', 'es.example', '10.0.0.1:80', '[::1]:9200', 'es_1');
const path = text(
  visible.filter((char) => char !== '#'),
  0,
  40,
).map((rest) => `/${rest}`);

/** Valid request heads; `methods` where the reader of the bytes knows only some. */
export function requestHeads(methods: fc.Arbitrary<string>): fc.Arbitrary<GeneratedRequest> {
  return fc
    .record({
      method: methods,
      target: path,
      version: fc.constantFrom<'1.0' | '1.1'>('1.1', '1.1', '1.1', '1.0'),
      host,
      body: fc.oneof(fc.constant('none' as const), fc.constant('chunked' as const), fc.nat(50)),
      plain: fc.array(fc.record({ name: plainName, value: fieldValue }), { maxLength: 10 }),
      before: blanks,
      after: blanks,
      place: fc.nat(),
    })
    .map(({ plain, before, after, place, ...head }) => {
      const body = head.version === '1.0' && head.body === 'chunked' ? 'none' : head.body;
      const fields = plain.map(({ name, value }) => ({ name, value }));
      const insert = (name: string, value: string) =>
        fields.splice(place % (fields.length + 1), 0, { name, value });
      insert(place % 2 === 0 ? 'Host' : 'hOST', head.host);
      if (body === 'chunked') insert('Transfer-Encoding', place % 2 === 0 ? 'chunked' : 'CHUNKED');
      else if (body !== 'none') insert('content-length', String(body));
      const lines = fields.map((field) => {
        const isPlain = plain.some(({ name }) => name === field.name);
        const [left, right] = isPlain
          ? [before, after]
          : [before.replaceAll('\t', ''), after.replaceAll('\t', '')];
        return `${field.name}:${left}${field.value}${right}\r\n`;
      });
      const text = `${head.method} ${head.target} HTTP/${head.version}\r\n${lines.join('')}\r\n`;
      return { ...head, body, fields, text };
    });
}

export const knownMethods = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH');
/** Any method that a proxy passes on. */
export const methods = fc.oneof(
  knownMethods,
  token.filter((method) => method !== 'CONNECT' && method !== 'TRACE'),
);

/** What hostile senders put where it does not belong. */
const splinters = fc.oneof(
  fc.constantFrom(...'\r\n\0\t :,;_#\x0b\x7f\xa0'),
  fc.constantFrom('\r\n', '\n\r\n', '\r\n\r\n', '\r\n ', ' :', 'Content-Length: 5\r\n', 'Content-Length: 5'),
  fc.constantFrom('Transfer-Encoding: chunked\r\n', ', chunked', 'Host: b\r\n', 'Connection: close\r\n'),
  fc.constantFrom(
    'HTTP/1.0',
    'HTTP/2.0',
    'Expect: 100-continue\r\n',
    'Transfer_Encoding: chunked\r\n',
    '0\r\n\r\n',
    ';a',
  ),
  fc.nat(255).map((octet) => String.fromCharCode(octet)),
);

/**
 * The same text with up to four places overwritten, cut out or filled; half of them at the start of a line.
 */
export function spoiled(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const wound = fc.record({ at: fc.nat(), atLine: fc.boolean(), cut: fc.nat(3), put: splinters });
  return fc.tuple(texts, fc.array(wound, { minLength: 1, maxLength: 4 })).map(([text, wounds]) =>
    wounds.reduce((spoilt, { at, atLine, cut, put }) => {
      const anywhere = at % (spoilt.length + 1);
      const place = atLine ? spoilt.indexOf('\r\n', anywhere) + 2 : anywhere;
      return spoilt.slice(0, place) + put + spoilt.slice(place + (atLine ? 0 : cut));
    }, text),
  );
}

/** A chunked body as latin1 text, and what it must decode to. */
export interface GeneratedChunks {
  readonly text: string;
  readonly data: string;
  readonly trailers: string;
}

const extension = fc.oneof(
  fc.constant(''),
  text([...visible, ' '], 0, 20).map((rest) => `;${rest}`),
);
const chunk = fc.record({
  data: text(chars(0, 256), 1, 40),
  zeros: fc.constantFrom('', '0', '000'),
  upper: fc.boolean(),
  extension,
});

export const chunkedBodies: fc.Arbitrary<GeneratedChunks> = fc
  .record({
    chunks: fc.array(chunk, { maxLength: 5 }),
    last: fc.constantFrom('0', '00', '0;last'),
    trailers: fc.array(fc.record({ name: plainName.map((name) => `X-${name}`), value: fieldValue }), {
      maxLength: 3,
    }),
  })
  .map(({ chunks, last, trailers }) => {
    const written = chunks.map(({ data, zeros, upper, extension }) => {
      const size = data.length.toString(16);
      return `${zeros}${upper ? size.toUpperCase() : size}${extension}\r\n${data}\r\n`;
    });
    const lines = trailers.map(({ name, value }) => `${name}: ${value}\r\n`).join('');
    return {
      text: `${written.join('')}${last}\r\n${lines}\r\n`,
      data: chunks.map(({ data }) => data).join(''),
      trailers: lines,
    };
  });
