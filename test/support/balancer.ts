/** A TCP balancer on loopback: hands each connection to the next of its targets, byte by byte. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { within } from './deadline.ts';

export class Balancer {
  readonly port: number;
  /** Ports. */
  targets: readonly number[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next = 0;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (socket) => this.#join(socket));
  }

  static async open(): Promise<Balancer> {
    const server = createServer();
    await within('a balancer', new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    return new Balancer(server, address.port);
  }

  /** Ends every connection: a proxy that leads to itself would wait for itself to let go of one. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await within('a balancer to close', new Promise((resolve) => this.#server.close(resolve)));
  }

  #join(client: Socket): void {
    const server = connect(this.targets[this.#next++ % this.targets.length] ?? 0, '127.0.0.1');
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  }
}
