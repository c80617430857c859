/** HTTP/1.1 as the far ends of the proxy read it: lenient where it does not matter, exact where a message ends. */
import assert from 'node:assert/strict';
import { Digest } from './body.ts';
import { readChunked } from './chunked-body.ts';
import { within } from './deadline.ts';
import type { RawPeer } from './raw-peer.ts';

export class Head {
  /** As it came, the empty line included. */
  readonly text: string;
  readonly line: string;
  readonly #fields: readonly (readonly [string, string])[];

  constructor(text: string) {
    this.text = text;
    const [line = '', ...fields] = text.trimEnd().split('\r\n');
    this.line = line;
    this.#fields = fields.map((field) => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    });
  }

  /** All values of it, joined as a list. */
  field(name: string): string | undefined {
    const values = this.#fields.filter(([key]) => key === name.toLowerCase()).map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(', ');
  }

  get status(): number {
    return Number(this.line.split(' ')[1]);
  }

  get method(): string {
    return this.line.split(' ')[0] ?? '';
  }

  get target(): string {
    return this.line.split(' ')[1] ?? '';
  }
}

/** Undefined when the connection ends before a byte of it. */
export async function readHead(peer: RawPeer): Promise<Head | undefined> {
  const first = await within('a head', peer.some(1), 20_000);
  if (!first) return undefined;
  return new Head(first.toString('latin1') + (await peer.through('\r\n\r\n')));
}

export interface Body {
  readonly digest: string;
  readonly trailers: string;
}

/** Reads a request's body; throws when it is cut. */
export async function readBody(peer: RawPeer, head: Head): Promise<Body> {
  if (head.field('transfer-encoding') === 'chunked') return readChunked(peer);
  const length = Number(head.field('content-length') ?? 0);
  const digest = await peer.digest(length);
  assert.ok(digest.startsWith(`${length} bytes`), `a body of ${length} bytes was cut: ${digest}`);
  return { digest, trailers: '' };
}

export type Answer =
  | { readonly kind: 'whole'; readonly head: Head; readonly text: string; readonly trailers: string }
  /** The framing says that more should have come. */
  | { readonly kind: 'truncated'; readonly head: Head | undefined; readonly received: number }
  /** The connection ended before a byte of an answer. */
  | { readonly kind: 'none'; readonly ending: 'end' | 'reset' };

/** Reads one final answer, body and all, and says whether it came whole. For bodies that fit in memory. */
export async function readAnswer(peer: RawPeer, method = 'GET'): Promise<Answer> {
  const first = await within('an answer', peer.some(1), 20_000);
  if (!first) return { kind: 'none', ending: await peer.ending() };
  let head: Head | undefined;
  try {
    head = new Head(first.toString('latin1') + (await peer.through('\r\n\r\n')));
    while (head.status < 200) head = new Head(await peer.through('\r\n\r\n'));
  } catch {
    return { kind: 'truncated', head, received: 0 };
  }
  const blocks: Buffer[] = [];
  const whole = (trailers = ''): Answer => {
    return { kind: 'whole', head, text: Buffer.concat(blocks).toString('latin1'), trailers };
  };
  const truncated = (): Answer => ({ kind: 'truncated', head, received: Buffer.concat(blocks).length });
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return whole();
  const length = head.field('content-length');
  try {
    if (head.field('transfer-encoding') === 'chunked') {
      for (;;) {
        const size = Number.parseInt(await peer.through('\r\n'), 16);
        if (size === 0) break;
        blocks.push(await peer.exactly(size));
        await peer.exactly(2);
      }
      let trailers = '';
      while (!`\r\n${trailers}`.endsWith('\r\n\r\n')) trailers += await peer.through('\r\n');
      return whole(trailers.slice(0, -2));
    }
    if (length !== undefined) {
      for (let left = Number(length); left > 0; ) {
        const block = await within('more of an answer', peer.some(left), 20_000);
        if (!block) return truncated();
        blocks.push(block);
        left -= block.length;
      }
      return whole();
    }
  } catch {
    return truncated();
  }
  for (;;) {
    const block = await within('more of an answer', peer.some(), 20_000);
    if (!block) break;
    blocks.push(block);
  }
  return (await peer.ending()) === 'end' ? whole() : truncated();
}

/** The same, for an answer that must come whole. */
export async function readWhole(peer: RawPeer, method = 'GET'): Promise<Extract<Answer, { kind: 'whole' }>> {
  const answer = await readAnswer(peer, method);
  assert.equal(answer.kind, 'whole', JSON.stringify(answer));
  return answer;
}

/** A large answer of known length: its head, and the digest of its body, none of it kept. */
export async function readLarge(peer: RawPeer): Promise<{ head: Head; digest: string }> {
  const head = await readHead(peer);
  assert.ok(head, 'no answer');
  if (head.field('transfer-encoding') === 'chunked') return { head, ...(await readChunked(peer)) };
  const length = head.field('content-length');
  return { head, digest: await peer.digest(length === undefined ? undefined : Number(length)) };
}

export function digestOfText(text: string): string {
  const digest = new Digest();
  digest.update(Buffer.from(text, 'latin1'));
  return digest.end();
}
