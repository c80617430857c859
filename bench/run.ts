/**
 * run.ts CACHE RESULTS [flags]: measures the chosen peers in the chosen scenarios, in interleaved rounds, and writes
 * the results into RESULTS, or, unless it was a full run, into the cache. Started by bench.sh, in a network namespace
 * of its own where one can be made.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import type { Installed } from './install.ts';
import { load, startOrigin } from './measure/generators.ts';
import { peakResidentKiB } from './measure/proc.ts';
import { type RunningPeer, type Site, startPeer } from './measure/running.ts';
import { readOptions } from './options.ts';
import type { Peer } from './peers/peer.ts';
import { describeMachine, type Failed, medians, type Results, type Sample } from './results.ts';
import type { Figures, Scenario, Surroundings } from './scenarios/scenario.ts';

/** First of the user ids that peers run as; nobody else on the machine has them. */
const firstUser = 61_000;

const [cache, resultsDir, ...flags] = process.argv.slice(2);
if (!cache || !resultsDir) throw new Error('usage: run.ts CACHE RESULTS [flags]');
const options = readOptions(flags);
// What the README shows comes from full runs alone.
const target = options.full ? resultsDir : join(cache, 'results');
const installed: Installed = JSON.parse(readFileSync(join(cache, 'installed.json'), 'utf8'));
const begun = Date.now();
const work = mkdtempSync(join(os.tmpdir(), 'sluice-bench-'));
chmodSync(work, 0o755);
process.once('exit', () => rmSync(work, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

const origin = await startOrigin();
const ownUsers = canChangeUser();
const site: Site = {
  cache,
  work,
  upstream: origin.port,
  userOf: (peer) => (ownUsers ? firstUser + options.peers.indexOf(peer) : undefined),
};
const processes = new Map<Peer, RunningPeer>();
const missing = new Map<Peer, string>();
const surroundings: Surroundings = { site, origin, quick: options.quick, running };
const samples: Sample[] = [];
const failures: Failed[] = [];

for (const peer of options.peers)
  await running(peer).catch((error: Error) => missing.set(peer, error.message));
for (const [peer, why] of missing) console.log(`${peer.name} is left out: ${why}`);
const peers = options.peers.filter((peer) => !missing.has(peer));
for (let round = 1; round <= options.rounds; round++)
  for (const scenario of options.scenarios)
    if (round === 1 || !scenario.once) await measureRound(scenario, round);
write();
for (const { stop } of processes.values()) await stop();
await origin.stop();

/** One peer after the other in each scenario, so that a machine that slows down does so for all. */
async function measureRound(scenario: Scenario, round: number): Promise<void> {
  const cells: string[] = [];
  for (const peer of peers) {
    if (peer.only?.includes(scenario.name) === false) continue;
    if ((peer.brief && round > 1) || scenario.includes?.(peer) === false) continue;
    const at = { scenario: scenario.name, peer: peer.name, round };
    try {
      const figures = await scenario.measure(peer, surroundings);
      samples.push({ ...at, figures });
      cells.push(`${peer.name} ${mainFigure(figures)}`);
    } catch (error) {
      failures.push({ ...at, why: (error as Error).message });
      cells.push(`${peer.name} FAILED (${(error as Error).message.split('\n')[0]})`);
    }
  }
  console.log(`${secondsSinceBegun()} s, round ${round}, ${scenario.name}: ${cells.join(', ')}`);
}

/** The figure that a scenario names first. */
function mainFigure(figures: Figures): string {
  return Number(Object.values(figures)[0]).toPrecision(3);
}

/** The process that serves all scenarios but those on memory. Rejects where the peer isn't there or won't start. */
async function running(peer: Peer): Promise<RunningPeer> {
  const found = installed[peer.name];
  if (!found || 'missing' in found) throw new Error(found?.missing ?? 'not installed');
  const known = processes.get(peer);
  if (known?.alive) return known;
  const started = await startPeer(site, peer);
  processes.set(peer, started);
  // Compilers and pools at work: what is measured is a proxy that has been up for a while.
  await load(started.port, ['post:conns=16,requests=2000', 'get:conns=16,requests=2000']);
  const kinds = ['up', 'down', 'up-chunked', 'down-chunked'];
  await load(
    started.port,
    kinds.map((kind) => `${kind}:conns=2,bytes=20000000`),
  );
  return started;
}

/** Whether this process may start others as another user, which needs the uids to exist in its user namespace. */
function canChangeUser(): boolean {
  if (process.getuid?.() !== 0) return false;
  const [, , mapped] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return Number(mapped) > firstUser + 100;
}

function secondsSinceBegun(): number {
  return Math.round((Date.now() - begun) / 1000);
}

function write(): void {
  const results: Results = {
    name: options.congestionControl,
    date: new Date(begun).toISOString().slice(0, 10),
    command: options.command,
    machine: describeMachine(),
    congestionControl: readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim(),
    ownNamespace: process.env.SLUICE_BENCH_NAMESPACE === 'own',
    ownUsers,
    rounds: options.rounds,
    seconds: secondsSinceBegun(),
    peers: peers.map((peer) => {
      const found = installed[peer.name];
      const running = processes.get(peer);
      return {
        name: peer.name,
        title: peer.title,
        setup: peer.setup,
        version: found && 'version' in found ? found.version : '',
        peakResidentMiB: running?.alive ? Math.round(peakResidentKiB(running.pid) / 102.4) / 10 : 0,
      };
    }),
    missing: [...missing].map(([{ name, title }, why]) => ({ name, title, why })),
    medians: medians(samples),
    samples,
    failures,
  };
  mkdirSync(target, { recursive: true });
  const file = join(target, `${results.name}.json`);
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  console.log(`${results.seconds} s, written: ${file}`);
}
