/** Policies that change under load: each request is judged by one set, none is lost, and what is wrong changes nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { body, digestOf } from '../support/body.ts';
import { sleep, until } from '../support/deadline.ts';
import { readWhole } from '../support/http-peer.ts';
import { answering, Origin } from '../support/origin.ts';
import { PolicyProcess } from '../support/policy-process.ts';
import { PolicyStand } from '../support/policy-stand.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport } from '../support/stand.ts';

const MIB = 1024 * 1024;
const get = 'GET /logs/_search HTTP/1.1\r\nHost: es\r\n\r\n';
const remove = 'DELETE /logs/_doc/1 HTTP/1.1\r\nHost: es\r\n\r\n';
type Version = 'v1' | 'v2';

/** Every policy says of which set it is, each by another means. */
const setOf = (version: Version) => ({
  [`audit-${version}`]: { action: 'audit' },
  [`allow-${version}`]: {
    action: 'allow',
    route: { cluster: version },
    headers: { set: [{ name: 'X-Set', value: version }] },
    limits: {
      streams: version === 'v1' ? 500 : 600,
      requestBandwidth: version === 'v1' ? '500MB/s' : '600MB/s',
    },
  },
});

/** A server of one cluster, which notes every request that another set has sent it. */
function serverOf(version: Version, strayed: string[]): Promise<Origin> {
  return Origin.open(
    answering(({ head, digest }) => {
      if (head.field('x-set') !== version) strayed.push(`${version} got ${head.text}`);
      return `HTTP/1.1 200 OK\r\nX-From: ${version}\r\nContent-Length: ${digest.length}\r\n\r\n${digest}`;
    }),
  );
}

/** It begins before all tests of this file and is looked at after them: its reader takes five seconds to be idle. */
let calmOrigin: Origin;
let calm: PolicyProcess;
before(async () => {
  calmOrigin = await Origin.open();
  calm = await PolicyProcess.start([calmOrigin.port], { policies: { all: { action: 'allow' } } });
  assert.equal(calm.children().length, 1);
});
after(async () => {
  await calm[Symbol.asyncDispose]();
  await calmOrigin[Symbol.asyncDispose]();
});

/** Asks on and on, small things and larger ones, until it is told to stop; says how often. */
async function load(client: RawPeer, going: () => boolean): Promise<number> {
  const all = body(200_000);
  const digest = digestOf([all]);
  let asked = 0;
  while (going()) {
    const large = asked % 5 === 4;
    if (large) {
      await client.write(`POST /logs/_doc HTTP/1.1\r\nHost: es\r\nContent-Length: ${all.length}\r\n\r\n`);
      await client.write(all);
    } else await client.write(get);
    const { head, text } = await readWhole(client);
    assert.equal(head.status, 200, text);
    if (large) assert.equal(text, digest);
    asked += 1;
  }
  return asked;
}

onEachTransport('sets put into effect every few milliseconds', (kind) => {
  it('show no request two of them, and lose none', async () => {
    const strayed: string[] = [];
    await using one = await serverOf('v1', strayed);
    await using two = await serverOf('v2', strayed);
    await using stand = await PolicyStand.open(kind, {
      nodes: [one.port],
      clusters: { v1: [one.port], v2: [two.port] },
      policies: setOf('v1'),
    });
    let going = true;
    const clients = await Promise.all(Array.from({ length: 8 }, () => stand.client()));
    const loads = Promise.all(clients.map((client) => load(client, () => going)));
    for (let nth = 0; nth < 80; nth++) {
      await stand.use(setOf(nth % 2 === 0 ? 'v2' : 'v1'));
      await sleep(10);
    }
    going = false;
    const asked = (await loads).reduce((sum, count) => sum + count, 0);
    assert.deepEqual(strayed, []);
    await until('all to be recorded', () => stand.stand.exchanges.length === asked);
    const told = stand.stand.exchanges.map(
      ({ policy, cluster, audited }) => `${policy} ${cluster} ${audited.join()}`,
    );
    assert.deepEqual(new Set(told), new Set(['allow-v1 v1 audit-v1', 'allow-v2 v2 audit-v2']));
  });
});

