/**
 * The life of a request, from top to bottom: listen > head > policy > limits > upstream > relay > observers. Each stage knows its own
 * part; this file states the order, and what a failure at each step means for the client.
 */
import { type ErrorCode, errors, type Failure, failure } from '../errors.ts';
import { beginExchange, type Exchange } from '../exchange.ts';
import { writeAnswer } from '../http1/answer.ts';
import { connectionLines } from '../http1/connection-lines.ts';
import { parseRequestHead, type RequestHead, refuseForeign, refuseLargeHead } from '../http1/request-head.ts';
import type { Client } from '../listen/front.ts';
import type { Connection, HeadResult } from '../net/contract.ts';
import type { Judgement, Refused } from '../policy/judge.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { Lease } from '../upstream/lease.ts';
import type { UpstreamNode } from '../upstream/node.ts';
import { bodyWeight } from '../upstream/weight.ts';
import { newRequestId, requestId } from './additions.ts';
import { Conversation, type Ended } from './conversation.ts';
import { type Allowed, departed, enter, free, type Passage, unjudged, type Waiting } from './entry.ts';
import { Ledger } from './ledger.ts';
import type { ProxyOptions } from './options.ts';
import { clientOf, createTrust } from './trust.ts';
import { isLoop } from './via.ts';

/**
 * What becomes of the client's connection after an exchange. `last`: it ends once the answer is delivered. `linger`: the
 * same, and what may still come of the request is thrown away. `close`: at once.
 */
type After = 'next' | 'last' | 'linger' | 'close';

export interface Proxy {
  /** Serves a client's connection to its end: one exchange after the other, in order. Never rejects. */
  serve(client: Client): Promise<void>;
  /** Exchanges under way. */
  readonly inFlight: number;
}

/** Methods that may be sent again when no answer came (RFC 9110, section 9.2.2). */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

/** Exchanges of so many body bytes are worth asking the kernel how they went. */
const measuredBytes = 64 << 10;
const measuredEvery = 1000;

