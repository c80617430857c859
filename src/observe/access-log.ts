/**
 * The access log: one JSON line per exchange, also for those that failed. docs/access-log.md lists the keys.
 *
 * The line is put together by hand and gathered into batches: where a small request costs 20 µs of CPU, a pino
 * logger's 11 µs a line is more than it gives. This way it is about 2 µs, the writing included.
 */
import { errors } from '../errors.ts';
import type { Backlog, BodyRecord, Exchange, Observer } from '../exchange.ts';
import { createLineWriter, maxWaiting } from './line-writer.ts';

export interface AccessLog extends Observer, Backlog {
  /** Lines that could not be written. */
  readonly lost: number;
  /** Hands on what is gathered; it is written soon after. */
  flush(): void;
  /** Opens the file anew under its name, after a rotation. No meaning for stdout and stderr. */
  reopen(): void;
  /** Resolves when all is written, or nothing has been taken for a second. Lines that come later are dropped. */
  close(): Promise<void>;
}

/** Lines are handed on when so many bytes are gathered, or after a second. */
const batchBytes = 65_536;
const flushInterval = 1000;
/** Longer than the longest line, with every character of its bounded texts escaped. */
const lineRoom = 32_768;

/**
 * A client may have this share of the room that is left unsettled. So however many there are that cause lines faster than
 * they are written, none of them fills the room, and what is left is always enough for those that cause few.
 */
const shareOfRoom = 1 / 8;
/** A few lines are never waited for. */
const leastAllowance = 8192;

const methodLimit = 32;
const auditLimit = 16;
const pathLimit = 2048;
const agentLimit = 256;
const detailLimit = 256;

/**
 * `destination` is `stdout`, `stderr` or a file, which is appended to. Throws when it can't be opened; what fails
 * later is told to `onTrouble`, once until writing works again.
 */
export function createAccessLog(destination: string, onTrouble: (why: string) => void = () => {}): AccessLog {
  const writer = createLineWriter(destination, onTrouble);
  let batch = Buffer.allocUnsafe(batchBytes + lineRoom);
  let gathered = 0;
  let lines = 0;
  let handed = 0;
  let timer: NodeJS.Timeout | undefined;
  let open = true;

  const flush = (): void => {
    clearTimeout(timer);
    if (gathered === 0) return;
    writer.write(batch.subarray(0, gathered), lines);
    batch = Buffer.allocUnsafe(batchBytes + lineRoom);
    gathered = 0;
    lines = 0;
  };
  return {
    ended(exchange) {
      if (!open) return;
      if (gathered === 0) timer = setTimeout(flush, flushInterval).unref();
      const written = batch.write(accessLine(exchange), gathered);
      gathered += written;
      handed += written;
      lines += 1;
      if (gathered >= batchBytes) flush();
    },
    flush,
    get handed() {
      return handed;
    },
    get settled() {
      return writer.settled;
    },
    get allowance() {
      if (writer.stuck) return Number.POSITIVE_INFINITY;
      return Math.max(leastAllowance, (maxWaiting - (handed - writer.settled)) * shareOfRoom);
    },
    get lost() {
      return writer.lost;
    },
    progress: (timeout) => writer.progress(timeout),
    reopen() {
      flush();
      writer.reopen();
    },
    async close() {
      if (!open) return;
      open = false;
      flush();
      await writer.close();
    },
  };
}

/** One exchange as its line, the newline included. */
export function accessLine(exchange: Exchange): string {
  const { failure, connectedAfter, firstByteAfter, rtt, retransmits } = exchange;
  let line = `{"time":${exchange.startedWall},"id":${quoted(exchange.id)},"client":"${exchange.clientAddress}"`;
  if (exchange.peerAddress !== exchange.clientAddress) line += `,"peer":"${exchange.peerAddress}"`;
  line += `,"port":${exchange.peerPort}`;
  if (exchange.method !== '') {
    line += `,"method":${quoted(exchange.method, methodLimit)},"path":${quoted(exchange.path, pathLimit)},"http":"${exchange.httpVersion}"`;
  }
  if (exchange.userAgent !== '') line += `,"agent":${quoted(exchange.userAgent, agentLimit)}`;
  line += `,"status":${exchange.status},"request":${body(exchange.request)},"response":${body(exchange.response)}`;
  line += judged(exchange);
  // Names of clusters, nodes, endpoints and policies are the operator's, and hold nothing to escape.
  if (exchange.attempts > 0) {
    const from = exchange.nodeName === '' ? '' : `,"node_name":"${exchange.nodeName}"`;
    line += `,"cluster":"${exchange.cluster}","node":"${exchange.node}"${from},"transport":"${exchange.transport}","attempts":${exchange.attempts},"reused":${exchange.reused}`;
  }
  if (connectedAfter !== undefined) line += `,"connect_ms":${rounded(connectedAfter)}`;
  if (firstByteAfter !== undefined) line += `,"first_byte_ms":${rounded(firstByteAfter)}`;
  line += `,"total_ms":${rounded(exchange.endedAfter)}`;
  if (rtt !== undefined) line += `,"rtt_us":${rtt}`;
  if (retransmits !== undefined) line += `,"retransmits":${retransmits}`;
  if (failure === undefined) return `${line},"end":"complete"}\n`;
  const { side } = errors[failure.code];
  return `${line},"end":"${failure.code}","side":"${side}","detail":${quoted(failure.detail, detailLimit)}}\n`;
}

function judged({ endpoint, policy, principal, audited, queuedFor }: Exchange): string {
  let line = policy === '' ? '' : `,"endpoint":"${endpoint}","policy":"${policy}"`;
  // Credentials that are refused name somebody, and no policy is asked.
  if (principal !== '') line += `,"principal":${quoted(principal)}`;
  if (audited.length > 0) line += `,"audited":${JSON.stringify(audited.slice(0, auditLimit))}`;
  if (queuedFor > 0) line += `,"queued_ms":${rounded(queuedFor)}`;
  return line;
}

function body(record: BodyRecord): string {
  const { framing, declared, bytes, spliced, copied } = record;
  if (framing === 'none') return '{"framing":"none","bytes":0}';
  const stated = declared === undefined || declared === bytes ? '' : `"declared":${declared},`;
  return `{"framing":"${framing}",${stated}"bytes":${bytes},"spliced":${spliced},"copied":${copied}}`;
}

function quoted(text: string, limit = 256): string {
  return JSON.stringify(text.length > limit ? `${text.slice(0, limit - 1)}…` : text);
}

/** To the microsecond. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
