/**
 * The server behind the demo: as much of Elasticsearch as acknowledges a bulk and answers a search, in a
 * process of its own. It tells the digest of what it received, and that of what it sent.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { bodyBytes, hits, loadCities } from './demo-rows.ts';

export const digestField = 'X-Demo-Sha256';
export const actionsField = 'X-Demo-Actions';

/** Serves on a free loopback port, told to the parent, until the parent is gone. */
export async function serveOrigin(): Promise<void> {
  const cities = loadCities();
  const server = createServer((request, response) => {
    response.setHeader('X-Elastic-Product', 'Elasticsearch');
    const { pathname } = new URL(request.url ?? '/', 'http://origin');
    const answered =
      request.method === 'POST' && pathname === '/_bulk'
        ? acknowledge(request, response)
        : pathname === '/cities/_search'
          ? search(response, hits(cities, bodyBytes))
          : info(response);
    answered.catch(() => response.destroy());
  });
  server.requestTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
  process.once('disconnect', () => process.exit(0));
  await once(server, 'close');
}

async function info(response: ServerResponse): Promise<void> {
  json(response, { name: 'demo', cluster_name: 'demo', tagline: 'You Know, for Search' });
}

/** Every other line is an action; a bulk that breaks the pattern is refused, as the real one would. */
async function acknowledge(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const began = performance.now();
  const digest = createHash('sha256');
  let lines = 0;
  let actions = 0;
  let lineStart = true;
  for await (const piece of request as AsyncIterable<Buffer>) {
    digest.update(piece);
    for (let at = 0; at < piece.length; ) {
      // A line that begins with the last byte of a piece shows its brace alone; that is enough to know it.
      if (lineStart && lines % 2 === 0 && piece[at] === 0x7b) actions++;
      const end = piece.indexOf(0x0a, at);
      lineStart = end >= 0;
      if (end < 0) break;
      lines++;
      at = end + 1;
    }
  }
  response.setHeader(digestField, digest.digest('hex'));
  response.setHeader(actionsField, actions);
  const errors = actions * 2 !== lines;
  json(response, { took: Math.round(performance.now() - began), errors }, errors ? 400 : 200);
}

/** Chunked, as Elasticsearch sends what is long; the digest follows in a trailer. */
async function search(response: ServerResponse, body: Iterable<Buffer>): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/json', Trailer: digestField });
  const digest = createHash('sha256');
  for (const piece of body) {
    digest.update(piece);
    if (!response.write(piece)) await once(response, 'drain');
  }
  response.addTrailers({ [digestField]: digest.digest('hex') });
  response.end();
}

function json(response: ServerResponse, body: object, status = 200): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}
