import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cpuOf } from '../../test/support/work.ts';
import { parseRequestHead, type RequestHead } from '../http1/request-head.ts';
import { isLoop, newPseudonym, viaLine } from './via.ts';

function head(fields: string, version = '1.1'): RequestHead {
  const bytes = Buffer.from(`GET / HTTP/${version}\r\nHost: es\r\n${fields}\r\n`, 'latin1');
  const parsed = parseRequestHead(bytes, 0, bytes.length, { maxTarget: 4096, maxFields: 100 });
  assert.ok(!('code' in parsed), JSON.stringify(parsed));
  return parsed;
}

const me = newPseudonym();

describe('Via', () => {
  it('goes on with what proxies before have said, and a token of this process', () => {
    assert.match(me, /^sluice-[0-9a-f]{8}$/);
    assert.notEqual(newPseudonym(), me);
    assert.equal(viaLine(head(''), me), `Via: 1.1 ${me}\r\n`);
    assert.equal(
      viaLine(head('Via: 1.0 a\r\nX: y\r\nVia: HTTP/1.1 b (c, d)\r\n', '1.0'), me),
      `Via: 1.0 a, HTTP/1.1 b (c, d), 1.0 ${me}\r\n`,
    );
  });

  for (const fields of [
    `Via: 1.1 ${me}\r\n`,
    `Via: 1.0 a,1.1\t${me} (x), 1.1 b\r\n`,
    `Via: 1.1 a\r\nvia: HTTP/1.1 ${me}\r\n`,
    `Via: ${Array.from({ length: 10 }, () => `1.1 ${newPseudonym()}`).join(', ')}\r\n`,
  ]) {
    it(`tells of a loop: ${JSON.stringify(fields)}`, () => assert.equal(isLoop(head(fields), me), true));
  }

  for (const fields of [
    '',
    'Via: 1.1 sluice\r\n',
    `Via: 1.1 ${newPseudonym()}, 1.1 ${newPseudonym()}\r\n`,
    `Via: 1.1 a (${me})\r\n`,
    `Via: ${me}\r\n`,
    `X-Via: 1.1 ${me}\r\n`,
    `Via: ${'1.1 varnish, '.repeat(50)}1.1 b\r\n`,
    `Via: ${Array.from({ length: 9 }, () => `1.1 ${newPseudonym()}`).join(', ')}\r\n`,
  ]) {
    it(`tells of none: ${JSON.stringify(fields)}`, () => assert.equal(isLoop(head(fields), me), false));
  }

  it('of nothing but blanks and commas is read in linear time', () => {
    const long = head(
      `Via: ${me}${' '.repeat(200_000)},${' ,'.repeat(200_000)}a${'\t'.repeat(200_000)}b\r\n`,
    );
    const cpu = cpuOf(() => assert.equal(isLoop(long, me), false));
    assert.ok(cpu < 5000, `${cpu} ms`);
  });
});
