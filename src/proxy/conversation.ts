/**
 * One request and its answer over one leased connection: the request goes up and, at the same time, the answer
 * comes down. It knows nothing of other nodes; whether the request may be tried again is for proxy.ts to decide
 * from how this one ended.
 */
import { type Failure, failure } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import { forwardRequest, forwardResponse } from '../http1/forward.ts';
import { noBody } from '../http1/framing.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { parseResponseHead, type ResponseHead, refuseForeignAnswer } from '../http1/response-head.ts';
import type { Departure } from '../listen/front.ts';
import type { BodyOutput, Connection, EndKind, RelayEndKind } from '../net/contract.ts';
import { type Body, moveBody, requestBodyFailure, responseBodyFailure } from '../relay/body.ts';
import type { Lease } from '../upstream/lease.ts';
import {
  droppedFromRequests,
  droppedFromResponses,
  droppedWith,
  requestAdditions,
  responseAdditions,
} from './additions.ts';
import {
  type Allowed,
  departed,
  type Passage,
  requestAllowance,
  responseAllowance,
  tooLarge,
} from './entry.ts';
import type { ProxyOptions } from './options.ts';
import { isStreamedBulk } from './streamed-bulk.ts';
import { viaLine } from './via.ts';

/** How a conversation ended. */
export type Ended =
  /** Both bodies ended exactly and the client may send its next request. */
  | { readonly kind: 'kept' }
  /** The answer is out; the connection ends after it, politely. A failure is one that came after the answer. */
  | { readonly kind: 'last'; readonly failure: Failure | undefined }
  /** The answer could not be finished: the connection is closed so that the client can tell. */
  | { readonly kind: 'cut'; readonly failure: Failure }
  /** The server refuses to be asked first (417), which is none of the client's business. The body is untouched. */
  | { readonly kind: 'expectation-refused' }
  /** No answer came. `untouched`: not one byte of the body has left for the server. */
  | { readonly kind: 'unanswered'; readonly failure: Failure; readonly untouched: boolean };

function tooLong(limit: number): Failure {
  return failure('upstream-head-too-large', `longer than ${limit} bytes (limits.responseHeadBytes)`);
}

/** More interim responses than this before one final are no server's we know. */
const maxInterim = 32;

export class Conversation {
  readonly #options: ProxyOptions;
  readonly #client: Connection;
  readonly #watch: Passage['watch'];
  readonly #head: RequestHead;
  readonly #exchange: Exchange;
  readonly #lease: Lease;
  readonly #allowed: Allowed;
  readonly #believed: boolean;
  readonly #server: Connection;
  readonly #hasBody: boolean;
  /** What becomes of chunks, in both directions. */
  readonly #chunks: BodyOutput;
  /** Sluice asks `Expect: 100-continue` of its own accord. */
  readonly #preflight: boolean;
  /** The server has said 100. */
  #agreed = false;
  /** An interim answer leaves it in doubt what follows the final one. */
  #spent = false;
  #upload: Body | undefined;
  #uploadEnd: RelayEndKind | undefined;
  #fault: Failure | undefined;
  /** The client has ended its side, and so has Sluice towards the server, or will when the request is there. */
  #clientEnded = false;
  #headTimer: NodeJS.Timeout | undefined;

  constructor(options: ProxyOptions, passage: Passage, lease: Lease) {
    const { client, watch, head, exchange, allowed } = passage;
    this.#options = options;
    this.#allowed = allowed;
    this.#believed = passage.believed;
    this.#client = client;
    this.#watch = watch;
    this.#head = head;
    this.#exchange = exchange;
    this.#lease = lease;
    this.#server = lease.connection;
    this.#hasBody = head.framing.kind !== 'none';
    this.#chunks = isStreamedBulk(head.path) ? 'kept' : 'same';
    this.#preflight = passage.mayAsk && this.#hasBody && !head.expectsContinue && this.#wantsPreflight();
  }

  async hold(): Promise<Ended> {
    this.#watch((why) => this.#clientLeft(why));
    const head = this.#requestText();
    if (!this.#hasBody) {
      this.#server.send(head);
      this.#awaitAnswer();
    } else if (this.#asks) {
      this.#server.send(head);
    } else {
      this.#server.send(head, true);
      this.#startUpload();
    }
    const answer = await this.#finalHead();
    clearTimeout(this.#headTimer);
    const ended = await this.#endWith(answer);
    clearTimeout(this.#headTimer);
    this.#watch(null);
    return ended;
  }

  // ---- the request

  /** The body is held back until the server says 100, or says nothing for too long. */
  get #asks(): boolean {
    return this.#head.expectsContinue || this.#preflight;
  }

  #wantsPreflight(): boolean {
    const { threshold } = this.#options.preflight;
    const length = this.#head.contentLength ?? Number.POSITIVE_INFINITY;
    return (
      threshold !== Number.POSITIVE_INFINITY &&
      length >= threshold &&
      this.#lease.node.heedsExpect(performance.now())
    );
  }

