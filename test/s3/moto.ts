/** A moto server, and a way to it on which each request can be watched, delayed, answered or cut. */
import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import { type AddressInfo, createServer as createProbe } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

/** The start of a Python process with all of moto's imports takes seconds. */
const startDeadline = 60_000;

export interface Moto {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

export async function startMoto(): Promise<Moto> {
  const command = process.env.MOTO_SERVER;
  if (command === undefined) throw new Error('MOTO_SERVER is not set; run make test-s3');
  const port = await freePort();
  const child = spawn(command, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  const late = Date.now() + startDeadline;
  while (
    !(await fetch(`${url}/moto-api/data.json`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null || Date.now() > late) throw new Error('moto does not start');
    await sleep(100);
  }
  return {
    port,
    url,
    stop: async () => {
      kill();
      process.off('exit', kill);
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createProbe();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

/** What the operator's own tools would do. */
export class Uploader {
  readonly #client: S3Client;
  readonly bucket: string;

  constructor(endpoint: string, bucket: string) {
    const credentials = { accessKeyId: 'operator', secretAccessKey: 'secret' };
    this.#client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    this.bucket = bucket;
  }

  async create(): Promise<void> {
    await this.#client.send(new CreateBucketCommand({ Bucket: this.bucket }));
  }

  async put(key: string, body: string | Uint8Array): Promise<void> {
    await this.#client.send(new PutObjectCommand({ Bucket: this.bucket, Key: key, Body: body }));
  }

  async remove(key: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: key }));
  }

  close(): void {
    this.#client.destroy();
  }
}

/** What happens to one request on its way: the connection ends before the answer, in it, or the answer never does. */
export type Incident = 'pass' | 'refuse' | 'cut' | 'stall';

export class Way {
  /** `GET /bucket/key`, without the query. */
  readonly requests: string[] = [];
  /** Asked before each request is passed on. */
  incident: (request: IncomingMessage) => Incident | Promise<Incident> = () => 'pass';
  readonly #server = createServer((request, response) => void this.#forward(request, response));
  readonly #port: number;

  constructor({ port }: Moto) {
    this.#port = port;
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    this.requests.push(`${method} ${url.replace(/\?.*/, '')}`);
    const incident = await this.incident(request);
    if (incident === 'refuse') return void request.socket.destroy();
    const onward = send({ host: '127.0.0.1', port: this.#port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      if (incident === 'pass') return answer.pipe(response);
      // The head is sent, and half of the body.
      answer.once('data', (chunk: Buffer) => {
        response.write(chunk.subarray(0, chunk.length / 2));
        answer.destroy();
        if (incident === 'cut') setTimeout(() => response.destroy(), 10);
      });
      return undefined;
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  }
}
