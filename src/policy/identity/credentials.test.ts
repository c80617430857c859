import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readCredentials } from './credentials.ts';

const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');
const basic = (pair: string | Buffer) => readCredentials(`Basic ${base64(pair)}`);

describe('credentials', () => {
  it('are read whatever the case of the scheme and the blanks after it', () => {
    for (const scheme of ['Basic', 'basic', 'BASIC', 'bAsIc']) {
      for (const blanks of [' ', '   ', ' \t ']) {
        const read = readCredentials(`${scheme}${blanks}${base64('alice:s3cret')}`);
        assert.deepEqual(read, { kind: 'basic', name: 'alice', secret: 's3cret' });
      }
    }
    assert.deepEqual(readCredentials(`APIKEY ${base64('id:key')}`), {
      kind: 'api-key',
      name: 'id',
      secret: 'key',
    });
    assert.deepEqual(readCredentials('bearer abc'), { kind: 'bearer', token: 'abc' });
  });

  it('any name without a colon or a control character comes back, with any such secret', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((one) => !/\p{Cc}/u.test(one));
    const name = text.filter((one) => one !== '' && !one.includes(':'));
    fc.assert(
      fc.property(name, text, (user, secret) => {
        assert.deepEqual(basic(`${user}:${secret}`), { kind: 'basic', name: user, secret });
      }),
    );
  });

  it('never throw, whatever the field holds', () => {
    const octets = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    });
    const schemes = fc.constantFrom('', 'Basic ', 'ApiKey ', 'Bearer ', 'Negotiate ');
    fc.assert(fc.property(schemes, octets, (scheme, rest) => void readCredentials(scheme + rest)));
  });

  it('are read without padding and with stray last bits, as Java reads them: nobody slips by as nobody', () => {
    // `alice:p` is YWxpY2U6cA==, whose last four bits don't count.
    for (const encoded of ['YWxpY2U6cA==', 'YWxpY2U6cA', 'YWxpY2U6cB==', 'YWxpY2U6cP']) {
      assert.deepEqual(readCredentials(`Basic ${encoded}`), { kind: 'basic', name: 'alice', secret: 'p' });
    }
  });

  it('that the server would refuse as well are malformed, each for its reason', () => {
    const why = (value: string) => {
      const read = readCredentials(value);
      return read.kind === 'malformed' ? read.why : read;
    };
    for (const encoded of [
      '%%%',
      'YWxp Y2U6',
      'YWxpY2U6c',
      'YWxpY2U6cA=',
      'YWxpY2U6cA===',
      'YWxpY-U6cA==',
      'YWxp=Y2U6',
    ]) {
      assert.equal(why(`Basic ${encoded}`), 'the credentials are not base64', encoded);
    }
    assert.equal(why('Basic '), 'the credentials hold no colon');
    assert.equal(why(`Basic ${base64('alice')}`), 'the credentials hold no colon');
    assert.equal(why(`ApiKey ${base64(':key')}`), 'the credentials hold no name');
    assert.equal(why(`Basic ${base64('al\0ice:x')}`), 'the credentials hold a control character');
    assert.equal(why(`Basic ${base64('alice:x\r\ny')}`), 'the credentials hold a control character');
    assert.equal(why(`Basic ${base64(Buffer.from([0xff, 0x3a, 0x61]))}`), 'the credentials are not UTF-8');
  });

  it('of other schemes, or of none, say nothing', () => {
    for (const value of ['', 'Basic', 'Bearer', 'Bearer ', 'Basic\tYTpi', 'Negotiate abc', 'a=b']) {
      assert.deepEqual(readCredentials(value), { kind: 'other' }, value);
    }
  });
});
