/** Connections leave descriptors to the rest of the process: the bound is the first number that is not theirs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { afterEach, it } from 'node:test';
import { until } from '../../test/support/deadline.ts';
import { RawServer } from '../../test/support/raw-peer.ts';
import { onEachTransport } from '../../test/support/stand.ts';
import { listening, sockets } from '../../test/support/wires.ts';
import type { Connection, Shortage, Transport, TransportOptions } from './contract.ts';
import { createEngineTransport } from './engine.ts';
import { createStreamsTransport } from './streams.ts';

/** The system gives out the lowest free number. */
function nextDescriptor(): number {
  const descriptor = openSync('/dev/null', 'r');
  closeSync(descriptor);
  return descriptor;
}

/** Clients in a process of their own, so that their sockets are none of ours. */
const crowdSource = `
  const { connect } = require('node:net');
  process.on('message', ({ port, count }) => {
    for (let i = 0; i < count; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => process.send('reset')).write('GET / HTTP/1.1\\r\\n\\r\\n');
    }
  });
`;

function startCrowd() {
  const child = spawn(process.execPath, ['-e', crowdSource], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const crowd = {
    resets: 0,
    connect: (port: number, count: number) => void child.send({ port, count }),
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
  child.on('message', () => {
    crowd.resets += 1;
  });
  return crowd;
}

const head = { maxBytes: 1000, idleTimeout: 0, timeout: 0 };

onEachTransport('a bound of descriptors', (kind) => {
  const create = (options: TransportOptions) => {
    const transport = kind === 'engine' ? createEngineTransport(options) : createStreamsTransport(options);
    assert.ok(transport);
    transports.push(transport);
    return transport;
  };
  const transports: Transport[] = [];
  afterEach(() => {
    for (const transport of transports.splice(0)) transport.close();
  });

  it('is never passed by a crowd; those who wait are served when others leave', async () => {
    const crowd = 20;
    const shortages: Shortage[] = [];
    await using clients = startCrowd();
    const descriptors = nextDescriptor() + 10;
    const transport = create({ descriptors, onShortage: (shortage) => shortages.push(shortage) });
    const arrived: Connection[] = [];
    const listener = await transport.listen(listening, (connection) => arrived.push(connection));
    clients.connect(listener.port, crowd);
    await until('the shortage to be told', () => shortages.length > 0, 20_000);
    assert.deepEqual(shortages[0], { transport: kind, call: 'accept', errno: 'EMFILE' });
    assert.ok(arrived.length >= 1 && arrived.length <= 10, `${arrived.length} of ${crowd}`);
    // One that waits may hold a number of the reserve.
    const next = nextDescriptor();
    assert.ok(next >= descriptors - 1 && next <= descriptors + 1, `${next}, ${descriptors}`);
    if (kind === 'engine') {
      for (let served = 0; served < crowd; served++) {
        await until(`client ${served}`, () => arrived.length > served, 20_000);
        const connection = arrived[served];
        assert.equal((await connection?.readHead(head))?.kind, 'head');
        connection?.close();
      }
      assert.equal(clients.resets, 0);
    } else await until('the rest to be turned away', () => arrived.length + clients.resets === crowd, 20_000);
    for (const connection of arrived) connection.close();
    listener.close();
    transport.close();
  });

  it('refuses upstream connections as EMFILE does, and gives them when there is room again', async () => {
    const shortages: Shortage[] = [];
    const server = await RawServer.listen();
    const descriptors = nextDescriptor() + 30;
    const transport = create({ descriptors, onShortage: (shortage) => shortages.push(shortage) });
    const fillers = Array.from({ length: 30 }, () => openSync('/dev/null', 'r'));
    const connect = () =>
      transport.connect({ ...sockets, host: '127.0.0.1', port: server.port, timeout: 10_000 });
    const refused = await connect();
    assert.equal(refused.kind === 'failed' && refused.code, 'out-of-descriptors');
    assert.deepEqual(shortages, [{ transport: kind, call: 'connect', errno: 'EMFILE' }]);
    for (const filler of fillers) closeSync(filler);
    const connected = await connect();
    assert.equal(connected.kind, 'connected');
    if (connected.kind === 'connected') connected.connection.close();
    assert.equal(transport.counters().connections, 0);
    transport.close();
    server.close();
  });
});
