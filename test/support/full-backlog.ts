/** A port whose accept queue is full: further connects hang, since the kernel drops their SYNs. */
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { sleep, within } from './deadline.ts';

/** Listens with a backlog of 1 and then stops its loop, so that nothing is ever accepted. */
const listener = `
  const { workerData, parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setTimeout(() => Atomics.wait(workerData, 0, 0), 10);
  });
`;

export async function withFullBacklog(use: (port: number) => Promise<void>): Promise<void> {
  const stopped = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(listener, { eval: true, workerData: stopped });
  const fillers: Socket[] = [];
  try {
    const port = await within(
      'a listener',
      new Promise<number>((resolve) => worker.once('message', resolve)),
    );
    await sleep(100);
    for (let i = 0; i < 4; i++) {
      const filler = connect({ port, host: '127.0.0.1' });
      filler.on('error', () => {});
      fillers.push(filler);
    }
    await sleep(100);
    await use(port);
  } finally {
    for (const filler of fillers) filler.destroy();
    Atomics.store(stopped, 0, 1);
    Atomics.notify(stopped, 0);
    await worker.terminate();
  }
}
