import assert from 'node:assert/strict';
import { BlockList, isIPv4 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressBits, networkBits, ownerOf } from './networks.ts';

const inside = (address: string, block: string): boolean =>
  addressBits(address)?.startsWith(networkBits(block) ?? 'no network') === true;

test('addresses lie in their blocks and in no other', () => {
  const cases: readonly [string, string, boolean][] = [
    ['10.1.2.3', '10.1.0.0/16', true],
    ['10.2.2.3', '10.1.0.0/16', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '0.0.0.0/0', true],
    ['10.1.2.3', '::/0', false],
    ['::ffff:10.1.2.3', '10.1.0.0/16', true],
    ['10.1.2.3', '::ffff:10.1.0.0/112', true],
    ['2001:db8::1', '2001:db8::/32', true],
    ['2001:db9::1', '2001:db8::/32', false],
    ['fe80::1%eth0', 'fe80::/10', true],
    ['::1', '0.0.0.0/0', false],
    // Bits behind the prefix count for nothing.
    ['10.1.2.3', '10.1.2.99/16', true],
  ];
  for (const [address, block, expected] of cases) {
    assert.equal(inside(address, block), expected, `${address} in ${block}`);
  }
});

test('what is no address or no block is undefined', () => {
  for (const text of ['', '10.1.2', '10.1.2.256', 'a.b.c.d', '10.1.2.3:80', '[::1]', ':::']) {
    assert.equal(addressBits(text), undefined, text);
  }
  for (const text of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', '::/129', '/8', '10/8']) {
    assert.equal(networkBits(text), undefined, text);
  }
});

test('blocks hold what node:net says they hold', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.tuple(fc.ipV4(), fc.ipV4(), fc.nat(32)), fc.tuple(fc.ipV6(), fc.ipV6(), fc.nat(128))),
      ([address, base, length]) => {
        const family = isIPv4(base) ? 'ipv4' : 'ipv6';
        const list = new BlockList();
        list.addSubnet(base, length, family);
        const bits = networkBits(`${base}/${length}`);
        // Mapped blocks shorter than the mapping are no IPv4 networks.
        fc.pre(bits !== undefined && addressBits(address)?.[0] === bits[0]);
        assert.equal(inside(address, `${base}/${length}`), list.check(address, family));
      },
    ),
  );
});

test("clients that can use each other's addresses count as one", () => {
  const same = (a: string, b: string) => ownerOf(a) === ownerOf(b);
  assert.ok(same('2001:db8:0:1::1', '2001:DB8:0:1:ffff:ffff:ffff:ffff'));
  assert.ok(!same('2001:db8:0:1::1', '2001:db8:0:2::1'));
  assert.ok(same('192.0.2.1', '::ffff:192.0.2.1'));
  assert.ok(!same('192.0.2.1', '192.0.2.2'));
  assert.ok(same('fe80::1%eth0', 'fe80::2%eth0'));
  assert.ok(!same('', 'nowhere'));
});
