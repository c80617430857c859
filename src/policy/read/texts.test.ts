import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { readNetwork } from '../../config/address.ts';
import { readSize } from '../../config/units.ts';
import { defaultBurst, defaultRequestBurst, readBandwidth, readRequestRate } from './rates.ts';
import { readMoment, readName, readPathPattern, readSecretFile, readTimeOfDay, readZone } from './texts.ts';

const kindsOf = (reader: (text: string) => { readonly kind: string }, texts: readonly string[]) =>
  texts.map((text) => reader(text).kind);
const all = (kind: string, texts: readonly string[]) => texts.map(() => kind);

test('names are those that Kubernetes takes', () => {
  const right = ['a', '0', 'a-b', 'a.b', 'a--b', 'a'.repeat(253)];
  const wrong = [
    '',
    'A',
    '-a',
    'a-',
    'a..b',
    '.a',
    'a.',
    'a_b',
    'a/b',
    'ä',
    'a\n',
    'a'.repeat(254),
    'default',
  ];
  assert.deepEqual(kindsOf(readName, right), all('value', right));
  assert.deepEqual(kindsOf(readName, wrong), all('wrong', wrong));
});

test('a block is read as node:net reads it, and refused where an address in it is meant', () => {
  const octet = fc.nat(255);
  fc.assert(
    fc.property(fc.tuple(octet, octet, octet, octet), fc.nat(32), (octets, prefix) => {
      const address = octets.join('.');
      const reading = readNetwork(`${address}/${prefix}`);
      const blocks = new BlockList();
      blocks.addSubnet(address, prefix);
      if (reading.kind === 'value') {
        assert.ok(blocks.check(address));
        return;
      }
      const meant = /write ([\d.]+)\/(\d+) for the block/.exec(reading.fix);
      assert.ok(meant !== null && Number(meant[2]) === prefix);
      assert.ok(blocks.check(meant[1] ?? ''), 'the block that is offered is the one around the address');
      assert.equal(readNetwork(`${meant[1]}/${meant[2]}`).kind, 'value');
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      assert.equal(readNetwork(address).kind, isIP(address) === 0 ? 'wrong' : 'value', address);
    }),
  );
});

test('a pattern of paths is a path', () => {
  const right = ['/', '/a', '/a/', '/a/*', '/**', '/a/**/b', '/a*b*', '/ä'];
  const wrong = [
    '',
    'a',
    '*',
    '//',
    '/a//b',
    '/./a',
    '/a/..',
    '/a?b',
    '/a#b',
    '/%61',
    '/a**',
    '/***',
    '/a\nb',
  ];
  assert.deepEqual(kindsOf(readPathPattern, right), all('value', right));
  assert.deepEqual(kindsOf(readPathPattern, wrong), all('wrong', wrong));
});

test('no file of secrets is named outside its directory', () => {
  const right = ['a', 'a/b', '..data', 'a/..b', '.hidden'];
  const wrong = ['', '/a', '..', '../a', 'a/../b', 'a/..', './a', 'a//b', 'a/', 'a\\..\\b', 'a\u0000b'];
  assert.deepEqual(kindsOf(readSecretFile, right), all('value', right));
  assert.deepEqual(kindsOf(readSecretFile, wrong), all('wrong', wrong));
});

test('times of day, zones and moments are those that there are', () => {
  const minutes = ['00:00', '08:30', '23:59', '24:00'].map(readTimeOfDay);
  assert.deepEqual(
    minutes.map((one) => one.kind === 'value' && one.value),
    [0, 510, 1439, 1440],
  );
  const wrong = ['8:00', '24:01', '12:60', '12', '12:00:00', ' 12:00', '1200', '٠٨:٠٠'];
  assert.deepEqual(kindsOf(readTimeOfDay, wrong), all('wrong', wrong));
  assert.deepEqual(kindsOf(readZone, ['UTC', 'Europe/Berlin', '', 'Berlin', 'x'.repeat(1e6)]), [
    'value',
    'value',
    'wrong',
    'wrong',
    'wrong',
  ]);
  assert.deepEqual(readMoment('2026-11-23T10:00:00Z'), { kind: 'value', value: Date.UTC(2026, 10, 23, 10) });
  const noMoments = [
    '2026-11-23',
    '2026-11-23T10:00:00',
    '2026-13-01T10:00:00Z',
    '2026-11-23T25:00:00Z',
    '10:00',
  ];
  assert.deepEqual(kindsOf(readMoment, noMoments), all('wrong', noMoments));
});

test('a bandwidth is a size a second', () => {
  for (const size of ['0B', '1B', '50MB', '1.5 GiB', '64KiB', '0.5kB']) {
    assert.deepEqual(readBandwidth(`${size}/s`), readSize(size), size);
  }
  const wrong = [
    '',
    '/s',
    '50MB',
    '50MB/m',
    '50/s',
    '50mb/s',
    '400Mbit/s',
    '-1MB/s',
    '0.1B/s',
    '50MB/s ',
    '1e3B/s',
  ];
  assert.deepEqual(kindsOf(readBandwidth, wrong), all('wrong', wrong));
});

test('a rate of requests is one a second, minute or hour', () => {
  const rates = ['100/s', '30/m', '1800/h', '0/s', '0.5/s'].map(readRequestRate);
  assert.deepEqual(
    rates.map((one) => one.kind === 'value' && one.value),
    [100, 0.5, 0.5, 0, 0.5],
  );
  const wrong = ['', '100', '/s', '100/d', '-1/s', '1e3/s', '100 / s', `${'9'.repeat(400)}/s`];
  assert.deepEqual(kindsOf(readRequestRate, wrong), all('wrong', wrong));
});

test('bursts that are not given are a tenth of a second of bytes and a second of requests', () => {
  assert.deepEqual([0, 50e6, 655_361].map(defaultBurst), [65_536, 5e6, 65_536]);
  assert.deepEqual([0, 0.5, 1.5, 100].map(defaultRequestBurst), [1, 1, 2, 100]);
});
