/** Plain requests without a client library: what the servers are asked directly, and what is compared byte by byte. */
import { createHash } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import type { Document, Hit } from './documents.ts';
import { bulkLines } from './documents.ts';

export interface Question {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The address to come from, one of this machine's. */
  readonly from?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One request on a connection of its own, which it does not ask the other side to close. */
export function ask(base: string, question: Question): Promise<Reply> {
  const agent = new Agent({ keepAlive: true });
  return new Promise<Reply>((resolve, reject) => {
    const { method, path, headers, body, from } = question;
    const type = path.includes('_bulk') ? 'application/x-ndjson' : 'application/json';
    const length =
      body === undefined ? {} : { 'content-length': Buffer.byteLength(body), 'content-type': type };
    const sent = request(base + path, {
      method,
      agent,
      localAddress: from,
      headers: { ...length, ...headers },
      signal: AbortSignal.timeout(120_000),
    });
    sent.once('error', reject);
    sent.once('response', async (response) => {
      try {
        const parts: Buffer[] = [];
        for await (const part of response) parts.push(part as Buffer);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) });
      } catch (error) {
        reject(error);
      }
    });
    sent.end(body);
  }).finally(() => agent.destroy());
}

/** As `ask`, for JSON; throws on anything but a 2xx. */
export async function askJson(base: string, method: string, path: string, body?: object): Promise<unknown> {
  const reply = await ask(base, { method, path, ...(body ? { body: JSON.stringify(body) } : {}) });
  if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.body.toString()}`);
  return reply.body.length === 0 ? undefined : JSON.parse(reply.body.toString());
}

export function sha256(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

export function decoded(reply: Reply): Buffer {
  return reply.headers['content-encoding'] === 'gzip' ? gunzipSync(reply.body) : reply.body;
}

/** An index that stores documents and indexes nothing: the time a server takes to analyse text tests no proxy. */
export async function createIndex(base: string, index: string): Promise<void> {
  await askJson(base, 'PUT', `/${index}`, {
    settings: { number_of_shards: 1, number_of_replicas: 0, refresh_interval: '-1' },
    mappings: { dynamic: false },
  });
}

export async function deleteIndex(base: string, index: string): Promise<void> {
  await askJson(base, 'DELETE', `/${index}`);
}

export async function load(base: string, index: string, documents: readonly Document[]): Promise<void> {
  const body = documents.map(bulkLines).join('');
  const reply = await ask(base, { method: 'POST', path: `/${index}/_bulk?filter_path=errors`, body });
  if (reply.body.toString() !== '{"errors":false}') throw new Error(`bulk: ${reply.status} ${reply.body}`);
  await askJson(base, 'POST', `/${index}/_refresh`);
}

interface Page {
  readonly _scroll_id: string;
  readonly hits: { readonly hits: Hit[] };
}

/** Every document of an index, refreshed first. */
export async function readAll(base: string, index: string): Promise<Hit[]> {
  await askJson(base, 'POST', `/${index}/_refresh`);
  const hits: Hit[] = [];
  let page = (await askJson(base, 'POST', `/${index}/_search?scroll=2m`, {
    size: 10_000,
    sort: ['_doc'],
  })) as Page;
  while (page.hits.hits.length > 0) {
    hits.push(...page.hits.hits);
    page = (await askJson(base, 'POST', '/_search/scroll', {
      scroll: '2m',
      scroll_id: page._scroll_id,
    })) as Page;
  }
  await askJson(base, 'DELETE', '/_search/scroll', { scroll_id: page._scroll_id });
  return hits;
}
