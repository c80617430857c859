/**
 * The transport on node:net and node:tls: for TLS, for systems other than Linux, and where the engine isn't built.
 * Bodies are copied through user space, a block at a time. It can't set TCP_USER_TIMEOUT or TCP_CONGESTION, and
 * knows no TCP_INFO.
 */
import { createServer, type Server, Socket } from 'node:net';
import { type Failure, failure } from '../errors.ts';
import { connectFailure, tlsFailure } from './connect-failure.ts';
import type {
  Connection,
  ConnectOptions,
  ConnectResult,
  Counters,
  Listener,
  ListenOptions,
  SocketOptions,
  Transport,
} from './contract.ts';
import { StreamConnection, type StreamHost } from './stream-connection.ts';
import { secure } from './tls.ts';

/** Half-open, so that a FIN leaves the way back open. Node's own read-ahead comes on top of what a connection holds. */
const SOCKET = { allowHalfOpen: true, highWaterMark: 16 * 1024 };

interface StreamsHost extends StreamHost {
  /** Ends what is still being dialled. */
  readonly dialling: Set<() => void>;
}

export function createStreamsTransport(): Transport {
  const host: StreamsHost = { counters: noCounters(), connections: new Set(), dialling: new Set() };
  const listeners = new Set<Listener>();
  return {
    kind: 'streams',
    async listen(options, onConnection) {
      const listener = await listen(options, host, onConnection);
      listeners.add(listener);
      return listener;
    },
    connect: (options) => connect(options, host),
    counters: () => ({ ...host.counters }),
    close() {
      for (const listener of listeners) listener.close();
      listeners.clear();
      for (const abort of [...host.dialling]) abort();
      for (const connection of [...host.connections]) connection.close();
    },
  };
}

async function listen(
  options: ListenOptions,
  host: StreamHost,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  // Node can't leave connections in the kernel's backlog, so a paused listener keeps as many in one of its own,
  // unread, and turns the rest away.
  const waiting: Socket[] = [];
  let paused = false;
  const server = createServer({ ...SOCKET, pauseOnConnect: true, noDelay: true });
  const welcome = (socket: Socket) => {
    host.counters.accepted += 1;
    onConnection(new StreamConnection(socket, socket, host));
  };
  server.on('connection', (socket) => {
    keepAlive(socket, options);
    if (!paused) welcome(socket);
    else if (waiting.length < options.backlog) waiting.push(socket);
    else socket.resetAndDestroy();
  });
  await bound(server, options);
  // A failed accept (no descriptors left, a peer gone at once) is no reason to end the process.
  server.on('error', () => {});
  const address = server.address();
  return {
    host: options.host,
    port: address !== null && typeof address === 'object' ? address.port : options.port,
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      // Welcoming one may pause it again.
      while (!paused) {
        const socket = waiting.shift();
        if (!socket) return;
        welcome(socket);
      }
    },
    close() {
      server.close();
      for (const socket of waiting.splice(0)) socket.resetAndDestroy();
    },
  };
}

function bound(server: Server, { host, port, backlog, reusePort, ipv6Only }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog, reusePort, ipv6Only, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function connect(options: ConnectOptions, host: StreamsHost): Promise<ConnectResult> {
  const address = `${options.host.includes(':') ? `[${options.host}]` : options.host}:${options.port}`;
  const tcp = new Socket(SOCKET);
  let socket = tcp;
  return new Promise((resolve) => {
    const settle = (result: ConnectResult) => {
      clearTimeout(deadline);
      host.dialling.delete(abort);
      resolve(result);
    };
    const fail = ({ code, detail }: Failure) => {
      socket.destroy();
      tcp.destroy();
      settle({ kind: 'failed', code, detail });
    };
    const succeed = () => {
      host.counters.connected += 1;
      socket.off('error', failed);
      settle({ kind: 'connected', connection: new StreamConnection(socket, tcp, host) });
    };
    const failed = (error: NodeJS.ErrnoException) =>
      fail(
        socket !== tcp && options.tls
          ? tlsFailure(error, address, options.tls.serverName)
          : connectFailure(error.code ?? error.message, address),
      );
    const late = () => {
      const what = socket === tcp ? 'accept' : 'finish the TLS handshake';
      fail(failure('upstream-connect-timeout', `${address}: did not ${what} within ${options.timeout} ms`));
    };
    const abort = () => fail(failure('shutting-down', `${address}: the transport was closed`));
    const deadline = options.timeout > 0 ? setTimeout(late, options.timeout) : undefined;
    host.dialling.add(abort);
    tcp.on('error', failed);
    tcp.connect({ host: options.host, port: options.port }, () => {
      tcp.setNoDelay(true);
      keepAlive(tcp, options);
      if (!options.tls) return succeed();
      socket = secure(tcp, options.tls);
      socket.on('error', failed);
      socket.once('secureConnect', succeed);
    });
  });
}

/** The system counts in seconds, of which it wants at least one; 0 leaves its own values. */
function keepAlive(
  socket: Socket,
  { keepAliveIdle, keepAliveInterval, keepAliveCount }: SocketOptions,
): void {
  if (keepAliveIdle === 0) return;
  socket.setKeepAlive({
    enable: true,
    initialDelay: Math.max(keepAliveIdle, 1000),
    ...(keepAliveInterval > 0 && { interval: Math.max(keepAliveInterval, 1000) }),
    ...(keepAliveCount > 0 && { count: keepAliveCount }),
  });
}

function noCounters(): Counters {
  return {
    bytesSpliced: 0,
    bytesCopied: 0,
    bytesDiscarded: 0,
    systemCalls: 0,
    accepted: 0,
    connected: 0,
    pipeMisses: 0,
    connections: 0,
    relays: 0,
    pipes: 0,
    pipesInUse: 0,
  };
}
