/** An issuer of tokens: real keys, real signatures, and a server on loopback that lists the public halves. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CompactSign,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { parseRequestHead, type RequestHead } from '../../src/http1/request-head.ts';
import type { IdentityEvent } from '../../src/policy/identity/taken.ts';

export const ISSUER = 'https://issuer.test/';
export const AUDIENCE = 'sluice';

export interface SigningKey {
  readonly alg: string;
  readonly kid: string;
  readonly publicJwk: JWK;
  sign(claims: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** A payload as it is written, for what no JSON writer writes. */
  signText(payload: string): Promise<string>;
}

/** What a token says unless it is told otherwise; `undefined` leaves a claim out. */
export const claimsWith = (claims: Readonly<Record<string, unknown>> = {}): JWTPayload => {
  const all = { iss: ISSUER, aud: AUDIENCE, sub: 'ingest', exp: seconds(60), ...claims };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
};

/** That many seconds from now, as tokens count time. */
export const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from;

export async function makeKey(alg: string, kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return {
    alg,
    kid,
    publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    sign: (claims, header = {}) => {
      // What a header calls critical, jose signs only when told that it is meant.
      const crit = Object.fromEntries((header.crit ?? []).map((name) => [name, true]));
      return new SignJWT(claims).setProtectedHeader({ alg, kid, ...header }).sign(privateKey, { crit });
    },
    signText: (payload) =>
      new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg, kid }).sign(privateKey),
  };
}

export class KeyServer {
  readonly #server: Server;
  /** Requests that have come. */
  asked = 0;
  answer: (response: ServerResponse, request: IncomingMessage) => void = () => undefined;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.asked++;
      this.answer(response, request);
    });
  }

  static async open(...keys: SigningKey[]): Promise<KeyServer> {
    const server = new KeyServer();
    server.list(...keys);
    await server.listen(0);
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/keys`;
  }

  list(...keys: SigningKey[]): void {
    const text = JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) });
    this.answer = (response) => response.end(text);
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The head of a request with this Authorization field, or with none. */
export function headWith(authorization?: string): RequestHead {
  const field = authorization === undefined ? '' : `Authorization: ${authorization}\r\n`;
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: es\r\n${field}\r\n`, 'latin1');
  const head = parseRequestHead(bytes, 0, bytes.length, { maxTarget: 4096, maxFields: 100 });
  if ('code' in head) throw new Error(head.detail);
  return head;
}

/** Gathers what the operator is warned of, and leaves out what goes well. */
export function troublesTo(troubles: string[]): (event: IdentityEvent) => void {
  return (event) => {
    if (event.kind === 'trouble') troubles.push(event.why);
  };
}
