/**
 * Policies from a URL, asked for again and again with the validators of the last answer (RFC 9110, section 13).
 * Only a complete answer counts. Redirects are refused: whoever can redirect could say what is allowed.
 */
import { open } from 'node:fs/promises';
import { type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { Agent, request as requestHttps } from 'node:https';
import { createSecureContext, getCACertificates } from 'node:tls';
import { holdsCredentials, isUnchangeable } from '../trusted-url.ts';
import {
  backOff,
  bounds,
  decodeText,
  Poller,
  type Reading,
  snapshotOf,
  type Unreachable,
  unreachable,
} from './polling.ts';
import type { PolicySource, Snapshot } from './source.ts';

export interface UrlOptions {
  /** `https://`, or `http://` to a loopback address. */
  readonly url: string;
  /** Between two requests, in milliseconds, 10,000 unless told; give or take a tenth, and longer after failures. */
  readonly interval?: number | undefined;
  /** Of a whole answer, in milliseconds, 10,000 unless told. */
  readonly timeout?: number | undefined;
  /** PEM file of the authorities to trust, read anew each time; the system's and Node's unless told. */
  readonly caFile?: string | undefined;
  /** File of a bearer token, read anew each time. */
  readonly tokenFile?: string | undefined;
}

/** What an answer said of itself, to be asked with the next time. */
interface Validators {
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

const none: Validators = { etag: undefined, modified: undefined };
/** A token or a bundle of authorities is smaller. */
const maxFileBytes = 2 ** 20;

export class UrlSource implements PolicySource {
  readonly name: string;
  readonly #options: UrlOptions;
  readonly #url: URL;
  readonly #poller: Poller;
  #validators = none;
  #trust: { readonly ca: string | undefined; readonly agent: Agent } | undefined;

  /** Throws where the URL is not one to take policies from: that is a mistake of the configuration. */
  constructor(options: UrlOptions) {
    this.#url = policyUrl(options.url);
    this.name = nameOf(this.#url);
    this.#options = options;
    this.#poller = new Poller({
      read: (signal) => this.#read(signal),
      forget: () => {
        this.#validators = none;
      },
      pause: (failures) => backOff(options.interval ?? 10_000, failures),
    });
  }

  start(onSnapshot: (snapshot: Snapshot) => void): void {
    this.#poller.start(onSnapshot);
  }

  close(): void {
    this.#poller.close();
  }

  async #read(closing: AbortSignal): Promise<Reading> {
    const timeout = this.#options.timeout ?? 10_000;
    const late = AbortSignal.timeout(timeout);
    try {
      const headers = await this.#headers();
      if ('kind' in headers) return headers;
      const agent = this.#url.protocol === 'https:' ? await this.#agent() : undefined;
      if (agent && 'kind' in agent) return agent;
      const answer = await this.#ask(headers, agent, AbortSignal.any([closing, late]));
      try {
        return await this.#judge(answer);
      } finally {
        answer.destroy();
      }
    } catch (error) {
      return unreachable(
        late.aborted
          ? `${this.name} has not answered completely within ${timeout} ms; check the server, or raise the timeout`
          : `${this.name} can not be read: ${wording(error)}`,
      );
    }
  }

  async #headers() {
    const { tokenFile } = this.#options;
    const token = tokenFile === undefined ? '' : (await readBounded(tokenFile)).trim();
    if (tokenFile !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
      return unreachable(`${tokenFile} does not hold a bearer token; it must be one word of ASCII`);
    }
    const { etag, modified } = this.#validators;
    return {
      Accept: 'application/yaml, application/json, text/*, */*;q=0.1',
      'Accept-Encoding': 'identity',
      'User-Agent': 'sluice',
      ...(token !== '' && { Authorization: `Bearer ${token}` }),
      ...(etag !== undefined && { 'If-None-Match': etag }),
      ...(modified !== undefined && { 'If-Modified-Since': modified }),
    };
  }

  /** Made once for each set of authorities, since parsing the system's takes tens of milliseconds. */
  async #agent(): Promise<Agent | Unreachable> {
    const { caFile } = this.#options;
    const ca = caFile === undefined ? undefined : await readBounded(caFile);
    // Of no authorities the TLS library makes all that it knows.
    if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
      return unreachable(`${caFile} holds no certificate; put the PEM of the authorities there`);
    }
    if (this.#trust === undefined || this.#trust.ca !== ca) {
      const known = () => [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
      const secureContext = createSecureContext({ ca: ca ?? known(), minVersion: 'TLSv1.2' });
      // A connection of its own each time: none can have gone stale, and names are resolved anew. A resumed
      // session would not have its certificate checked again.
      this.#trust = { ca, agent: new Agent({ secureContext, keepAlive: false, maxCachedSessions: 0 }) };
    }
    return this.#trust.agent;
  }

  #ask(
    headers: OutgoingHttpHeaders,
    agent: Agent | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = agent
        ? requestHttps(this.#url, { headers, signal, agent })
        : requestHttp(this.#url, { headers, signal, agent: false });
      request.on('error', reject);
      request.on('response', resolve);
      request.end();
    });
  }

  async #judge(answer: IncomingMessage): Promise<Reading> {
    const { statusCode: status = 0, headers } = answer;
    if (status === 304 && this.#validators !== none) return { kind: 'unchanged' };
    if (status >= 300 && status < 400 && headers.location !== undefined) {
      return unreachable(
        `${this.name} redirects to ${target(headers.location, this.#url)}; name the final URL`,
      );
    }
    if (status === 401 || status === 403) {
      return unreachable(`${this.name} answers ${status}; check the token and what it may read`);
    }
    if (status !== 200) return unreachable(`${this.name} answers ${status}; check the URL and its server`);
    if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
      return unreachable(`${this.name} answers compressed, unasked; let the server send it as it is`);
    }
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) {
      return unreachable(
        `${this.name} does not say how long its answer is; let the server send a Content-Length`,
      );
    }
    const body = await collect(answer);
    if (body === undefined) {
      return unreachable(`${this.name} is larger than 16 MiB; split it into several sources`);
    }
    const text = decodeText(body);
    if (text === undefined) return unreachable(`${this.name} is not UTF-8; publish it as UTF-8`);
    const { etag, 'last-modified': modified } = headers;
    this.#validators = etag === undefined && modified === undefined ? none : { etag, modified };
    return snapshotOf([{ name: this.name, text }]);
  }
}

function policyUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url) throw new TypeError('the URL of the policies is malformed; write https://host/path');
  if (!isUnchangeable(url)) {
    throw new TypeError(
      `${nameOf(url)}: policies come over https, or over http from this host; write https://`,
    );
  }
  if (holdsCredentials(url)) {
    throw new TypeError(`${nameOf(url)}: credentials do not belong into a URL; put a token into tokenFile`);
  }
  return url;
}

/** Without what may be secret. */
function nameOf({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`;
}

function target(location: string, base: URL): string {
  const url = URL.parse(location, base.href);
  return url ? nameOf(url) : 'a malformed URL';
}

/** Undefined where there is more than a source may hold. Rejects where the body ends early. */
async function collect(message: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(message.headers['content-length'] ?? 0) > bounds.totalBytes) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bounds.totalBytes) return undefined;
    chunks.push(chunk);
  }
  if (!message.complete) throw new Error('the answer ended early');
  return Buffer.concat(chunks, length);
}

async function readBounded(path: string): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  if (size > maxFileBytes) throw new Error(`${path} is larger than 1 MiB`);
  const bytes = Buffer.alloc(size);
  const { bytesRead } = await file.read(bytes, 0, size, 0);
  return bytes.toString('utf8', 0, bytesRead);
}

/** The system's and the TLS library's errors, in words that tell what to do. */
function wording(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return `${message || code}; ${fixes[code] ?? 'check the URL and its server'}`;
}

const authority = 'name its authority with caFile';
const fixes: Readonly<Record<string, string>> = {
  ENOENT: 'create the file',
  EACCES: 'let the user of this process read the file',
  ENOTFOUND: 'check the host in the URL',
  ECONNREFUSED: 'check the port in the URL, and that the server runs',
  ECONNRESET: 'look why the server ends the connection before its answer is complete',
  CERT_HAS_EXPIRED: "renew the server's certificate",
  ERR_TLS_CERT_ALTNAME_INVALID: 'use the name that the certificate is for',
  DEPTH_ZERO_SELF_SIGNED_CERT: authority,
  SELF_SIGNED_CERT_IN_CHAIN: authority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: authority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: authority,
};
