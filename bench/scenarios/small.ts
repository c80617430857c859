/** Small requests alone, small requests among large bodies, and how soon a body begins to arrive. */
import { load } from '../measure/generators.ts';
import { watch } from '../measure/watch.ts';
import type { Scenario } from './scenario.ts';

const small = (method: 'get' | 'post'): Scenario => ({
  name: `${method}-1k`,
  async measure(peer, { running, quick }) {
    const process = await running(peer);
    // Some peers compile what is hot only when it is.
    await load(process.port, [`${method}:conns=32,requests=20000`]);
    const { result, cpu, counted } = await watch(process, () =>
      load(process.port, [`${method}:conns=32,requests=${quick ? 20_000 : 40_000}`]),
    );
    const [group] = result;
    if (!group) throw new Error('no report');
    return {
      cpuUsPerRequest: cpu / 1e3 / group.requests,
      requestsPerS: group.requests / group.seconds,
      p50Us: group.p50Us,
      p99Us: group.p99Us,
      ...(counted && { systemCallsPerRequest: counted.systemCalls / group.requests }),
    };
  },
});

/** 500 small requests a second, each counted from when it was due, while 32 bodies flow at full speed. */
const mixed: Scenario = {
  name: 'mixed',
  async measure(peer, { running, quick }) {
    const { port } = await running(peer);
    const seconds = quick ? 2 : 3;
    const bodies = ['up', 'down'].map((direction) => `${direction}:conns=16,seconds=${seconds}`);
    const [up, down, group] = await load(port, [...bodies, `get:conns=64,rate=500,seconds=${seconds}`]);
    if (!up || !down || !group) throw new Error('no report');
    return {
      p99Us: group.p99Us,
      p50Us: group.p50Us,
      GBPerS: up.bytes / 1e9 / up.seconds + down.bytes / 1e9 / down.seconds,
    };
  },
};

/** From the client's first byte of the request to the first byte of its body at the server, one at a time. */
const firstByte: Scenario = {
  name: 'first-byte',
  async measure(peer, { running, origin, quick }) {
    const { port } = await running(peer);
    await origin.stats();
    await load(port, [`up:conns=1,requests=${quick ? 8 : 16}`]);
    const { firstByte } = await origin.stats();
    return { p50Us: firstByte.p50Us, p99Us: firstByte.p99Us };
  },
};

export const smallScenarios: readonly Scenario[] = [small('post'), small('get'), mixed, firstByte];