describe('a running Sluice whose directory of policies is written 100 times a second', () => {
  it('shows no request two sets, loses none, and does not grow', async () => {
    const strayed: string[] = [];
    await using one = await serverOf('v1', strayed);
    await using two = await serverOf('v2', strayed);
    const nodes = ({ port }: Origin) => ({ nodes: [`http://127.0.0.1:${port}`] });
    await using running = await PolicyProcess.start([one.port], {
      policies: setOf('v1'),
      config: { clusters: { v1: nodes(one), v2: nodes(two) } },
    });
    const { sluice } = running;
    let going = true;
    const clients = await Promise.all(Array.from({ length: 8 }, () => sluice.client()));
    const loads = Promise.all(clients.map((client) => load(client, () => going)));
    loads.catch(() => {});
    const writeFor = async (milliseconds: number): Promise<void> => {
      const end = performance.now() + milliseconds;
      for (let nth = 0; performance.now() < end; nth++) {
        running.write(setOf(nth % 2 === 0 ? 'v2' : 'v1'));
        await sleep(10);
      }
    };
    await writeFor(1000);
    const before = sluice.residentMemory();
    await writeFor(2500);
    const grown = (sluice.residentMemory() - before) / MIB;
    const accepted = async (): Promise<number> => {
      const row = /^sluice_policy_reloads_total\{outcome="accepted"\} (\d+)$/m;
      return Number(row.exec(await sluice.metrics())?.[1]);
    };
    // A slow machine reads fewer of them in that time.
    for (let late = 0; (await accepted()) < 20; late++) {
      assert.ok(late < 20, `${await accepted()} sets were put into effect`);
      await writeFor(500);
    }
    going = false;
    const asked = (await loads).reduce((sum, count) => sum + count, 0);
    for (const client of clients) client.destroy();
    assert.deepEqual(strayed, []);
    assert.ok(one.received.length > 10 && two.received.length > 10, `${asked} requests, one set`);
    const metrics = await sluice.metrics();
    assert.match(metrics, /^sluice_policy_reloads_total\{outcome="refused"\} 0$/m);
    assert.ok(grown < 24, `${grown.toFixed(1)} MiB more`);
    await until('all to be logged', () => sluice.access.length === asked);
    const told = sluice.access.map(({ policy, cluster, audited }) => `${policy} ${cluster} ${audited}`);
    assert.deepEqual(new Set(told), new Set(['allow-v1 v1 audit-v1', 'allow-v2 v2 audit-v2']));
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`leaves no reader behind at a ${signal}`, async () => {
      await using origin = await Origin.open();
      await using running = await PolicyProcess.start([origin.port], {
        policies: { all: { action: 'allow' } },
        config: { timeouts: { accept: 0 } },
      });
      const readers = running.children();
      assert.equal(readers.length, 1);
      running.sluice.signal(signal);
      await running.sluice.exit();
      await until('the reader to have ended', () => !readers.some(isRunning));
    });
  }
});

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function statusOf(running: PolicyProcess, request = get): Promise<number> {
  const client = await running.sluice.client();
  await client.write(request);
  const { head } = await readWhole(client);
  client.destroy();
  return head.status;
}

