/** Thousands of exchanges, sound and broken in every way at once: at the end nothing is left of any of them. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, digestOf } from '../support/body.ts';
import { chunked } from '../support/chunked-body.ts';
import { sleep, until } from '../support/deadline.ts';
import { type Answer, type Head, readAnswer, readBody, readHead } from '../support/http-peer.ts';
import { answerText, Origin } from '../support/origin.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const exchanges = { engine: 10_000, streams: 3000 } as const;
const workers = 24;
const seed = 20_261_123;
const size = 20_000;
const bytes = body(size);
const digest = digestOf([bytes]);
const bodyText = bytes.toString('latin1');
const chunkedText = chunked(bytes, 3000).toString('latin1');

/** Mulberry32: the same faults in each run. */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Deed = (peer: RawPeer, head: Head) => Promise<'next' | 'gone'>;

/** What a server does to a request whose path names the deed; the sound ones answer with the digest. */
const servers: Record<string, Deed> = {
  length: async (peer, head) => {
    const { digest } = await readBody(peer, head);
    await peer.write(answerText(200, digest));
    return 'next';
  },
  chunked: async (peer, head) => {
    const { digest } = await readBody(peer, head);
    const coded = chunked(Buffer.from(digest), 10).toString('latin1');
    await peer.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${coded}`);
    return 'next';
  },
  'until-close': async (peer, head) => {
    const { digest } = await readBody(peer, head);
    await peer.write(`HTTP/1.1 200 OK\r\n\r\n${digest}`);
    peer.end();
    return 'gone';
  },
  'closes-after': async (peer, head) => {
    const { digest } = await readBody(peer, head);
    await peer.write(answerText(200, digest, 'Connection: close\r\n'));
    peer.end();
    return 'gone';
  },
  // Where the whole body was on its way before the answer, the exchange is exact, and the next request comes here.
  refuses: async (peer, head) => {
    await peer.write(answerText(413, 'no'));
    await readBody(peer, head);
    return 'next';
  },
  'never-answers': async (peer, head) => {
    await readBody(peer, head);
    peer.destroy();
    return 'gone';
  },
  resets: async (peer) => {
    await sleep(1);
    peer.reset();
    return 'gone';
  },
  'cuts-its-body': async (peer, head) => {
    await readBody(peer, head);
    await peer.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf');
    peer.destroy();
    return 'gone';
  },
  'resets-its-body': async (peer, head) => {
    await readBody(peer, head);
    await peer.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedText.slice(0, 5000)}`);
    peer.reset();
    return 'gone';
  },
  babbles: async (peer, head) => {
    await readBody(peer, head);
    await peer.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello');
    await peer.ending();
    return 'gone';
  },
};
const sound: ReadonlySet<string> = new Set(['length', 'chunked', 'until-close', 'closes-after']);
const deeds = Object.keys(servers);

async function serve(peer: RawPeer): Promise<void> {
  for (;;) {
    const head = await readHead(peer).catch(() => undefined);
    if (!head) break;
    const deed = servers[head.target.slice(1)] ?? servers.length!;
    // A body that is cut by its client ends the connection; that is its own fault.
    if ((await deed(peer, head).catch(() => 'gone')) === 'gone') break;
  }
  peer.end();
}

/** What a client does; undefined when it did not wait for an answer. */
const clients: Record<string, (peer: RawPeer, deed: string) => Promise<Answer | undefined>> = {
  length: async (peer, deed) => {
    void peer.write(`POST /${deed} HTTP/1.1\r\nHost: es\r\nContent-Length: ${size}\r\n\r\n${bodyText}`);
    return readAnswer(peer, 'POST');
  },
  chunked: async (peer, deed) => {
    void peer.write(`POST /${deed} HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedText}`);
    return readAnswer(peer, 'POST');
  },
  leaves: async (peer, deed) => {
    await peer.write(
      `POST /${deed} HTTP/1.1\r\nHost: es\r\nContent-Length: ${size}\r\n\r\n${bodyText.slice(0, 3000)}`,
    );
    peer.destroy();
    return undefined;
  },
  resets: async (peer, deed) => {
    await peer.write(
      `PUT /${deed} HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedText.slice(0, 7000)}`,
    );
    peer.reset();
    return undefined;
  },
  'does-not-wait': async (peer, deed) => {
    await peer.write(`GET /${deed} HTTP/1.1\r\nHost: es\r\n\r\n`);
    peer.reset();
    return undefined;
  },
  'is-hostile': async (peer, deed) => {
    void peer.write(
      `POST /${deed} HTTP/1.1\r\nHost: es\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
    const answer = await readAnswer(peer);
    assert.equal(answer.kind === 'whole' && answer.head.status, 400);
    return undefined;
  },
};
/** Half of all clients are sound. */
const doings = [...Object.keys(clients), 'length', 'chunked', 'length', 'chunked'];

onEachTransport('mixed exchanges with faults', (kind) => {
  it(`${exchanges[kind]} of them leave no connection, relay, pipe or descriptor behind`, async () => {
    await using one = await Origin.open(serve);
    await using two = await Origin.open(serve);
    await using stand = await Stand.open(kind, {
      nodes: [one.port, two.port],
      ejection: { baseTime: 0, maxTime: 0 },
      preflight: { threshold: Number.POSITIVE_INFINITY },
    });
    const random = randomFrom(seed);
    const any = (from: readonly string[]) => from[Math.floor(random() * from.length)]!;
    let left: number = exchanges[kind];
    let answered = 0;

    const work = async () => {
      let peer: RawPeer | undefined;
      while (left-- > 0) {
        const [doing, deed] = [any(doings), any(deeds)];
        // Not kept by the stand: thousands of them come and go.
        peer ??= await RawPeer.connect(stand.port);
        const answer = await clients[doing]!(peer, deed);
        if (answer && sound.has(deed)) {
          assertWhole(answer, `${doing} client, ${deed} server`);
          answered += 1;
        }
        if (answer?.kind !== 'whole' || answer.head.field('connection') === 'close') {
          peer.destroy();
          peer = undefined;
        }
      }
      peer?.destroy();
    };
    await Promise.all(Array.from({ length: workers }, work));
    assert.ok(answered > exchanges[kind] / 10, `only ${answered} were answered`);
    await stand.settled();
    await until('the clients to be gone', () => stand.front.connections === 0);
    const slow = stand.exchanges.filter(({ endedAfter }) => endedAfter > 3000);
    assert.deepEqual(slow, [], 'nobody was slow, and yet somebody waited');
    assert.ok(stand.exchanges.every(({ failure }) => failure?.code !== 'internal'));
    const idle = stand.cluster.nodes.reduce((sum, node) => sum + node.idleConnections, 0);
    await until('none but pooled connections', () => stand.transport.counters().connections === idle);
  });
});

function assertWhole(answer: Answer, what: string): void {
  assert.ok(answer.kind === 'whole', `${what}: ${answer.kind}`);
  assert.equal(answer.head.status, 200, `${what}: ${answer.head.text}`);
  assert.equal(answer.text, digest, what);
}
