/**
 * 100 changes a second under load, to and fro between two sets that differ in where they send requests and in what
 * they say of them: a request that shows one of each was judged by a mix.
 */
import { once } from 'node:events';
import { Agent, createServer, request, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentKiB } from '../measure/proc.ts';
import { startSluice } from './sluice.ts';

const clients = 16;
const changesPerSecond = 100;
/** Of a client between two requests, in milliseconds. */
const pause = 4;

const policies = (version: 'one' | 'two', cluster: string): string => `apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: searches}
spec:
  match: {groups: [read]}
  action: allow
  route: {cluster: ${cluster}}
  limits: {streams: 1000}
  headers: {set: [{name: X-Set, value: ${version}}]}
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: writes-${version}}
spec:
  match: {groups: [write]}
  action: allow
  route: {cluster: ${cluster}}
  headers: {set: [{name: X-Set, value: ${version}}]}
`;

interface Seen {
  requests: number;
  mixed: number;
}

/** A server that knows which version must be said to it. */
async function startServer(version: string, seen: Seen): Promise<Server> {
  const server = createServer((incoming, answer) => {
    seen.requests += 1;
    if (incoming.headers['x-set'] !== version) seen.mixed += 1;
    incoming.resume().on('end', () => answer.end(version));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};

export async function measureReloads(folder: string, seconds: number) {
  const seen: Seen = { requests: 0, mixed: 0 };
  const servers = [await startServer('one', seen), await startServer('two', seen)] as const;
  const sets = [policies('one', 'default'), policies('two', 'hot')] as const;
  const sluice = await startSluice(folder, sets[0], [portOf(servers[0]), portOf(servers[1])]);

  const until = performance.now() + seconds * 1000;
  const answers = { answered: 0, other: 0, lost: 0 };
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const ask = (write: boolean): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const path = write ? '/logs/_doc' : '/logs/_search';
    const asked = request({
      agent,
      port: sluice.port,
      host: '127.0.0.1',
      path,
      method: write ? 'POST' : 'GET',
    });
    asked.setTimeout(10_000, () => asked.destroy(new Error('late')));
    asked.on('error', () => {
      answers.lost += 1;
      resolve();
    });
    asked.on('response', (answer) => {
      if (answer.statusCode === 200) answers.answered += 1;
      else answers.other += 1;
      answer.resume().on('end', () => resolve());
    });
    asked.end(write ? '{"a":1}' : undefined);
    return promise;
  };
  const client = async (): Promise<void> => {
    for (let count = 0; performance.now() < until; count++) {
      await ask(count % 2 === 0);
      // The machine must have room for the changes as well.
      await sleep(pause);
    }
  };
  let changes = 0;
  const changer = async (): Promise<void> => {
    const begun = performance.now();
    while (performance.now() < until) {
      changes += 1;
      sluice.change(sets[changes % 2] ?? '');
      await sleep(Math.max(0, begun + (changes * 1000) / changesPerSecond - performance.now()));
    }
  };
  // The heap rises until it is collected: its lowest reading tells what is held.
  const heap: number[] = [];
  const sampler = async (): Promise<void> => {
    while (performance.now() < until) {
      heap.push((await sluice.metric('nodejs_heap_used_bytes')) / 2 ** 20);
      await sleep(100);
    }
  };
  await Promise.all([changer(), sampler(), ...Array.from({ length: clients }, client)]);
  const third = Math.floor(heap.length / 3);
  const floors = [heap.slice(0, third), heap.slice(-third)].map((part) => Math.min(...part));
  const resident = residentKiB(sluice.pid);
  const taken = await sluice.metric('sluice_policy_reloads_total{outcome="accepted"}');
  agent.destroy();
  await sluice.stop();
  for (const server of servers) server.close();
  return {
    seconds,
    changes_written: changes,
    sets_in_effect: taken,
    requests: seen.requests,
    judged_by_a_mix: seen.mixed,
    not_200: answers.other,
    lost: answers.lost,
    least_heap_MiB_in_the_first_third: Math.round((floors[0] ?? 0) * 10) / 10,
    least_heap_MiB_in_the_last_third: Math.round((floors[1] ?? 0) * 10) / 10,
    resident_MiB_at_the_end: Math.round(resident / 102.4) / 10,
  };
}
