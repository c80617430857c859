/** A server behind the proxy, scripted byte by byte, that counts what reaches it. */
import { createServer, type Server } from 'node:net';
import { within } from './deadline.ts';
import { type Head, readBody, readHead } from './http-peer.ts';
import { RawPeer } from './raw-peer.ts';

/** Serves one connection; `nth` counts from 0. What it throws is kept in `faults`. */
export type Script = (peer: RawPeer, nth: number, origin: Origin) => Promise<void>;

export interface Received {
  readonly head: Head;
  /** Of the body. */
  readonly digest: string;
  readonly trailers: string;
}

export class Origin {
  readonly port: number;
  /** Connections accepted. */
  accepted = 0;
  /** Requests that came whole, in order. */
  readonly received: Received[] = [];
  readonly faults: unknown[] = [];
  readonly peers: RawPeer[] = [];
  readonly #server: Server;

  private constructor(server: Server, port: number, script: Script) {
    this.#server = server;
    this.port = port;
    server.on('connection', (socket) => {
      const peer = new RawPeer(socket);
      this.peers.push(peer);
      script(peer, this.accepted++, this).catch((error) => this.faults.push(error));
    });
  }

  static async open(script: Script = answering(), port = 0, host = '127.0.0.1'): Promise<Origin> {
    const server = createServer({ allowHalfOpen: true });
    await within('an origin', new Promise<void>((resolve) => server.listen(port, host, resolve)));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    return new Origin(server, address.port, script);
  }

  /** The next request on a connection, with its body; undefined when it ends before one. */
  async receive(peer: RawPeer): Promise<Received | undefined> {
    const head = await readHead(peer).catch(() => undefined);
    if (head === undefined) return undefined;
    const received = { head, ...(await readBody(peer, head)) };
    this.received.push(received);
    return received;
  }

  /** Connections that the proxy has not closed yet. */
  get open(): number {
    return this.peers.filter(({ socket }) => !socket.destroyed && !socket.readableEnded).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.peers) peer.destroy();
    await within('an origin to close', new Promise((resolve) => this.#server.close(resolve)));
  }
}

/** A plain answer with a body of known length. */
export function answerText(status: number, text: string, fields = ''): string {
  return `HTTP/1.1 ${status} Told\r\n${fields}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

/** A sound server: reads each request whole and answers with the digest of what it read. */
export function answering(make = (received: Received) => answerText(200, received.digest)): Script {
  return async (peer, _nth, origin) => {
    for (;;) {
      const received = await origin.receive(peer);
      if (received === undefined) break;
      await peer.write(make(received));
    }
    peer.end();
  };
}
