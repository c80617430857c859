/** `Expect: 100-continue`, the client's own and Sluice's: the server decides, and a refused body is never read as a request. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, bodyBlocks, digestOf } from '../support/body.ts';
import { chunks } from '../support/chunked-body.ts';
import { sleep, until, within } from '../support/deadline.ts';
import { readBody, readHead, readWhole } from '../support/http-peer.ts';
import { answerText, Origin, type Script } from '../support/origin.ts';
import { onEachTransport, Stand } from '../support/stand.ts';

const MIB = 1024 * 1024;
const size = 2 * MIB;
const post = `POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${size}\r\n\r\n`;
const expecting = `POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`;

/** Refuses the expectation and keeps its connection open, as OpenSearch does: what follows would be a request. */
const refusing =
  (status: number, after: (bytes: Buffer | undefined) => void): Script =>
  async (peer) => {
    await readHead(peer);
    await peer.write(answerText(status, 'no'));
    after(await peer.some());
    peer.end();
  };

/** Says 100, reads the body, answers with its digest. */
const willing: Script = async (peer, _nth, origin) => {
  for (;;) {
    const head = await readHead(peer);
    if (!head) break;
    if (head.field('expect')) await peer.write('HTTP/1.1 100 Continue\r\n\r\n');
    const received = { head, ...(await readBody(peer, head)) };
    origin.received.push(received);
    await peer.write(answerText(200, received.digest));
  }
  peer.end();
};

onEachTransport('an expectation of the client', (kind) => {
  it('goes to the server, and its 100 comes back before a byte of the body is read', async () => {
    await using origin = await Origin.open(async (peer) => {
      const head = await readHead(peer);
      assert.equal(head?.field('expect'), '100-continue');
      await sleep(50);
      assert.equal(peer.socket.readableLength, 0);
      await peer.write('HTTP/1.1 100 Continue\r\n\r\n');
      assert.equal((await peer.exactly(5)).toString(), 'hello');
      await peer.write(answerText(200, 'thanks'));
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(expecting);
    assert.equal(await within('a 100', client.through('\r\n\r\n')), 'HTTP/1.1 100 Continue\r\n\r\n');
    await client.write('hello');
    const { head, text } = await readWhole(client);
    assert.deepEqual([head.status, text, head.field('connection')], [200, 'thanks', 'keep-alive']);
    assert.deepEqual(origin.faults, []);
  });

  for (const status of [413, 417]) {
    it(`that the server refuses with ${status} is refused here, and a body sent anyway reaches nobody`, async () => {
      const leaked: (Buffer | undefined)[] = [];
      await using origin = await Origin.open(refusing(status, (bytes) => leaked.push(bytes)));
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      await client.write(expecting);
      const answer = await readWhole(client);
      assert.deepEqual([answer.head.status, answer.head.field('connection')], [status, 'close']);
      await client.write('GET /secret HTTP/1.1\r\nHost: es\r\n\r\n');
      assert.equal(await client.ending(), 'end');
      await stand.ended();
      const other = await stand.client();
      await other.write('GET / HTTP/1.1\r\nHost: es\r\n\r\n');
      await readWhole(other);
      assert.equal(origin.accepted, 2);
      await until('the refused connection to end', () => leaked.length === 1);
      assert.deepEqual([leaked[0], stand.exchanges.length], [undefined, 2]);
    });
  }

  it('that no server ever answers is overruled after a while: the body goes out', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: { timeout: 100 } });
    const client = await stand.client();
    await client.write(`${expecting}hello`);
    assert.equal((await readWhole(client)).text, digestOf([Buffer.from('hello')]));
    assert.equal((await stand.ended()).failure, undefined);
  });

  it('may come with a body that does not wait, and both may cross', async () => {
    await using origin = await Origin.open(willing);
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    for (let round = 0; round < 3; round++) {
      await client.write(`${expecting}hello`);
      assert.equal(await client.through('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
      assert.equal((await readWhole(client)).text, digestOf([Buffer.from('hello')]));
    }
    assert.equal(origin.accepted, 1);
  });

  it('of an HTTP/1.0 client means nothing', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write('POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello');
    assert.equal((await readWhole(client)).text, digestOf([Buffer.from('hello')]));
    assert.equal(origin.received[0]?.head.field('expect'), undefined);
  });
});

