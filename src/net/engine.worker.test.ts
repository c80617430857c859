/** Engines in worker threads, and engines that come and go: one's end is nobody else's, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Arrivals } from '../../test/support/arrivals.ts';
import { body, digestOf } from '../../test/support/body.ts';
import { sleep, until, within } from '../../test/support/deadline.ts';
import { RawPeer, RawServer } from '../../test/support/raw-peer.ts';
import type { RelayWorkerData } from '../../test/support/relay-worker.ts';
import { listening, sockets } from '../../test/support/wires.ts';
import type { RelayEnd } from './contract.ts';
import { createEngineTransport } from './engine.ts';

const MIB = 1024 * 1024;
const built = createEngineTransport();
built?.close();

/** All descriptors: engines hold an epoll set besides sockets and pipes. */
const held = () => readdirSync('/proc/self/fd').length;

/** Runs `use`, then waits until no more descriptors are held than before. */
async function leavingNothing(use: () => Promise<void>): Promise<void> {
  const before = held();
  await use();
  await until(`descriptors back to ${before}`, () => held() <= before).catch((error: Error) => {
    throw new Error(`${error.message}: ${held()}`);
  });
}

/** A worker thread that relays, and the two raw ends of what it relays. */
class RelayWorker implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #raw: RawServer;
  readonly #ends = new Arrivals<RelayEnd>();
  readonly #peers: RawPeer[] = [];
  readonly #exit: Promise<number>;
  readonly #port: number;

  private constructor(worker: Worker, raw: RawServer, exit: Promise<number>, port: number) {
    this.#worker = worker;
    this.#raw = raw;
    this.#exit = exit;
    this.#port = port;
    worker.on('message', (end: RelayEnd) => this.#ends.push(end));
  }

  static async start(length: number): Promise<RelayWorker> {
    const raw = await RawServer.listen();
    const workerData: RelayWorkerData = { upstream: raw.port, length };
    const worker = new Worker(new URL('../../test/support/relay-worker.ts', import.meta.url), { workerData });
    const exit = new Promise<number>((resolve, reject) => {
      worker.once('exit', resolve);
      worker.once('error', reject);
    });
    const port = await within(
      'a worker',
      Promise.race([new Promise<number>((resolve) => worker.once('message', resolve)), exit]),
    );
    return new RelayWorker(worker, raw, exit, port);
  }

  /** A new connection through the worker: what is written to `sender` comes out at `receiver`. */
  async path(): Promise<{ sender: RawPeer; receiver: RawPeer }> {
    const sender = await RawPeer.connect(this.#port);
    const receiver = await this.#raw.next();
    this.#peers.push(sender, receiver);
    return { sender, receiver };
  }

  relayEnd(): Promise<RelayEnd> {
    return this.#ends.take('the end of a relay', () => true);
  }

  /** Asks it to close its engine; without one, nothing keeps it alive. */
  async close(): Promise<void> {
    this.#worker.postMessage('close');
    assert.equal(await within('the worker to end by itself', this.#exit), 0);
  }

  async terminate(): Promise<void> {
    await within('the worker to be terminated', this.#worker.terminate());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) peer.destroy();
    this.#raw.close();
    await this.#worker.terminate();
  }
}

describe('engines in worker threads', {
  skip: !built && 'the engine is not built here: run `make engine`',
}, () => {
  it('one terminated in the middle of its relays harms no other, and nothing of it is left', () =>
    leavingNothing(async () => {
      await using doomed = await RelayWorker.start(1024 * MIB);
      await using other = await RelayWorker.start(16 * MIB);
      const endings: Promise<'end' | 'reset'>[] = [];
      for (let i = 0; i < 4; i++) {
        const { sender, receiver } = await doomed.path();
        const block = body(MIB, i);
        void (async () => {
          while (await sender.write(block));
        })();
        assert.equal(await receiver.digest(2 * MIB), digestOf([block, block]));
        endings.push(receiver.ending());
      }
      const bodies = [5, 6, 7, 8].map((seed) => body(16 * MIB, seed));
      const paths = await Promise.all(bodies.map(() => other.path()));
      const digests = paths.map(async ({ sender, receiver }, i) => {
        const digest = receiver.digest(16 * MIB);
        void sender.write(bodies[i]!);
        return await digest;
      });
      await doomed.terminate();
      assert.deepEqual(
        await Promise.all(digests),
        bodies.map((each) => digestOf([each])),
      );
      for (const _ of bodies) assert.equal((await other.relayEnd()).kind, 'complete');
      await Promise.all(endings);
      const { sender, receiver } = await other.path();
      void sender.write(bodies[0]!);
      assert.equal(await receiver.digest(16 * MIB), digestOf([bodies[0]!]), 'it still serves');
      await other.relayEnd();
      await other.close();
    }));

  it('one may be terminated at any moment', () =>
    leavingNothing(async () => {
      for (let moment = 0; moment < 12; moment++) {
        await using worker = await RelayWorker.start(1024 * MIB);
        const { sender, receiver } = await worker.path();
        const block = body(MIB);
        const writing = (async () => {
          while (await sender.write(block));
        })();
        const ending = receiver.ending();
        await sleep(2 * moment);
        await worker.terminate();
        await within('the far ends to notice', Promise.all([ending, writing]));
      }
    }));
});

describe('engines that come and go', {
  skip: !built && 'the engine is not built here: run `make engine`',
}, () => {
  it('fifty, each with a listener, connections and a relay in flight, leave no descriptor', () =>
    leavingNothing(async () => {
      for (let round = 0; round < 50; round++) {
        const transport = createEngineTransport()!;
        const accepted = new Arrivals<Parameters<Parameters<typeof transport.listen>[1]>[0]>();
        const { port } = await transport.listen(listening, (connection) => accepted.push(connection));
        const sender = await RawPeer.connect(port);
        const source = await accepted.take('an accept', () => true);
        const dialled = await transport.connect({ ...sockets, host: '127.0.0.1', port, timeout: 5000 });
        assert.equal(dialled.kind, 'connected');
        const relay = source.relay(dialled.connection, { framing: { kind: 'until-close' }, stallTimeout: 0 });
        void sender.write(body(256 * 1024));
        await until('bytes to move', () => relay.moved > 0);
        transport.close();
        assert.equal((await relay.done).kind, 'stopped');
        await sender.ending();
        sender.destroy();
      }
    }));
});
