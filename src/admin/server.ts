/**
 * The admin address: /livez, /readyz, /metrics and /policies, apart from the traffic it tells of. Over node:net and our
 * own parser, one request a connection: node:http would take 10 MB of the proxy's memory for three answers.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { beginsNoHead } from '../http1/beginning.ts';
import { parseRequestHead, refuseForeign } from '../http1/request-head.ts';
import { adminPaths, type Liveness, type PolicyReport, type Readiness, type Refusal } from './contract.ts';

export interface AdminOptions {
  /** An address, not a name. */
  readonly host: string;
  /** 0 asks for any free port. */
  readonly port: number;
  /** The exposition text. */
  readonly metrics: () => Promise<string>;
  readonly readiness: () => Readiness;
  /** Undefined where requests are not judged. */
  readonly policies?: (() => PolicyReport) | undefined;
}

export interface Admin {
  readonly host: string;
  readonly port: number;
  /** Closes the listener and every connection. */
  close(): Promise<void>;
}

/** Nobody but kubelets and scrapers comes here; a slow or greedy one is cut off. Milliseconds, bytes. */
const limits = { connection: 10_000, connections: 64, headBytes: 8192, headFields: 100, targetBytes: 1024 };

/** Rejects with the system's error when the address can't be bound. */
export function createAdmin(options: AdminOptions): Promise<Admin> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, options);
  });
  server.maxConnections = limits.connections;
  return listen(server, sockets, options);
}

/** Reads one head, answers it, closes. Whatever else arrives is thrown away. */
function serve(socket: Socket, options: AdminOptions): void {
  const deadline = setTimeout(() => socket.destroy(), limits.connection);
  socket.once('close', () => clearTimeout(deadline));
  socket.on('error', () => socket.destroy());
  let head = Buffer.alloc(0);
  const onData = (piece: Buffer): void => {
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    const foreign = end < 0 && beginsNoHead(head, 0, head.length);
    if (end < 0 && head.length < limits.headBytes && !foreign) return;
    socket.off('data', onData);
    socket.resume();
    if (foreign) socket.end(write(json(400, { error: refuseForeign(head, 0, head.length).detail })));
    else void answer(head, end + 4, options).then((text) => socket.end(text));
  };
  socket.on('data', onData);
}

interface Answer {
  readonly status: keyof typeof reasons;
  readonly type: string;
  readonly text: string;
}

const reasons = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;

/** The whole response to the head in `buffer[0..end)`; an `end` beyond the limit was never found. */
async function answer(buffer: Buffer, end: number, options: AdminOptions): Promise<string> {
  if (end < 4 || end > limits.headBytes) return write(json(431, { error: 'the head is too large' }));
  const head = parseRequestHead(buffer, 0, end, {
    maxTarget: limits.targetBytes,
    maxFields: limits.headFields,
  });
  if ('code' in head) return write(json(400, { error: head.detail }));
  if (!Object.values<string>(adminPaths).includes(head.path)) {
    return write(json(404, { error: `nothing here; try ${Object.values(adminPaths).join(', ')}` }));
  }
  if (head.method !== 'GET' && head.method !== 'HEAD')
    return write(json(405, { error: 'only GET and HEAD' }));
  try {
    return write(await tell(head.path, options), head.method === 'HEAD');
  } catch (error) {
    return write(json(500, { error: error instanceof Error ? error.message : 'failed' }));
  }
}

async function tell(path: string, { metrics, readiness, policies }: AdminOptions): Promise<Answer> {
  if (path === adminPaths.live) return json(200, { live: true });
  if (path === adminPaths.metrics) {
    return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: await metrics() };
  }
  if (path === adminPaths.policies) {
    const report = policies?.();
    return report === undefined ? json(404, { error: 'no policies are configured' }) : json(200, report);
  }
  const state = readiness();
  return json(state.ready ? 200 : 503, state);
}

function json(status: Answer['status'], body: Liveness | Readiness | PolicyReport | Refusal): Answer {
  return { status, type: 'application/json', text: `${JSON.stringify(body)}\n` };
}

function write({ status, type, text }: Answer, headAlone = false): string {
  return (
    `HTTP/1.1 ${status} ${reasons[status]}\r\n` +
    `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n` +
    `${status === 405 ? 'Allow: GET, HEAD\r\n' : ''}Cache-Control: no-store\r\nConnection: close\r\n\r\n` +
    (headAlone ? '' : text)
  );
}

function listen(server: Server, sockets: Set<Socket>, { host, port }: AdminOptions): Promise<Admin> {
  const { promise, resolve, reject } = Promise.withResolvers<Admin>();
  server.once('error', reject);
  server.listen({ host, port }, () => {
    const bound = server.address();
    server.removeAllListeners('error');
    // Out of descriptors, say: the connection is lost, the proxy is not.
    server.on('error', () => {});
    resolve({
      host,
      port: typeof bound === 'object' && bound !== null ? bound.port : port,
      close() {
        const { promise: closed, resolve: done } = Promise.withResolvers<void>();
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
        return closed;
      },
    });
  });
  return promise;
}
