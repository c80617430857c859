/**
 * A worker thread with an engine of its own: relays each connection that it accepts to `upstream`, one body of `length`
 * bytes. The budget is small and granted again and again, so that the engine calls into JavaScript all the time.
 * Posts the port that it listens on, then each relay's end; any message to it closes the engine.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Connection } from '../../src/net/contract.ts';
import { createEngineTransport } from '../../src/net/engine.ts';
import { listening, sockets } from './wires.ts';

export interface RelayWorkerData {
  readonly upstream: number;
  readonly length: number;
}

const { upstream, length }: RelayWorkerData = workerData;
const BUDGET = 64 * 1024;
const port = parentPort!;
const transport = createEngineTransport()!;

async function serve(source: Connection): Promise<void> {
  const dialled = await transport.connect({ ...sockets, host: '127.0.0.1', port: upstream, timeout: 5000 });
  if (dialled.kind === 'failed') throw new Error(dialled.detail);
  const relay = source.relay(dialled.connection, {
    framing: { kind: 'length', length },
    stallTimeout: 10_000,
    budget: BUDGET,
    onBudget: (starved) => starved.grant(BUDGET),
  });
  port.postMessage(await relay.done);
  source.close();
  dialled.connection.close();
}

const listener = await transport.listen(listening, (connection) => void serve(connection));
port.postMessage(listener.port);
port.once('message', () => transport.close());
