/**
 * The transport on node:net and node:tls: for TLS, for systems other than Linux, and where the engine isn't built.
 * Bodies are copied through user space, a block at a time. It can't set TCP_USER_TIMEOUT or TCP_CONGESTION, and
 * knows no TCP_INFO.
 */
import { createServer, type Server, Socket } from 'node:net';
import { type Failure, failure } from '../errors.ts';
import { connectFailure, isOurs, tlsFailure } from './connect-failure.ts';
import type {
  Connection,
  ConnectOptions,
  ConnectResult,
  Counters,
  Listener,
  ListenOptions,
  Shortage,
  SocketOptions,
  Transport,
  TransportOptions,
} from './contract.ts';
import { StreamConnection, type StreamHost } from './stream-connection.ts';
import { secure } from './tls.ts';

/** Half-open, so that a FIN leaves the way back open. Node's own read-ahead comes on top of what a connection holds. */
const SOCKET = { allowHalfOpen: true, highWaterMark: 16 * 1024 };

interface StreamsHost extends StreamHost {
  readonly options: TransportOptions;
  /** Ends what is still being dialled. */
  readonly dialling: Set<() => void>;
}

export function createStreamsTransport(options: TransportOptions = {}): Transport {
  const host: StreamsHost = { options, counters: noCounters(), connections: new Set(), dialling: new Set() };
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
  host: StreamsHost,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  // Node can't leave connections in the kernel's backlog, so a listener without room keeps some in a list of its own,
  // unread, and turns the rest away.
  const waiting: Socket[] = [];
  let room = Number.POSITIVE_INFINITY;
  const server = createServer({ ...SOCKET, pauseOnConnect: true, noDelay: true });
  const welcome = (socket: Socket) => {
    room -= 1;
    host.counters.accepted += 1;
    onConnection(new StreamConnection(socket, socket, host));
  };
  server.on('connection', (socket) => {
    if (isReserved(socket, host)) {
      tellShortage(host, 'accept', 'EMFILE');
      socket.resetAndDestroy();
      return;
    }
    keepAlive(socket, options);
    if (room > 0) welcome(socket);
    else if (waiting.length < (options.waiting ?? options.backlog)) waiting.push(socket);
    else socket.resetAndDestroy();
  });
  await bound(server, options);
  // A failed accept is no reason to end the process. libuv tells of none today: out of descriptors it accepts and
  // closes, for want of memory it tries again, both without a word.
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (isOurs(error.code ?? '')) tellShortage(host, 'accept', error.code ?? '');
  });
  const address = server.address();
  return {
    host: options.host,
    port: address !== null && typeof address === 'object' ? address.port : options.port,
    admit(count) {
      room = count;
      // Welcoming one may set it anew.
      while (room > 0) {
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
    const failed = (error: NodeJS.ErrnoException) => {
      if (socket !== tcp && options.tls) return fail(tlsFailure(error, address, options.tls.serverName));
      const errno = error.code ?? error.message;
      if (isOurs(errno)) tellShortage(host, 'connect', errno);
      fail(connectFailure(errno, address));
    };
    const late = () => {
      const what = socket === tcp ? 'accept' : 'finish the TLS handshake';
      fail(failure('upstream-connect-timeout', `${address}: did not ${what} within ${options.timeout} ms`));
    };
    const abort = () => fail(failure('shutting-down', `${address}: the transport was closed`));
    const deadline = options.timeout > 0 ? setTimeout(late, options.timeout) : undefined;
    host.dialling.add(abort);
    tcp.on('error', failed);
    tcp.connect({ host: options.host, port: options.port }, () => {
      if (isReserved(tcp, host)) return failed(Object.assign(new Error('reserved'), { code: 'EMFILE' }));
      tcp.setNoDelay(true);
      keepAlive(tcp, options);
      if (!options.tls) return succeed();
      socket = secure(tcp, options.tls);
      socket.on('error', failed);
      socket.once('secureConnect', succeed);
    });
  });
}

/** Node tells the number of a socket's descriptor in its handle alone; where it does not, nothing is reserved. */
function isReserved(socket: Socket, { options }: StreamsHost): boolean {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null };
  return (handle?.fd ?? -1) >= (options.descriptors ?? Number.POSITIVE_INFINITY);
}

function tellShortage({ options }: StreamsHost, call: Shortage['call'], errno: string): void {
  options.onShortage?.({ transport: 'streams', call, errno });
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
