/**
 * The official JavaScript clients behind one small interface. They are loaded by name, so that the rest of the
 * checkout can be type-checked without them.
 */
import type { Readable } from 'node:stream';
import type { JavaScriptClient } from './catalogue.ts';
import type { Document, Hit } from './documents.ts';

export interface ClientOptions {
  /** Request bodies gzipped by the client, answers asked for gzipped. */
  readonly gzip: boolean;
  /** The address to come from, one of this machine's; not for Elasticsearch's clients from 8 on. */
  readonly from?: string;
}

export interface BulkStats {
  readonly total: number;
  readonly successful: number;
  readonly failed: number;
  readonly retry: number;
}

export interface BulkOptions {
  /** A body is sent when it has reached so many bytes. */
  readonly flushBytes: number;
  /** Bodies in flight at once. */
  readonly concurrency: number;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What a client throws for an answer that is not a 2xx. */
export interface ResponseError extends Error {
  readonly statusCode: number;
  readonly meta: { readonly body: unknown };
}

export interface SearchClient {
  /** The client's own bulk helper. */
  bulk(index: string, documents: readonly Document[], options: BulkOptions): Promise<BulkStats>;
  /** A `_bulk` whose body is a stream: its length is unknown, so it is sent chunked. */
  bulkStream(index: string, body: Readable): Promise<Answer>;
  request(method: string, path: string, body?: object): Promise<Answer>;
  /** All documents of an index by the client's own scroll helper, `size` of them an answer. */
  scroll(index: string, size: number): Promise<Hit[]>;
  close(): Promise<void>;
}

/** The part of the clients' own surface that is used here; the same in all their versions. */
interface Client {
  readonly helpers: {
    bulk(options: object): Promise<BulkStats>;
    scrollSearch(
      parameters: object,
    ): AsyncIterable<{ readonly body: { readonly hits: { readonly hits: Hit[] } } }>;
  };
  readonly transport: {
    request(
      parameters: object,
      options: object,
    ): Promise<{ readonly statusCode: number; readonly body: unknown }>;
  };
  close(): Promise<void>;
}

interface ClientModule {
  readonly Client: new (options: object) => Client;
}

const timeout = 120_000;

export async function openClient(
  name: JavaScriptClient,
  url: string,
  options: ClientOptions,
): Promise<SearchClient> {
  const { Client } = (await import(name)) as ClientModule;
  const modern = name === 'elasticsearch-8' || name === 'elasticsearch-9';
  const client = new Client({
    node: url,
    requestTimeout: timeout,
    // A retry would hide what went wrong the first time.
    maxRetries: 0,
    ...(options.from ? { agent: { localAddress: options.from } } : {}),
    ...(options.gzip
      ? modern
        ? { compression: true }
        : { compression: 'gzip', suggestCompression: true }
      : {}),
  });
  return {
    bulk: (index, documents, { flushBytes, concurrency }) =>
      client.helpers.bulk({
        datasource: documents,
        onDocument: (document: Document) => ({ index: { _index: index, _id: document.id } }),
        index,
        flushBytes,
        concurrency,
        retries: 0,
      }),
    bulkStream: async (index, body) => {
      const request = { method: 'POST', path: `/${index}/_bulk`, bulkBody: body };
      const answer = await client.transport.request(request, { meta: true });
      return { status: answer.statusCode, body: answer.body };
    },
    request: async (method, path, body) => {
      const request = { method, path, ...(body ? { body } : {}) };
      const answer = await client.transport.request(request, { meta: true });
      return { status: answer.statusCode, body: answer.body };
    },
    scroll: async (index, size) => {
      const hits: Hit[] = [];
      for await (const page of client.helpers.scrollSearch({ index, size, sort: '_doc', scroll: '2m' })) {
        hits.push(...page.body.hits.hits);
      }
      return hits;
    },
    close: () => client.close(),
  };
}
