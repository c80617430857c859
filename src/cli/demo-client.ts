/** The demo's client: one connection, a bulk up and a search down, digests kept on the way. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { actionsField, digestField } from './demo-origin.ts';

export interface Transfer {
  readonly bytes: number;
  readonly seconds: number;
  /** What this end computed, and what the other end told. */
  readonly digest: string;
  readonly told: string;
  /** Bulk actions the origin counted; 0 for a search. */
  readonly actions: number;
}

export interface Client {
  upload(body: Iterable<Buffer>, length: number, onMoved: (bytes: number) => void): Promise<Transfer>;
  download(onMoved: (bytes: number) => void): Promise<Transfer>;
  close(): void;
}

/** Every wait ends with `signal`. Rejects when an answer is not 200. */
export function createClient(port: number, signal: AbortSignal): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const common = { agent, host: '127.0.0.1', port, signal };
  return {
    async upload(body, length, onMoved) {
      const began = performance.now();
      const digest = createHash('sha256');
      const sent = request({
        ...common,
        method: 'POST',
        path: '/_bulk?filter_path=took,errors',
        headers: {
          'Content-Type': 'application/x-ndjson',
          'Content-Length': length,
          'User-Agent': 'sluice-demo',
        },
      });
      const answered = once(sent, 'response', { signal });
      // An answer or an error that comes in mid body must not go unhandled while the body is being written.
      answered.catch(() => {});
      let bytes = 0;
      for (const piece of body) {
        digest.update(piece);
        bytes += piece.length;
        if (!sent.write(piece)) await Promise.race([once(sent, 'drain', { signal }), answered]);
        onMoved(bytes);
      }
      sent.end();
      const response: IncomingMessage = (await answered)[0];
      expectOk(response, (await collect(response)).toString());
      return {
        bytes,
        seconds: (performance.now() - began) / 1000,
        digest: digest.digest('hex'),
        told: String(response.headers[digestField.toLowerCase()]),
        actions: Number(response.headers[actionsField.toLowerCase()]),
      };
    },

    async download(onMoved) {
      const began = performance.now();
      const digest = createHash('sha256');
      const sent = request({
        ...common,
        path: '/cities/_search?size=10000',
        headers: { 'User-Agent': 'sluice-demo' },
      });
      sent.end();
      const response: IncomingMessage = (await once(sent, 'response', { signal }))[0];
      if (response.statusCode !== 200) expectOk(response, (await collect(response)).toString());
      let bytes = 0;
      for await (const piece of response as AsyncIterable<Buffer>) {
        digest.update(piece);
        bytes += piece.length;
        onMoved(bytes);
      }
      return {
        bytes,
        seconds: (performance.now() - began) / 1000,
        digest: digest.digest('hex'),
        told: String(response.trailers[digestField.toLowerCase()]),
        actions: 0,
      };
    },

    close: () => agent.destroy(),
  };
}

function expectOk(response: IncomingMessage, text: string): void {
  if (response.statusCode === 200) return;
  throw new Error(`the proxy answered ${response.statusCode}: ${text.slice(0, 300)}`);
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}
