import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { FollowedName } from './name.ts';
import { oneAtATime, systemResolver, usable } from './resolver.ts';

/** Lookups as they come, each answered when the test says so. */
class Lookups {
  readonly asked: PromiseWithResolvers<readonly string[]>[] = [];
  readonly resolver = (): Promise<readonly string[]> => {
    const lookup = Promise.withResolvers<readonly string[]>();
    this.asked.push(lookup);
    return lookup.promise;
  };

  async answer(...addresses: string[]): Promise<void> {
    this.asked.at(-1)?.resolve(addresses);
    await settled();
  }

  async fail(code: string): Promise<void> {
    this.asked.at(-1)?.reject(Object.assign(new Error(code), { code }));
    await settled();
  }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

describe('a name that is followed', () => {
  let lookups: Lookups;
  let name: FollowedName;
  let changes: (readonly [readonly string[], string | undefined])[];
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    lookups = new Lookups();
    changes = [];
    name = new FollowedName({
      host: 'es',
      resolver: lookups.resolver,
      refresh: 10_000,
      timeout: 3000,
      onChange: ({ addresses, fault }) => changes.push([addresses, fault]),
    });
  });
  afterEach(() => {
    name.close();
    mock.timers.reset();
  });

  it('is looked up at once and then after each refresh, and only what is new is told', async () => {
    assert.deepEqual([lookups.asked.length, name.pending], [1, true]);
    await lookups.answer('10.0.0.1', '10.0.0.2', '10.0.0.1');
    assert.deepEqual([name.pending, name.addresses], [false, ['10.0.0.1', '10.0.0.2']]);
    mock.timers.tick(9999);
    assert.equal(lookups.asked.length, 1);
    mock.timers.tick(1);
    assert.equal(lookups.asked.length, 2);
    await lookups.answer('10.0.0.2', '10.0.0.1');
    assert.equal(changes.length, 1);
    mock.timers.tick(10_000);
    await lookups.answer('10.0.0.3');
    assert.deepEqual(changes.at(-1), [['10.0.0.3'], undefined]);
  });

  it('that hangs is not pending after the timeout, is asked once, and its late answer is used', async () => {
    mock.timers.tick(3000);
    await name.known;
    assert.deepEqual([name.pending, name.fault], [false, 'no answer within 3000 ms']);
    mock.timers.tick(1_000_000);
    name.recheck(performance.now() + 1e9);
    assert.equal(lookups.asked.length, 1);
    await lookups.answer('10.0.0.1');
    assert.deepEqual([name.addresses, name.fault], [['10.0.0.1'], undefined]);
  });

  it('keeps its last good answer while lookups fail, tries again sooner, and tells of both ends once', async () => {
    await lookups.answer('10.0.0.1');
    mock.timers.tick(10_000);
    await lookups.fail('EAI_AGAIN');
    for (const wait of [1000, 2000, 4000, 8000, 10_000]) {
      const before = lookups.asked.length;
      mock.timers.tick(wait - 1);
      assert.equal(lookups.asked.length, before);
      mock.timers.tick(1);
      assert.equal(lookups.asked.length, before + 1);
      await lookups.fail('EAI_AGAIN');
    }
    mock.timers.tick(10_000);
    await lookups.answer('10.0.0.1');
    assert.deepEqual(changes, [
      [['10.0.0.1'], undefined],
      [['10.0.0.1'], 'EAI_AGAIN'],
      [['10.0.0.1'], undefined],
    ]);
  });

  it('with no address at all has failed, and the old addresses stay', async () => {
    await lookups.answer('10.0.0.1');
    mock.timers.tick(10_000);
    await lookups.answer();
    assert.deepEqual([name.addresses, name.fault], [['10.0.0.1'], 'no address']);
  });

  it('with thousands of addresses does not fill the memory', async () => {
    await lookups.answer(...Array.from({ length: 5000 }, (_, at) => `10.0.${at >> 8}.${at & 255}`));
    assert.equal(name.addresses.length, 256);
  });

  it('is looked up again early when a node can not be reached, once a second at most', async () => {
    await lookups.answer('10.0.0.1');
    const now = performance.now();
    name.recheck(now);
    assert.equal(lookups.asked.length, 1);
    name.recheck(now + 1100);
    name.recheck(now + 1200);
    assert.equal(lookups.asked.length, 2);
  });

  it('that is closed is not looked up again', async () => {
    await lookups.answer('10.0.0.1');
    name.close();
    mock.timers.tick(100_000);
    assert.equal(lookups.asked.length, 1);
  });
});

it('however many ask, a name is looked up once at a time', async () => {
  const lookups = new Lookups();
  const resolver = oneAtATime(lookups.resolver);
  const [one, two] = [resolver('es'), resolver('es')];
  await lookups.answer('10.0.0.1');
  assert.deepEqual([await one, await two, lookups.asked.length], [['10.0.0.1'], ['10.0.0.1'], 1]);
  resolver('es').catch(() => {});
  assert.equal(lookups.asked.length, 2);
});

it('addresses of a family that the host does not have are no nodes, but for loopback', () => {
  const own = (...addresses: string[]) =>
    addresses.map((address) => ({ address, internal: address === '::1' || address.startsWith('127.') }));
  const [ipv4, ipv6] = [own('127.0.0.1', '::1', '10.0.0.9', 'fe80::1'), own('127.0.0.1', '::1', 'fd00::9')];
  for (const [addresses, host, left] of [
    [['fd00::1', '10.0.0.1'], ipv4, ['10.0.0.1']],
    [['fd00::1', '10.0.0.1'], ipv6, ['fd00::1']],
    [
      ['fd00::1', '10.0.0.1'],
      [...ipv4, ...ipv6],
      ['fd00::1', '10.0.0.1'],
    ],
    [['::1', '127.0.0.1'], ipv4, ['::1', '127.0.0.1']],
    [['fd00::1'], ipv4, ['fd00::1']],
    [['fd00::1', '10.0.0.1'], own('127.0.0.1'), ['fd00::1', '10.0.0.1']],
    [['fd00::1', '10.0.0.1'], [], ['fd00::1', '10.0.0.1']],
  ] as const) {
    assert.deepEqual(usable(addresses, host), left);
  }
});

it("the system's resolver knows /etc/hosts", async () => {
  const addresses = await systemResolver('localhost');
  assert.ok(addresses.includes('127.0.0.1') || addresses.includes('::1'), addresses.join());
  await assert.rejects(systemResolver('nowhere.invalid'), { syscall: 'getaddrinfo' });
});