describe('a set that is wrong', () => {
  const reads = { reads: { action: 'allow', match: { groups: ['read'] } } };
  const head = 'apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: bad}\n';
  const wrong = {
    'an action that does not exist': { text: `${head}spec:\n  action: alow\n`, told: 'all.yaml:5:11' },
    'a field that nobody knows': { text: `${head}spec: {action: deny, mach: {}}\n`, told: 'mach' },
    'YAML that is none': { text: `${head}spec: {action: deny\n`, told: 'all.yaml' },
    'a name given twice': {
      text: `${head}spec: {action: deny}\n---\n${head}spec: {action: deny}\n`,
      told: 'has the same name',
    },
    'aliases that grow without end': {
      text: `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
        .split('')
        .map((name, nth) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[nth]}`).join(',')}]`)
        .join('\n')}\n`,
      told: 'all.yaml',
    },
    'a cluster that is not there': {
      text: `${head}spec: {action: allow, route: {cluster: nowhere}}\n`,
      told: 'nowhere',
    },
  };

  it('changes nothing, is told with its place, and shows in /readyz and metrics until it is mended', async () => {
    await using origin = await Origin.open();
    await using running = await PolicyProcess.start([origin.port], { policies: reads });
    const { sluice } = running;
    const { version } = await running.report();
    let refused = 0;
    for (const [what, { text, told }] of Object.entries(wrong)) {
      const from = sluice.told.length;
      running.write(text);
      const line = JSON.parse(await running.told('was refused', from));
      refused += 1;
      assert.ok(line.problems.join().includes(told), `${what}: ${line.problems}`);
      assert.equal(line.level, 'error');
      const { ready, policies } = await running.readiness();
      assert.deepEqual([ready, policies?.stale, policies?.version], [true, true, version], what);
      assert.ok(policies?.problems.join().includes(told));
      const metrics = await sluice.metrics();
      assert.match(metrics, /^sluice_policy_set_stale 1$/m);
      assert.ok(metrics.includes(`sluice_policy_reloads_total{outcome="refused"} ${refused}\n`));
      assert.deepEqual([await statusOf(running), await statusOf(running, remove)], [200, 403]);
    }
    running.write({ all: { action: 'allow' } });
    await until('the mended set', () => sluice.told.at(-1)!.includes('in effect'));
    const { policies } = await running.readiness();
    assert.deepEqual([policies?.stale, policies?.problems], [false, []]);
    assert.match(await sluice.metrics(), /^sluice_policy_set_stale 0$/m);
    assert.equal(await statusOf(running, remove), 200);
  });

  it('that can not be read any more stays in effect; what comes back takes its place', async () => {
    await using origin = await Origin.open();
    await using running = await PolicyProcess.start([origin.port], { policies: reads });
    running.removePolicies();
    await running.told('can not be read');
    const lost = (await running.readiness()).policies;
    assert.deepEqual([lost?.stale, lost?.policies, lost?.sources[0]?.reachable], [true, 1, false]);
    assert.match(lost?.sources[0]?.why ?? '', /does not exist/);
    assert.match(await running.sluice.metrics(), /^sluice_policy_set_stale 1$/m);
    assert.deepEqual([await statusOf(running), await statusOf(running, remove)], [200, 403]);
    const from = running.sluice.told.length;
    running.write({ none: { action: 'deny' } });
    await running.told('in effect', from);
    assert.equal(await statusOf(running), 403);
    assert.equal((await running.readiness()).policies?.stale, false);
  });
});

describe('a start without policies', () => {
  const policies = { reads: { action: 'allow', match: { groups: ['read'] } } };
  const write = 'POST /logs/_doc HTTP/1.1\r\nHost: es\r\nContent-Length: 2\r\n\r\n{}';

  it('wait: nobody is let in, not even to connect, until a set is there', async () => {
    await using origin = await Origin.open();
    await using running = await PolicyProcess.launch([origin.port], { policies: undefined, onStart: 'wait' });
    await running.told('can not be read');
    await sleep(100);
    assert.equal(await connectFault(running.sluice.port), 'ECONNREFUSED');
    assert.equal(await running.sluice.readiness(), 503);
    const { ready, reason, policies: none } = await running.readiness();
    assert.deepEqual([ready, reason, none?.version, none?.stale], [false, 'starting', '', true]);
    running.write('not a policy');
    await running.told('was refused');
    assert.equal(await connectFault(running.sluice.port), 'ECONNREFUSED');
    running.write(policies);
    await running.sluice.ready();
    assert.deepEqual([await statusOf(running), await statusOf(running, write)], [200, 403]);
  });

  it('wait: a SIGTERM ends it', async () => {
    await using origin = await Origin.open();
    await using running = await PolicyProcess.launch([origin.port], { policies: undefined, onStart: 'wait' });
    await running.told('can not be read');
    running.sluice.signal('SIGTERM');
    assert.equal(await running.sluice.exit(), 0);
  });

  for (const [onStart, status] of [
    ['deny', 403],
    ['allow', 200],
  ] as const) {
    it(`${onStart}: every request is answered ${status} until a set is there, which then decides`, async () => {
      await using origin = await Origin.open();
      await using running = await PolicyProcess.start([origin.port], { policies: undefined, onStart });
      const kept = await running.sluice.client();
      await kept.write(get);
      assert.equal((await readWhole(kept)).head.status, status);
      assert.equal(await statusOf(running, write), status);
      running.write(policies);
      await running.told('in effect');
      await kept.write(get);
      assert.equal((await readWhole(kept)).head.status, 200);
      assert.equal(await statusOf(running, write), 403);
      kept.destroy();
    });
  }
});

describe('a running Sluice whose policies do not change', () => {
  it('keeps no reader, and has one again for the next set', async () => {
    await until('the reader to have ended', () => calm.children().length === 0);
    calm.write({ none: { action: 'deny' } });
    await until(
      'the next set',
      () => calm.sluice.told.filter((line) => line.includes('in effect')).length === 2,
    );
    assert.deepEqual([await statusOf(calm), calm.children().length], [403, 1]);
  });
});

function connectFault(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}