  #requestText(): string {
    const head = this.#head;
    const believed = this.#believed;
    const { policy } = this.#allowed;
    const { node } = this.#lease;
    const sender = { address: this.#client.remoteAddress, believed };
    const ours = viaLine(head, this.#options.pseudonym) + requestAdditions(head, sender, this.#exchange.id);
    const added = policy === undefined ? ours : ours + policy.headerLines;
    return forwardRequest(head, {
      drop:
        policy === undefined ? droppedFromRequests(believed) : droppedWith(believed, policy.droppedFields),
      add: this.#preflight ? `${added}Expect: 100-continue\r\n` : added,
      host: node.authority,
      hostOf: node.hostOf,
    });
  }

  #startUpload(): void {
    const { framing } = this.#head;
    const { stall: stallTimeout } = this.#options.timeouts;
    const { trailerBytes: maxTrailers } = this.#options.limits;
    const allowance = requestAllowance(this.#allowed, framing);
    this.#upload = moveBody(
      this.#client,
      this.#server,
      { framing, output: this.#chunks, stallTimeout, maxTrailers, allowance },
      this.#exchange.request,
    );
    this.#upload.done.then((end) => {
      this.#uploadEnd = end;
      const fault = allowance?.over ? this.#tooLarge() : requestBodyFailure(end);
      if (fault) this.#abort(fault);
      else if (end === 'complete') this.#awaitAnswer();
    });
  }

  #tooLarge(): Failure {
    const { policy } = this.#allowed;
    return policy === undefined ? failure('body-too-large') : tooLarge(policy);
  }

  /** The request is with the server: from here on the client has nothing to do but to wait, to end its side, or to leave. */
  #awaitAnswer(): void {
    this.#passEnd();
    const { responseHead } = this.#options.timeouts;
    if (responseHead > 0 && this.#exchange.firstByteAfter === undefined) {
      this.#headTimer = setTimeout(() => this.#abort(failure('upstream-head-timeout')), responseHead);
    }
  }

  #clientLeft(why: Departure): void {
    if (why === 'end') {
      this.#clientEnded = true;
      if (this.bodyIsRead) this.#passEnd();
    } else {
      this.#abort(departed(why));
    }
  }

  /**
   * What the end of the client's side means is for the server to decide, as without a proxy: it may cancel a search,
   * or answer. While the body is not through, its relay will see the end.
   */
  #passEnd(): void {
    if (this.#clientEnded) this.#server.end();
  }

  /** Closing the server's connection ends whatever is read from or written to it. */
  #abort(fault: Failure): void {
    this.#fault ??= fault;
    this.#server.close();
  }

  // ---- the answer

  /** Passes interim answers on and gives the final one, or why there is none. */
  async #finalHead(): Promise<ResponseHead | Failure> {
    const { limits, timeouts, preflight } = this.#options;
    for (let interim = 0; interim <= maxInterim; ) {
      const asking = this.#asks && this.#upload === undefined;
      const result = await this.#server.readHead({
        maxBytes: limits.responseHeadBytes,
        idleTimeout: asking ? preflight.timeout : 0,
        timeout: timeouts.head,
      });
      if (result.kind === 'too-large') return tooLong(limits.responseHeadBytes);
      if (result.kind === 'foreign') return refuseForeignAnswer(result.buffer, result.start, result.end);
      if (result.kind !== 'head') {
        if (result.kind === 'timeout' && result.received === 0) {
          // RFC 9110, section 10.1.1: who gets no 100 in reasonable time sends the body anyway.
          if (this.#preflight) this.#lease.node.ignoredExpect(performance.now());
          this.#startUpload();
          continue;
        }
        return this.#fault ?? this.#noAnswer(result.kind);
      }
      const rules = { method: this.#head.method, maxFields: limits.responseHeadFields };
      const head = parseResponseHead(result.buffer, result.start, result.end, rules);
      if ('code' in head || !head.interim) return head;
      if (!head.persistent) this.#spent = true;
      interim += 1;
      this.#passInterim(head);
      if (head.status === 100) this.#agreed = true;
      if (this.#client.congested) {
        const end = await this.#client.drained(timeouts.stall);
        if (end !== 'drained') return failure(end === 'gone' ? 'client-gone' : 'client-stalled');
      }
      if (head.status === 100 && asking) this.#startUpload();
    }
    return failure('upstream-head-malformed', `more than ${maxInterim} interim responses`);
  }

  #noAnswer(end: EndKind): Failure {
    if (end === 'timeout') return failure('upstream-head-timeout');
    if (end === 'lost') return failure('upstream-lost');
    if (this.#clientEnded && this.bodyIsRead) return this.#givenUp('did not answer');
    return failure('upstream-closed');
  }

  /** The server has seen the client's end and closed, which is how it cancels. */
  #givenUp(what: string): Failure {
    return failure('client-gone', `the client ended its side, and the upstream node ${what}`);
  }

  /** HTTP/1.0 knows no interim answers, and a 100 that only Sluice asked for is not the client's. */
  #passInterim(head: ResponseHead): void {
    if (this.#head.version === '1.0' || (head.status === 100 && !this.#head.expectsContinue)) return;
    this.#client.send(forwardResponse(head, { drop: droppedFromResponses, add: '', decoded: false }));
  }

  #endWith(answer: ResponseHead | Failure): Promise<Ended> {
    if ('code' in answer) return this.#unanswered(answer);
    const unasked = answer.status === 417 && this.#preflight && !this.#agreed;
    return unasked ? this.#withoutExpect(answer) : this.#passBack(answer);
  }

  /**
   * RFC 9110, section 10.1.1: 417 merely says that somebody on the way does not support expectations, so the request
   * is sent again without one. The server may not read what follows on this connection: it ends.
   */
  #withoutExpect(answer: ResponseHead): Promise<Ended> {
    this.#lease.answered(answer.status, noBody);
    this.#lease.node.ignoredExpect(performance.now());
    if (!this.#isUntouched) return this.#unanswered(failure('upstream-expectation-failed'));
    this.#lease.drop();
    return Promise.resolve({ kind: 'expectation-refused' });
  }

  async #unanswered(why: Failure): Promise<Ended> {
    const untouched = this.#isUntouched;
    await this.#stopUpload();
    this.#lease.drop();
    const failed = this.#fault ?? why;
    this.#lease.unanswered(failed);
    return { kind: 'unanswered', failure: failed, untouched };
  }

  /** A relay that has begun may hold bytes that it took from the client and could not hand on: they are lost. */
  get #isUntouched(): boolean {
    return this.#upload === undefined;
  }

  async #passBack(answer: ResponseHead): Promise<Ended> {
    const exchange = this.#exchange;
    exchange.status = answer.status;
    exchange.firstByteAfter = performance.now() - exchange.startedAt;
    exchange.response.framing = answer.framing.kind;
    exchange.response.declared = answer.contentLength;
    this.#lease.answered(answer.status, answer.framing);

    const early = !this.bodyIsRead && (await this.#isEarly());
    // A server that refuses will not read the rest: the client is told to stop after this answer.
    const refused = early && (this.#upload === undefined || answer.status >= 300);
    const output = this.#head.version === '1.0' ? 'decoded' : this.#chunks;
    const unframed =
      answer.framing.kind === 'until-close' || (output === 'decoded' && answer.framing.kind === 'chunked');
    const keep = this.#head.persistent && !refused && !unframed && !this.#options.draining();
    const add = responseAdditions(exchange.id, keep, this.#options.timeouts.idle);
    const text = forwardResponse(answer, { drop: droppedFromResponses, add, decoded: output === 'decoded' });

    const bodyless = answer.framing.kind === 'none';
    this.#client.send(text, !bodyless);
    const end = bodyless ? 'complete' : await this.#download(answer, output);
    const fault = this.#fault ?? this.#downloadFailure(end);
    if (fault) return this.#cut(fault, unframed);

    if (refused) await this.#stopUpload();
    else await this.#upload?.done;
    const whole = this.bodyIsRead;
    // A connection whose one side has ended carries nothing more.
    if (whole && answer.persistent && !this.#spent && !this.#clientEnded) this.#lease.reuse();
    else this.#lease.drop();
    if (keep && whole) return { kind: 'kept' };
    return {
      kind: 'last',
      failure: whole || refused ? undefined : (this.#fault ?? failure('upstream-closed')),
    };
  }

  /** The final answer has come while the request's body is not through. */
  async #isEarly(): Promise<boolean> {
    // The end of the body and the answer may have come in the same turn.
    if (this.#upload) await new Promise((resolve) => setImmediate(resolve));
    return !this.bodyIsRead;
  }

  #download(answer: ResponseHead, output: BodyOutput): Promise<RelayEndKind> {
    const { framing } = answer;
    const { stall: stallTimeout } = this.#options.timeouts;
    const { trailerBytes: maxTrailers } = this.#options.limits;
    const allowance = responseAllowance(this.#allowed, framing);
    const how = { framing, output, stallTimeout, maxTrailers, allowance };
    return moveBody(this.#server, this.#client, how, this.#exchange.response).done;
  }

  #downloadFailure(end: RelayEndKind): Failure | undefined {
    const isClosed = end === 'source-end' || end === 'source-reset';
    if (isClosed && this.#clientEnded && this.bodyIsRead) return this.#givenUp('broke off its response');
    return responseBodyFailure(end);
  }

  /** A truncated body must not look whole: where the close would be its end, it is a reset. */
  async #cut(fault: Failure, unframed: boolean): Promise<Ended> {
    await this.#stopUpload();
    this.#lease.drop();
    if (unframed) this.#client.reset();
    else this.#client.close();
    return { kind: 'cut', failure: fault };
  }

  async #stopUpload(): Promise<void> {
    this.#upload?.relay.stop();
    await this.#upload?.done;
  }

  /** The client's body has been read to its end, so that the next bytes are the next request. */
  get bodyIsRead(): boolean {
    return !this.#hasBody || this.#uploadEnd === 'complete';
  }
}
