import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { headOf } from '../../test/support/policies.ts';
import { addressBits, networkBits } from '../networks.ts';
import { clientOf, createTrust, type TrustSetting } from './trust.ts';

const proxies: TrustSetting = ['10.0.0.0/8', '2001:db8::/32'];

function client(lines: readonly string[], peer = '10.0.0.1', setting: TrustSetting = proxies): string {
  const head = headOf(
    'GET /',
    lines.map((line) => `X-Forwarded-For: ${line}`),
  );
  const trust = createTrust(setting);
  return trust.believes(peer) ? clientOf(head, peer, trust) : peer;
}

describe('the client behind proxies', () => {
  it('is the right-most address that is no proxy of our own, whatever was written before it', () => {
    for (const [lines, expected] of [
      [[], '10.0.0.1'],
      [['203.0.113.5'], '203.0.113.5'],
      [['203.0.113.5, 10.2.2.2'], '203.0.113.5'],
      [['6.6.6.6, 203.0.113.5, 10.2.2.2, 10.3.3.3'], '203.0.113.5'],
      [['6.6.6.6', '203.0.113.5', '10.2.2.2'], '203.0.113.5'],
      [['203.0.113.5,10.2.2.2', '10.3.3.3'], '203.0.113.5'],
      // All of them are our own: the first spoke for itself.
      [['10.9.9.9, 10.2.2.2'], '10.9.9.9'],
      [['2001:db8::7, 2001:db8::8'], '2001:db8::7'],
      [['2001:db9::7 ,\t2001:db8::8'], '2001:db9::7'],
    ] as const) {
      assert.equal(client(lines), expected, lines.join(' | '));
    }
  });

  it('is the peer where the peer is none of our own', () => {
    for (const setting of ['none', proxies] as const) {
      assert.equal(client(['203.0.113.5'], '192.0.2.1', setting), '192.0.2.1');
    }
    assert.equal(client(['203.0.113.5'], '192.0.2.1', 'all'), '203.0.113.5');
    assert.equal(client(['6.6.6.6, 203.0.113.5'], '192.0.2.1', 'all'), '6.6.6.6');
  });

  it('may be written with a port, in brackets, or mapped into IPv6', () => {
    for (const [entry, expected] of [
      ['203.0.113.5:1234', '203.0.113.5'],
      ['[2001:db9::1]', '2001:db9::1'],
      ['[2001:db9::1]:80', '2001:db9::1'],
      ['::ffff:203.0.113.5', '203.0.113.5'],
      ['[::FFFF:203.0.113.5]:9', '203.0.113.5'],
    ] as const) {
      assert.equal(client([`6.6.6.6, ${entry}, 10.2.2.2`]), expected, entry);
    }
    assert.equal(client(['203.0.113.5, ::ffff:10.2.2.2']), '203.0.113.5');
    assert.equal(
      client(['203.0.113.5'], '::ffff:10.0.0.1'),
      '203.0.113.5',
      'of a listener for both families',
    );
  });

  it('is the last proxy that is known where what it wrote is no address', () => {
    for (const entry of [
      'unknown',
      '_hidden',
      '',
      ' ',
      'localhost',
      '1.2.3',
      '1.2.3.256',
      '1.2.3.4:',
      '1.2.3.4:99999999',
      '1.2.3.4 5.6.7.8',
      '[1.2.3.4]:80',
      '[::1',
      '::1]:80',
      'fe80::1%eth0',
      '"1.2.3.4"',
      'for=1.2.3.4',
      '1.2.3.4;',
      '01.2.3.4.5',
    ]) {
      assert.equal(client([`6.6.6.6, ${entry}, 10.2.2.2`]), '10.2.2.2', JSON.stringify(entry));
      assert.equal(client([`6.6.6.6, ${entry}`]), '10.0.0.1', JSON.stringify(entry));
    }
  });

  it('is looked for among a bounded number of entries', () => {
    const many = Array.from({ length: 1000 }, (_, at) => `10.1.${at >> 8}.${at & 255}`);
    assert.equal(client([`203.0.113.5, ${many.join(', ')}`]), many.at(-64));
    assert.equal(client([`203.0.113.5, ${many.slice(0, 63).join(', ')}`]), '203.0.113.5');
  });

  it('is always an address: the peer, or one that some entry holds', () => {
    const entry = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('unknown', '', ',', '1.2.3.4:5', '[::1]:5'));
    fc.assert(
      fc.property(fc.array(fc.array(entry, { maxLength: 5 }), { maxLength: 4 }), (lines) => {
        const found = client(lines.map((line) => line.join(', ')));
        assert.notEqual(isIP(found), 0);
        const before = lines
          .flat()
          .map((one) => addressBits(one === '[::1]:5' ? '::1' : one.replace('1.2.3.4:5', '1.2.3.4')));
        assert.ok(found === '10.0.0.1' || before.includes(addressBits(found)), found);
      }),
    );
  });
});

it('networks are those of node:net, and what is none is a mistake', () => {
  assert.throws(() => createTrust(['10.0.0.0/33']), /no network/);
  assert.equal(createTrust(['10.0.0.0/8']).believes('11.0.0.1'), false);
  assert.equal(createTrust(['192.0.2.7']).believes('192.0.2.7'), true);
  assert.equal(createTrust(['192.0.2.7']).believes('no address'), false);
  assert.ok(networkBits('10.0.0.0/8'));
});
