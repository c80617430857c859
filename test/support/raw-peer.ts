/** The far end of a connection under test: a plain socket that reads only when asked to, with a deadline on each wait. */
import { connect, createServer, type Socket } from 'node:net';
import { Arrivals } from './arrivals.ts';
import { Digest } from './body.ts';
import { within } from './deadline.ts';

export class RawPeer {
  readonly socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;
  #error: NodeJS.ErrnoException | undefined;
  #wake = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('readable', () => this.#wake());
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#error = error;
      this.#wake();
    });
    socket.on('close', () => this.#wake());
  }

  /** `localAddress`: where it comes from; undefined is for the kernel to choose. */
  static async connect(port: number, host = '127.0.0.1', localAddress?: string): Promise<RawPeer> {
    const from = localAddress === undefined ? {} : { localAddress };
    const socket = connect({ port, host, allowHalfOpen: true, ...from });
    const peer = new RawPeer(socket);
    await within('a raw connect', new Promise((resolve) => socket.once('connect', resolve)));
    return peer;
  }

  /** True when the kernel has taken all of it, false when the connection is gone. */
  write(bytes: Uint8Array | string): Promise<boolean> {
    const block = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    return new Promise((resolve) => this.socket.write(block, (error) => resolve(!error)));
  }

  async writeAll(blocks: Iterable<Uint8Array>): Promise<boolean> {
    for (const block of blocks) if (!(await this.write(block))) return false;
    return true;
  }

  /** FIN; the way back stays open. */
  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** At least one byte and at most `most`; undefined once the peer has ended or reset. */
  async some(most = Number.POSITIVE_INFINITY): Promise<Buffer | undefined> {
    const all = this.#rest.length > 0 ? this.#rest : await this.#next();
    if (!all) return undefined;
    this.#rest = all.subarray(Math.min(most, all.length));
    return all.subarray(0, most);
  }

  async exactly(length: number): Promise<Buffer> {
    const blocks: Buffer[] = [];
    let left = length;
    while (left > 0) {
      const block = await within(`${left} more of ${length} bytes`, this.some(left));
      if (!block) throw new Error(`${left} of ${length} bytes never came`);
      blocks.push(block);
      left -= block.length;
    }
    return Buffer.concat(blocks);
  }

  /** Up to and with `marker`, as latin1 text. */
  async through(marker: string): Promise<string> {
    for (;;) {
      const at = this.#rest.indexOf(marker, 0, 'latin1');
      if (at !== -1) return (await this.exactly(at + marker.length)).toString('latin1');
      const more = await within(JSON.stringify(marker), this.#next());
      if (!more) throw new Error(`${JSON.stringify(marker)} never came`);
      this.#rest = Buffer.concat([this.#rest, more]);
    }
  }

  /** Digest of the next `length` bytes, none of them kept; without a length, of all up to the end. */
  async digest(length?: number): Promise<string> {
    const digest = new Digest();
    while (length === undefined || digest.length < length) {
      const most = length === undefined ? undefined : length - digest.length;
      const block = await within(`a block after ${digest.length} bytes`, this.some(most));
      if (!block) break;
      digest.update(block);
    }
    return digest.end();
  }

  /** Throws away what comes until it ends, and says how it did. */
  async ending(): Promise<'end' | 'reset'> {
    for (;;) {
      const block = await within('the end of a connection', this.some());
      if (!block) return this.#error ? 'reset' : 'end';
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  async #next(): Promise<Buffer | undefined> {
    for (;;) {
      const block: Buffer | null = this.socket.read();
      if (block) return block;
      if (this.#ended || this.#error || this.socket.closed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export class RawServer {
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #arrived = new Arrivals<RawPeer>();

  private constructor(server: ReturnType<typeof createServer>, port: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (socket) => this.#arrived.push(new RawPeer(socket)));
  }

  static async listen(): Promise<RawServer> {
    const server = createServer({ allowHalfOpen: true });
    await within('a raw listen', new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    return new RawServer(server, address.port);
  }

  /** The connection whose far end has this port. */
  accepted(remotePort: number): Promise<RawPeer> {
    return this.#arrived.take('a raw accept', ({ socket }) => socket.remotePort === remotePort);
  }

  /** Whichever comes next. */
  next(): Promise<RawPeer> {
    return this.#arrived.take('a raw accept', () => true);
  }

  close(): void {
    for (const peer of this.#arrived.rest()) peer.destroy();
    this.#server.close();
  }
}
