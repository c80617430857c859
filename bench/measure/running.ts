/** A peer's process: started as a user of its own, waited for, stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Peer } from '../peers/peer.ts';
import { load } from './generators.ts';

export interface RunningPeer {
  readonly peer: Peer;
  readonly pid: number;
  readonly port: number;
  readonly admin: number;
  readonly alive: boolean;
  stop(): Promise<void>;
}

/** Where the run keeps its things, and what it stands between. */
export interface Site {
  readonly cache: string;
  readonly work: string;
  readonly upstream: number;
  /**
   * Each peer's own user id, or nothing where this process may not change it. The kernel rations pipes by user and
   * exempts root, so peers that share a user would share one ration, and a peer as root would have none.
   */
  userOf(peer: Peer): number | undefined;
}

const startDeadlineMs = 15_000;

/** Starts a peer and proves by a request through it that it is up. Rejects with the end of its own words. */
export async function startPeer(site: Site, peer: Peer): Promise<RunningPeer> {
  const dir = join(site.work, peer.name);
  const uid = site.userOf(peer);
  const [port, admin] = [await freePort(), await freePort()];
  const command = peer.command({ cache: site.cache, dir, port, admin, upstream: site.upstream });
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  for (const [name, content] of Object.entries(command.files ?? {})) writeFileSync(join(dir, name), content);
  if (uid !== undefined) chownSync(dir, uid, uid);

  const identity = uid === undefined ? [] : ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  const log = openSync(join(dir, 'stdout.log'), 'w');
  const child = spawn('setpriv', [...identity, '--pdeathsig', 'KILL', '--', ...command.argv], {
    cwd: dir,
    env: { PATH: process.env.PATH ?? '', HOME: dir },
    stdio: ['ignore', log, 'pipe'],
  });
  let words = '';
  child.stderr?.on('data', (chunk) => {
    words = `${words}${chunk}`.slice(-2000);
  });
  const running = describe(peer, child, port, admin);
  try {
    await answers(running);
    return running;
  } catch (error) {
    await running.stop();
    throw new Error(`${peer.name} did not start: ${words.trim() || (error as Error).message}`);
  }
}

function describe(peer: Peer, child: ChildProcess, port: number, admin: number): RunningPeer {
  return {
    peer,
    port,
    admin,
    pid: child.pid ?? 0,
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function answers(running: RunningPeer): Promise<void> {
  const until = Date.now() + startDeadlineMs;
  for (;;) {
    try {
      await load(running.port, ['get:requests=1'], 5);
      return;
    } catch (error) {
      if (!running.alive || Date.now() > until) throw error;
      await sleep(50);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