export function createProxy(options: ProxyOptions): Proxy {
  const { cluster, timeouts, limits } = options;
  const requestLimits = {
    maxHead: limits.headBytes,
    maxFields: limits.headFields,
    maxTarget: limits.targetBytes,
  };
  const headOptions = { maxBytes: limits.headBytes, idleTimeout: timeouts.idle, timeout: timeouts.head };
  const trust = createTrust(options.trust);
  let inFlight = 0;

  async function serve(client: Client): Promise<void> {
    const { connection } = client;
    const ledger = options.backlog && new Ledger(options.backlog);
    let after: After = 'next';
    while (after === 'next' && connection.open) {
      client.phase = 'idle';
      const result = await connection.readHead(headOptions);
      const head = requestOf(result, client.isCut);
      if (typeof head === 'string') {
        after = head;
        break;
      }
      client.phase = 'exchange';
      after = await exchangeWith(client, ledger, head, result.took);
      if (after === 'next' && (connection.congested || ledger?.over)) after = await hold(client, ledger);
      // Its answer was begun before the drain, and so said nothing of a close.
      if (after === 'next' && !client.mayWait()) after = 'last';
    }
    client.phase = 'ending';
    if (after === 'close') return;
    const until = after === 'linger' ? 'peer' : 'delivery';
    await connection.linger({ until, bytes: limits.lingerBytes, timeout: timeouts.linger });
  }

  /**
   * A client that does not read its answers, or causes lines of the log faster than they can be written, waits before
   * its next request is read: so it costs nobody but itself.
   */
  async function hold(client: Client, ledger: Ledger | undefined): Promise<After> {
    const { connection } = client;
    await ledger?.settle();
    if (!connection.congested) return 'next';
    const end = await connection.drained(timeouts.stall);
    if (end === 'drained') return 'next';
    if (end === 'gone') return 'close';
    return exchangeWith(client, ledger, failure('client-stalled', 'the client does not read its answers'), 0);
  }

  /** The next request's head, why it is refused, or what is to be done when the connection ends between two requests. */
  function requestOf(result: HeadResult, isCut: boolean): RequestHead | Failure | 'last' | 'close' {
    switch (result.kind) {
      case 'head':
        return parseRequestHead(result.buffer, result.start, result.end, requestLimits);
      case 'too-large':
        return refuseLargeHead(result.buffer, result.start, result.end, requestLimits);
      case 'foreign':
        return refuseForeign(result.buffer, result.start, result.end);
      case 'timeout':
        if (result.received === 0) return 'last';
        return isCut
          ? failure('shutting-down', 'the head was not whole when the drain ended')
          : failure('head-timeout');
      case 'lost':
        return result.received > 0 ? failure('client-lost') : 'close';
      case 'end':
      case 'reset':
      case 'closed':
        if (result.received > 0) return failure('client-gone', 'the client closed in the middle of a head');
        // A client that has ended its side may have answers yet to read.
        return result.kind === 'end' ? 'last' : 'close';
    }
  }

  /** `age`: milliseconds since the head's first byte. */
  async function exchangeWith(
    client: Client,
    ledger: Ledger | undefined,
    head: RequestHead | Failure,
    age: number,
  ): Promise<After> {
    const { connection } = client;
    const refused = 'code' in head;
    const id = refused ? newRequestId() : requestId(head);
    const exchange = beginExchange(id, connection.remoteAddress, connection.remotePort, age);
    inFlight += 1;
    let after: After;
    let passage: Passage | undefined;
    try {
      if (refused) after = refuse(connection, exchange, refusal(head), 'linger');
      else {
        describe(head, exchange);
        const believed = trust.believes(connection.remoteAddress);
        if (believed) exchange.clientAddress = clientOf(head, connection.remoteAddress, trust);
        passage = {
          client: connection,
          watch: client.watch,
          head,
          exchange,
          believed,
          allowed: unjudged,
          ticket: free,
          mayAsk: true,
        };
        after = await judge(passage);
      }
    } catch (error) {
      // A bug of ours: this exchange is lost, the others are not.
      after = refuse(connection, exchange, refusal(failure('internal', String(error))), 'linger');
    }
    passage?.ticket.release();
    inFlight -= 1;
    finish(client, exchange, ledger);
    return after;
  }

  /** What the policies say of the head. */
  function judge(passage: Passage): After | Promise<After> {
    if (options.judge === undefined) return admit(passage, unjudged);
    const judgement = options.judge.judge(passage.head, passage.exchange);
    return judgement instanceof Promise ? judgeLate(passage, judgement) : admit(passage, judgement);
  }

  async function judgeLate(passage: Passage, judgement: Promise<Judgement>): Promise<After> {
    const judged = await whileHere(passage, judgement);
    if (judged.kind === 'here') return admit(passage, judged.value);
    return refuse(passage.client, passage.exchange, refusal(judged.why), unread(passage.head));
  }

  /** What their limits say: it goes on now, after a while, or not at all. */
  function admit(passage: Passage, judgement: Judgement): After | Promise<After> {
    const { client, head, exchange } = passage;
    if (judgement.kind === 'refused') return refuse(client, exchange, judgement, unread(head));
    // Before it takes a place in a queue, where it would wait for itself.
    if (isLoop(head, options.pseudonym)) {
      return refuse(client, exchange, refusal(failure('loop-detected')), unread(head));
    }
    passage.allowed = judgement;
    const entry = enter(head, judgement);
    if (entry.kind === 'refused') return refuse(client, exchange, entry, unread(head));
    if (entry.kind === 'waiting') return waitInLine(passage, entry);
    passage.ticket = entry;
    return forward(passage);
  }

  /** A client that leaves the queue makes room in it. One that has only ended its side still waits. */
  async function waitInLine(passage: Passage, entry: Waiting): Promise<After> {
    const { client, watch, head, exchange } = passage;
    let gone: Failure | undefined;
    watch((why) => {
      if (why === 'end') return;
      gone = departed(why);
      entry.leave();
    });
    const since = performance.now();
    const entered = await entry.done;
    watch(null);
    exchange.queuedFor = performance.now() - since;
    if (entered.kind === 'ticket') passage.ticket = entered;
    if (gone) return refuse(client, exchange, refusal(gone), unread(head));
    if (entered.kind === 'refused') return refuse(client, exchange, entered, unread(head));
    return forward(passage);
  }

  /** Tries one node after the other, for as long as the server's side is at fault and nothing of the body is lost. */
  async function forward(passage: Passage): Promise<After> {
    const { client, head, exchange } = passage;
    const target = clusterFor(passage.allowed);
    if (target === undefined) return refuse(client, exchange, refusal(failure('no-cluster')), unread(head));
    exchange.cluster = target.name;
    const weight = bodyWeight(head.framing);
    const tried = new Set<UpstreamNode>();
    let why = failure('no-node');
    const giveUp = (gone: Failure): After => refuse(client, exchange, refusal(gone), unread(head));

    /** To be tried once more, on a fresh connection. */
    let again: UpstreamNode | undefined;
    while (tried.size < limits.attempts) {
      let node: UpstreamNode | Failure | undefined = again ?? target.pick(tried);
      if (node === undefined) {
        const found = await whileHere(passage, target.awaitNode(tried));
        if (found.kind === 'left') return giveUp(found.why);
        node = found.value;
      }
      if (node === undefined) break;
      if ('code' in node) {
        why = node;
        break;
      }
      exchange.attempts += 1;
      exchange.node = node.name;
      exchange.nodeName = node.resolvedFrom;
      let lease: Lease | Failure | Promise<Lease | Failure> = target.lease(node, weight, again !== undefined);
      if (lease instanceof Promise) {
        const dialled = await whileHere(passage, lease);
        if (dialled.kind === 'left') {
          void lease.then(giveBack);
          return giveUp(dialled.why);
        }
        lease = dialled.value;
      }
      again = undefined;
      if ('code' in lease) {
        tried.add(node);
        why = lease;
        options.onDecision?.({ kind: 'not-connected', id: exchange.id, node: node.name, why });
        if (errors[lease.code].retryable) continue;
        break;
      }
      exchange.connectedAfter = performance.now() - exchange.startedAt;
      exchange.reused = lease.reused;
      exchange.transport = lease.connection.transport;
      options.onDecision?.({ kind: 'sent', id: exchange.id, node: node.name, reused: lease.reused });
      const conversation = new Conversation(options, passage, lease);
      const ended = await conversation.hold();
      if (ended.kind === 'expectation-refused') {
        passage.mayAsk = false;
        again = node;
        continue;
      }
      const { bodyIsRead } = conversation;
      if (ended.kind !== 'unanswered') return conclude(exchange, ended, bodyIsRead);
      why = ended.failure;
      const retries = mayRetry(head, ended);
      options.onDecision?.({ kind: 'unanswered', id: exchange.id, node: node.name, why, retries });
      if (!retries) return refuse(client, exchange, refusal(why), rest(head, bodyIsRead));
      // A pooled connection may have been dead all along: that says nothing about its node.
      if (lease.reused) again = node;
      else tried.add(node);
    }
    return refuse(client, exchange, refusal(why), unread(head));
  }

  /** RFC 9110, section 9.2.2, and never once a byte of the body has left: the server may have acted on it. */
  function mayRetry(head: RequestHead, ended: Ended & { kind: 'unanswered' }): boolean {
    if (!errors[ended.failure.code].retryable || !ended.untouched) return false;
    return head.framing.kind !== 'none' || idempotent.has(head.method);
  }

  function conclude(
    exchange: Exchange,
    ended: Extract<Ended, { kind: 'kept' | 'last' | 'cut' }>,
    bodyIsRead: boolean,
  ): After {
    if (ended.kind === 'kept') return 'next';
    exchange.failure = ended.failure;
    if (ended.kind === 'cut') return 'close';
    return bodyIsRead ? 'last' : 'linger';
  }

  /** Answers in Sluice's own name. A client that is gone gets nothing. `wanted` is what the request leaves possible. */
  function refuse(client: Connection, exchange: Exchange, why: Refused, wanted: After): After {
    const { failure: cause, status = errors[cause.code].status, fields } = why;
    exchange.failure = cause;
    exchange.status = status;
    if (isGone(cause.code)) return 'close';
    const after = wanted === 'next' && options.draining() ? 'last' : wanted;
    const keepAlive = after === 'next';
    const { id: requestId, method } = exchange;
    const connection = connectionLines(keepAlive, timeouts.idle);
    client.send(writeAnswer(status, cause, { requestId, connection, method, ...(fields && { fields }) }));
    return after;
  }

  function describe(head: RequestHead, exchange: Exchange): void {
    exchange.method = head.method;
    exchange.path = head.path;
    exchange.httpVersion = head.version;
    exchange.userAgent = head.fields.get('user-agent') ?? '';
    exchange.request.framing = head.framing.kind;
    exchange.request.declared = head.contentLength;
  }

  function clusterFor({ policy }: Allowed): Cluster | undefined {
    const name = policy?.document.cluster;
    return name === undefined || name === cluster.name ? cluster : options.clusters?.get(name);
  }

  function finish(client: Client, exchange: Exchange, ledger: Ledger | undefined): void {
    const now = performance.now();
    exchange.endedAfter = now - exchange.startedAt;
    measure(client, exchange, now);
    const before = options.backlog?.handed ?? 0;
    for (const observer of options.observers) observer.ended(exchange);
    ledger?.add((options.backlog?.handed ?? 0) - before);
  }

  return {
    serve,
    get inFlight() {
      return inFlight;
    },
  };
}

