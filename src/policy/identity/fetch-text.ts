/** A small document from the network: one GET, no redirects, bounded in time and size. */
import type { IncomingMessage } from 'node:http';

export type Fetched =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'failed'; readonly why: string };

export interface FetchLimits {
  /** Milliseconds, for all of it. */
  readonly timeout: number;
  readonly maxBytes: number;
}

/** Never rejects. The request ends early, as failed, when `closed` is aborted. */
export async function fetchText(url: string, limits: FetchLimits, closed: AbortSignal): Promise<Fetched> {
  const late = AbortSignal.timeout(limits.timeout);
  try {
    const response = await open(url, AbortSignal.any([late, closed]));
    // A redirect would let whoever answers choose another host to be believed.
    if (response.statusCode !== 200) {
      response.destroy();
      return { kind: 'failed', why: `status ${response.statusCode}` };
    }
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of response as AsyncIterable<Buffer>) {
      bytes += piece.length;
      // Leaving the loop destroys the response and its connection.
      if (bytes > limits.maxBytes) return { kind: 'failed', why: `more than ${limits.maxBytes} bytes` };
      pieces.push(piece);
    }
    return { kind: 'text', text: Buffer.concat(pieces).toString('utf8') };
  } catch (error) {
    if (late.aborted) return { kind: 'failed', why: `no whole answer within ${limits.timeout} ms` };
    return { kind: 'failed', why: (error as NodeJS.ErrnoException).code ?? 'the connection failed' };
  }
}

/** On a connection of its own: the next request is minutes away. */
async function open(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  const { get } = url.startsWith('https:') ? await import('node:https') : await import('node:http');
  const headers = { accept: 'application/jwk-set+json, application/json', 'user-agent': 'sluice' };
  return new Promise((resolve, reject) => {
    get(url, { agent: false, headers, signal }, resolve).on('error', reject);
  });
}
