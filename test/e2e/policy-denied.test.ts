/** A request that a policy denies while its body is under way: the client hears why, and no server hears anything. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Client, errors } from '@opensearch-project/opensearch';
import { body, bodyBlocks } from '../support/body.ts';
import { chunks } from '../support/chunked-body.ts';
import { readAnswer, readHead, readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { PolicyStand } from '../support/policy-stand.ts';
import { onEachTransport } from '../support/stand.ts';

const MIB = 1024 * 1024;
const reason = 'Nobody writes at the moment.';
const policies = {
  'no-writes': { action: 'deny', match: { groups: ['write'] }, deny: { reason } },
  'not-here': {
    action: 'deny',
    match: { indices: ['hidden'] },
    deny: { status: 404, reason: 'Nothing here.' },
  },
  'not-now': { action: 'deny', match: { indices: ['busy'] }, deny: { status: 429, reason: 'Later.' } },
  reads: { action: 'allow', match: { groups: ['read'] } },
};
const get = 'GET /logs-a/_search HTTP/1.1\r\nHost: es\r\n\r\n';
const denial = {
  error: {
    root_cause: [{ type: 'sluice_policy_denied', reason }],
    type: 'sluice_policy_denied',
    reason,
  },
  status: 403,
};

onEachTransport('a denied request', (kind) => {
  const all = body(50 * MIB);
  const framings = {
    length: { field: `Content-Length: ${all.length}`, blocks: () => [all] },
    chunked: { field: 'Transfer-Encoding: chunked', blocks: () => chunks(all, 300_000) },
  };
  for (const [name, { field, blocks }] of Object.entries(framings)) {
    for (const expect of ['', 'Expect: 100-continue\r\n']) {
      const how = `${name}${expect === '' ? '' : ', with an expectation that it does not wait for'}`;
      it(`of 50 MB (${how}): a client that writes all of it first reads why`, async () => {
        await using origin = await Origin.open();
        await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies });
        const client = await stand.client();
        await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\n${field}\r\n${expect}\r\n`);
        assert.ok(await client.writeAll(blocks()), 'the client was reset while it wrote');
        const { head, text } = await readWhole(client);
        assert.deepEqual(
          [
            head.status,
            head.field('content-type'),
            head.field('connection'),
            head.field('x-elastic-product'),
          ],
          [403, 'application/json', 'close', undefined],
        );
        assert.deepEqual(JSON.parse(text), denial);
        assert.equal(await client.ending(), 'end');
        const { failure, policy, endpoint, status, request, attempts } = await stand.ended();
        assert.deepEqual(
          [failure, policy, endpoint, status, request.bytes, attempts],
          [{ code: 'policy-denied', detail: reason }, 'no-writes', 'bulk', 403, 0, 0],
        );
        assert.equal(origin.accepted, 0);
      });
    }
  }

  it('is answered before a body that waits for a 100, and no 100 is said', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies });
    const client = await stand.client();
    await client.write(
      `POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`,
    );
    const head = await readHead(client);
    assert.deepEqual([head?.status, head?.field('connection')], [403, 'close']);
    assert.deepEqual(
      JSON.parse((await client.exactly(Number(head?.field('content-length')))).toString()),
      denial,
    );
    client.end();
    assert.equal(await client.ending(), 'end');
    assert.equal(origin.accepted, 0);
  });

  it('without a body keeps its connection; what the policies allow then passes on it', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies });
    const client = await stand.client();
    for (let round = 0; round < 3; round++) {
      await client.write('DELETE /logs-a/_doc/1 HTTP/1.1\r\nHost: es\r\n\r\n');
      const denied = await readWhole(client);
      assert.deepEqual([denied.head.status, JSON.parse(denied.text)], [403, denial]);
      await client.write('HEAD /hidden HTTP/1.1\r\nHost: es\r\n\r\n');
      assert.equal((await readWhole(client, 'HEAD')).head.status, 404);
      await client.write('GET /busy/_search HTTP/1.1\r\nHost: es\r\n\r\n');
      const { head } = await readWhole(client);
      assert.deepEqual([head.status, head.field('retry-after')], [429, '1']);
      await client.write(get);
      assert.equal((await readWhole(client)).head.status, 200);
    }
    assert.deepEqual([origin.accepted, origin.received.length], [1, 3]);
  });

  it('of HTTP/1.0 and one whose client wants to close end politely', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies });
    for (const request of [
      'DELETE /logs-a/_doc/1 HTTP/1.0\r\n\r\n',
      'DELETE /logs-a/_doc/1 HTTP/1.1\r\nHost: es\r\nConnection: close\r\n\r\n',
    ]) {
      const client = await stand.client();
      await client.write(request);
      const { head } = await readWhole(client);
      assert.deepEqual([head.status, head.field('connection')], [403, 'close']);
      assert.equal(await client.ending(), 'end');
    }
  });

  it('in the middle of a pipeline is answered in its place', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies });
    const client = await stand.client();
    await client.write(`${get}DELETE /logs-a/_doc/1 HTTP/1.1\r\nHost: es\r\n\r\n${get}`);
    const statuses: unknown[] = [];
    for (let nth = 0; nth < 3; nth++) statuses.push((await readWhole(client)).head.status);
    assert.deepEqual(statuses, [200, 403, 200]);
  });

  it('whose body is never ended is cut off within the linger bounds', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, {
      nodes: [origin.port],
      policies,
      limits: { lingerBytes: 4 * MIB },
    });
    const client = await stand.client();
    await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${512 * MIB}\r\n\r\n`);
    let taken = 0;
    for (const block of bodyBlocks(512 * MIB)) {
      if (!(await client.write(block))) break;
      taken += block.length;
    }
    assert.ok(taken < 64 * MIB, `${taken} bytes were taken from a client that was denied`);
    assert.equal((await stand.ended()).status, 403);
  });

  it('whose client leaves at once is recorded all the same', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies });
    const client = await stand.client();
    await client.write(`POST /_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${MIB}\r\n\r\n`);
    client.reset();
    assert.equal((await stand.ended()).failure?.code, 'policy-denied');
  });

  it('is an error with its status, type and reason to an official client', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies });
    const client = new Client({ node: `http://127.0.0.1:${stand.stand.port}`, maxRetries: 0 });
    const operations = Array.from({ length: 2000 }, (_, id) => [
      { index: { _id: `${id}` } },
      { text: 'x'.repeat(500) },
    ]);
    const sent = client.bulk({ index: 'logs-a', body: operations.flat() });
    await assert.rejects(sent, (error: unknown) => {
      assert.ok(error instanceof errors.ResponseError);
      assert.deepEqual([error.statusCode, error.body], [403, denial]);
      assert.match(error.message, /Nobody writes at the moment/);
      return true;
    });
    await client.close();
    assert.equal(origin.accepted, 0);
  });

  it('by default is told that no policy allows it', async () => {
    await using origin = await Origin.open();
    await using stand = await PolicyStand.open(kind, { nodes: [origin.port], policies: {} });
    const client = await stand.client();
    await client.write(get);
    const answer = await readAnswer(client);
    assert.equal(
      answer.kind === 'whole' && JSON.parse(answer.text).error.reason,
      'No policy allows this request.',
    );
    assert.equal((await stand.ended()).policy, 'default');
  });
});
