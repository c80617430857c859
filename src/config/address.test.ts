import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAddress, readNode } from './address.ts';

test('addresses to listen on: IPv4, IPv6 in brackets, any free port', () => {
  assert.deepEqual(readAddress('0.0.0.0:9200'), { kind: 'value', value: { host: '0.0.0.0', port: 9200 } });
  assert.deepEqual(readAddress('[::]:9200'), { kind: 'value', value: { host: '::', port: 9200 } });
  assert.deepEqual(readAddress('[fe80::1]:0'), { kind: 'value', value: { host: 'fe80::1', port: 0 } });
});

const refusedAddresses = [
  ['localhost:9200', /write 127\.0\.0\.1:9200/],
  ['search.internal:9200', /write its address/],
  [':9200', /write 0\.0\.0\.0:9200/],
  ['*:9200', /write 0\.0\.0\.0:9200/],
  ['10.0.0.1', /write 10\.0\.0\.1:9200/],
  ['::1', /write \[::1\]:9200/],
  ['[::zz]:1', /write e\.g\. \[::\]:9200/],
  ['1.2.3.4:65536', /0 \(any free one\) to 65535/],
  ['9200', /write HOST:PORT/],
  ['1.2.3.4:-1', /write HOST:PORT/],
] as const;

test('an address that can not be listened on as it stands is refused with the one that was meant', () => {
  for (const [text, fix] of refusedAddresses) {
    const reading = readAddress(text);
    assert.ok(reading.kind === 'wrong', text);
    assert.match(reading.fix, fix, text);
  }
});

test('nodes: names are lower case, the port is 9200 unless given, 80 and 443 are ports as any', () => {
  const nodes = [
    ['http://10.0.0.1', { name: '10.0.0.1:9200', host: '10.0.0.1', port: 9200, secure: false }],
    [
      'HTTPS://Search.Internal:443/',
      { name: 'search.internal:443', host: 'search.internal', port: 443, secure: true },
    ],
    ['http://es:80', { name: 'es:80', host: 'es', port: 80, secure: false }],
    ['http://[::1]:9201', { name: '[::1]:9201', host: '::1', port: 9201, secure: false }],
    [
      'http://es_data-1.svc.',
      { name: 'es_data-1.svc.:9200', host: 'es_data-1.svc.', port: 9200, secure: false },
    ],
  ] as const;
  for (const [text, value] of nodes) assert.deepEqual(readNode(text), { kind: 'value', value }, text);
});

test('a URL that says more than a node, or is none, is refused', () => {
  const refused = [
    'es:9200',
    'ftp://es',
    'http://',
    'http://es/path',
    'http://es?q',
    'http://es#f',
    'http://es:0',
    'http://es:65536',
    'http://es:92 00',
    'http://-es',
    'http://e..s',
    'http://300.1.1.1',
    'http://[10.0.0.1]',
    'http://::1',
    'http://u:p@es',
  ];
  for (const text of refused) assert.equal(readNode(text).kind, 'wrong', text);
});