onEachTransport('an expectation of Sluice', (kind) => {
  it('is made for large and for chunked bodies alone, and its 100 is not shown to the client', async () => {
    await using origin = await Origin.open(willing);
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(post);
    await client.writeAll(bodyBlocks(size));
    const first = await readHead(client);
    assert.equal(first?.line, 'HTTP/1.1 200 Told');
    await client.exactly(Number(first?.field('content-length')));
    await client.write('POST /_bulk HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n');
    await client.writeAll(chunks(body(100_000), 1000));
    assert.equal((await readHead(client))?.line, 'HTTP/1.1 200 Told');
    await client.exactly(Number(first?.field('content-length')) - 2);
    const small = await stand.client();
    await small.write(`POST / HTTP/1.1\r\nHost: es\r\nContent-Length: ${MIB - 1}\r\n\r\n`);
    await small.writeAll(bodyBlocks(MIB - 1));
    await readWhole(small);
    assert.deepEqual(
      origin.received.map(({ head, digest }) => [head.field('expect'), digest]),
      [
        ['100-continue', digestOf(bodyBlocks(size))],
        ['100-continue', digestOf(bodyBlocks(100_000))],
        [undefined, digestOf(bodyBlocks(MIB - 1))],
      ],
    );
  });

  for (const status of [413, 429, 503]) {
    it(`refused with ${status}: not a byte of the body has left, and the client that writes on hears of it`, async () => {
      const leaked: (Buffer | undefined)[] = [];
      await using origin = await Origin.open(refusing(status, (bytes) => leaked.push(bytes)));
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${32 * MIB}\r\n\r\n`);
      assert.ok(await client.writeAll(bodyBlocks(32 * MIB)));
      const { head, text } = await readWhole(client);
      assert.deepEqual([head.status, text, head.field('connection')], [status, 'no', 'close']);
      assert.equal(await client.ending(), 'end');
      const exchange = await stand.ended();
      assert.deepEqual([exchange.status, exchange.request.bytes, exchange.attempts], [status, 0, 1]);
      await until('the refused connection to end', () => leaked.length === 1);
      assert.deepEqual([leaked[0], stand.cluster.nodes[0]!.idleConnections], [undefined, 0]);
    });
  }

  for (const form of ['length', 'chunked'] as const) {
    it(`refused with 417, which no client asked for: a ${form} body goes again without it, whole and once, and the node is remembered`, async () => {
      const length = 10 * MIB;
      const asked: (string | undefined)[] = [];
      const leaked: (Buffer | undefined)[] = [];
      // A hop that knows no expectations, and closes after it has refused one.
      await using origin = await Origin.open(async (peer, _nth, origin) => {
        for (;;) {
          const head = await readHead(peer);
          if (!head) break;
          asked.push(head.field('expect'));
          if (head.field('expect')) {
            await peer.write(answerText(417, 'no expectations here', 'Connection: close\r\n'));
            leaked.push(await peer.some());
            break;
          }
          const received = { head, ...(await readBody(peer, head)) };
          origin.received.push(received);
          await peer.write(answerText(200, received.digest));
        }
        peer.end();
      });
      await using stand = await Stand.open(kind, { nodes: [origin.port] });
      const client = await stand.client();
      for (let round = 0; round < 2; round++) {
        const framing = form === 'length' ? `Content-Length: ${length}` : 'Transfer-Encoding: chunked';
        await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\n${framing}\r\n\r\n`);
        const blocks = bodyBlocks(length, round);
        await client.writeAll(form === 'length' ? blocks : chunks(body(length, round), 100_000));
        const { head, text } = await readWhole(client);
        assert.deepEqual(
          [head.status, text, head.field('connection')],
          [200, digestOf(bodyBlocks(length, round)), 'keep-alive'],
        );
        const exchange = await stand.ended();
        assert.deepEqual(
          [exchange.status, exchange.failure, exchange.request.bytes, exchange.attempts],
          [200, undefined, length, round === 0 ? 2 : 1],
        );
      }
      assert.deepEqual(asked, ['100-continue', undefined, undefined]);
      assert.deepEqual(
        origin.received.map(({ digest }) => digest),
        [digestOf(bodyBlocks(length, 0)), digestOf(bodyBlocks(length, 1))],
      );
      assert.deepEqual([leaked, origin.accepted, origin.faults], [[undefined], 2, []]);
      assert.equal(stand.cluster.nodes[0]!.isEjected(performance.now()), false);
    });
  }

  it('a 417 that stays when nothing is expected is an answer like any other, asked for no third time', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.write(answerText(417, 'never', 'Connection: close\r\n'));
      await peer.ending();
      peer.end();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port] });
    const client = await stand.client();
    await client.write(post);
    await client.writeAll(bodyBlocks(size));
    const { head, text } = await readWhole(client);
    assert.deepEqual([head.status, text], [417, 'never']);
    assert.deepEqual([(await stand.ended()).attempts, origin.accepted], [2, 2]);
  });

  it('a 417 that comes once the body has begun is no fault of the client: 502, and the next one goes through', async () => {
    await using origin = await Origin.open(async (peer, _nth, origin) => {
      const head = await readHead(peer);
      if (head?.field('expect')) {
        await peer.exactly(1000);
        await peer.write(answerText(417, 'too late', 'Connection: close\r\n'));
        await peer.ending();
      } else if (head) {
        const received = { head, ...(await readBody(peer, head)) };
        origin.received.push(received);
        await peer.write(answerText(200, received.digest));
      }
      peer.end();
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: { timeout: 50 } });
    const client = await stand.client();
    await client.write(post);
    await client.writeAll(bodyBlocks(size));
    const { head } = await readWhole(client);
    assert.equal(head.status, 502);
    assert.equal((await stand.ended()).failure?.code, 'upstream-expectation-failed');
    const again = await stand.client();
    await again.write(post);
    await again.writeAll(bodyBlocks(size));
    assert.equal((await readWhole(again)).text, digestOf(bodyBlocks(size)));
    assert.equal(origin.received.length, 1);
  });

  it('a server that closes instead of answering costs nothing: another node gets the whole', async () => {
    await using dead = await Origin.open(async (peer) => {
      await readHead(peer);
      peer.destroy();
    });
    await using origin = await Origin.open(willing);
    const nodes = [dead.port, origin.port];
    await using stand = await Stand.open(kind, { nodes, ejection: { baseTime: 0, maxTime: 0 } });
    using _living = stand.weighDown(origin.port);
    for (let round = 0; round < 8; round++) {
      const client = await stand.client();
      await client.write(post);
      await client.writeAll(bodyBlocks(size));
      assert.equal((await readWhole(client)).text, digestOf(bodyBlocks(size)));
      client.destroy();
    }
    assert.ok(dead.accepted > 0, 'the node that closes was not tried');
  });

  it('a server that does not answer it gets the body, and is not asked again', async () => {
    await using origin = await Origin.open();
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: { timeout: 200 } });
    const client = await stand.client();
    const took: number[] = [];
    for (let round = 0; round < 3; round++) {
      await client.write(post);
      await client.writeAll(bodyBlocks(size));
      assert.equal((await readWhole(client)).text, digestOf(bodyBlocks(size)));
      took.push((await stand.ended()).endedAfter);
    }
    assert.deepEqual(
      origin.received.map(({ head }) => head.field('expect')),
      ['100-continue', undefined, undefined],
    );
    assert.ok(took[0]! >= 190, `${took} ms`);
  });

  it('a 100 that comes late, after the body has begun, confuses nobody', async () => {
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      await peer.exactly(1000);
      await peer.write('HTTP/1.1 100 Continue\r\n\r\n');
      await peer.exactly(size - 1000);
      await peer.write(answerText(200, 'whole'));
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: { timeout: 50 } });
    const client = await stand.client();
    await client.write(post);
    await client.writeAll(bodyBlocks(size));
    const head = await readHead(client);
    assert.equal(head?.status, 200);
    assert.deepEqual(origin.faults, []);
  });

  it('a client that leaves while the server is asked costs no body', async () => {
    const leaked: (Buffer | undefined)[] = [];
    await using origin = await Origin.open(async (peer) => {
      await readHead(peer);
      leaked.push(await peer.some());
    });
    await using stand = await Stand.open(kind, { nodes: [origin.port], preflight: { timeout: 500 } });
    const client = await stand.client();
    await client.write(post);
    await sleep(50);
    client.reset();
    assert.equal((await stand.ended()).failure?.code, 'client-gone');
    await until('the upstream connection to end', () => leaked.length === 1);
    assert.deepEqual(leaked, [undefined]);
  });
});
