/** A client that speaks HTTP/1.1 by hand, for what no client library lets one do. */
import { connect, type Socket } from 'node:net';

export interface WireAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export class Wire {
  #socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    // A reset ends the connection as a close does; what a test wants to know is whether an answer came first.
    socket.on('end', end).on('close', end).on('error', end);
    // The tests end their side themselves where they want to; here as node:net would.
    socket.on('end', () => socket.end());
  }

  static async open(base: string): Promise<Wire> {
    const { hostname, port } = new URL(base);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Wire(socket);
  }

  /** Resolves when the kernel has taken it, or the connection has ended. */
  send(text: string): Promise<void> {
    return new Promise((resolve) => this.#socket.write(text, () => resolve()));
  }

  /** As `send`, and a FIN behind it, in one piece. The way back stays open. */
  sendAndEnd(text: string): void {
    this.#socket.end(text);
  }

  /** The next answer, 1xx included; undefined when the connection ended before it. */
  async answer(deadline = 30_000): Promise<WireAnswer | undefined> {
    const head = await this.#upTo('\r\n\r\n', deadline);
    if (head === undefined) return undefined;
    const [line = '', ...fields] = head.split('\r\n').filter((field) => field !== '');
    const headers = new Map(
      fields.map((field): [string, string] => {
        const colon = field.indexOf(':');
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
      }),
    );
    const body = headers.has('transfer-encoding')
      ? await this.#chunks(deadline)
      : await this.#take(Number(headers.get('content-length') ?? 0), deadline);
    return { status: Number(line.split(' ')[1]), headers, body };
  }

  /** True when the peer closes within `deadline` milliseconds. */
  async closes(deadline: number): Promise<boolean> {
    await this.#until(() => false, deadline);
    return this.#ended;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #chunks(deadline: number): Promise<string> {
    let body = '';
    for (;;) {
      const size = Number.parseInt((await this.#upTo('\r\n', deadline)) ?? '', 16);
      if (Number.isNaN(size)) throw new Error('the connection ended within a chunked body');
      body += await this.#take(size, deadline);
      await this.#upTo('\r\n', deadline);
      if (size === 0) return body;
    }
  }

  async #upTo(mark: string, deadline: number): Promise<string | undefined> {
    const found = await this.#until(() => this.#received.includes(mark), deadline);
    return found ? this.#take(this.#received.indexOf(mark) + mark.length, deadline) : undefined;
  }

  async #take(bytes: number, deadline: number): Promise<string> {
    if (!(await this.#until(() => this.#received.length >= bytes, deadline))) {
      throw new Error(`the connection ended ${bytes - this.#received.length} bytes early`);
    }
    const taken = this.#received.toString('latin1', 0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }

  /** Waits for `what`; false when the connection ends or the deadline passes first. */
  async #until(what: () => boolean, deadline: number): Promise<boolean> {
    const late = performance.now() + deadline;
    while (!what() && !this.#ended && performance.now() < late) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, late - performance.now()).unref();
      });
    }
    return what();
  }
}