type Waited<T> =
  | { readonly kind: 'here'; readonly value: T }
  | { readonly kind: 'left'; readonly why: Failure };

/**
 * Waits for `work` as long as the client waits for its answer: not when it has reset the connection, nor when a drain
 * cuts the exchange. A client that has only ended its side may still read.
 */
function whileHere<T>({ watch }: Passage, work: Promise<T>): Promise<Waited<T>> {
  return new Promise((resolve, reject) => {
    watch((why) => {
      if (why === 'end') return;
      watch(null);
      resolve({ kind: 'left', why: departed(why) });
    });
    work.then((value) => {
      watch(null);
      resolve({ kind: 'here', value });
    }, reject);
  });
}

/** A connection that nobody waits for any more serves the next exchange. */
function giveBack(lease: Lease | Failure): void {
  if (!('code' in lease)) lease.reuse();
}

/** Asking the kernel costs as much as parsing a head: small exchanges are measured once a second per connection. */
function measure(client: Client, exchange: Exchange, now: number): void {
  const { request, response } = exchange;
  if (request.bytes + response.bytes < measuredBytes && now - client.measuredAt < measuredEvery) return;
  client.measuredAt = now;
  const tcp = client.connection.tcpInfo();
  exchange.rtt = tcp?.rtt;
  exchange.retransmits = tcp?.retransmits;
}

/** What an answer leaves possible: a body that is not read stands before the next head. */
function rest({ persistent }: RequestHead, bodyIsRead: boolean): After {
  if (!bodyIsRead) return 'linger';
  return persistent ? 'next' : 'last';
}

/** The same before anything of the body has been read. */
function unread(head: RequestHead): After {
  return rest(head, head.framing.kind === 'none');
}

function refusal(why: Failure): Refused {
  return { kind: 'refused', failure: why };
}

function isGone(code: ErrorCode): boolean {
  return errors[code].status === 499;
}
