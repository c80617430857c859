/** The policies of examples/policies, as they are shipped, between their users and two clusters. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PolicyHits } from '../../../src/admin/contract.ts';
import { cached, checkout } from '../cache.ts';
import { openClient, type ResponseError } from '../clients.ts';
import { bulkParts, digest } from '../documents.ts';
import { ask, askJson, type Question, type Reply, readAll } from '../http.ts';
import { chooseServer } from '../java.ts';
import { type SearchServer, startServer } from '../servers.ts';
import { type Sluice, startConfigured } from '../sluice.ts';
import { corpus, type Stage } from '../stage.ts';

/** The example's subnet of team A, and what takes its place here: Linux answers on all of 127.0.0.0/8. */
const ingest = { shipped: '10.1.0.0/16', here: '127.1.0.0/16', host: '127.1.2.3' } as const;
const nodes = { shipped: '[http://10.0.1.1:9200, http://10.0.1.2:9200]' } as const;
const password = 'correct horse battery staple';
/** What README.md asks of the hot cluster. */
const hotSettings = { 'rest.action.multi.allow_explicit_index': 'false', 'http.max_content_length': '200mb' };

export function shippedExampleCases(stage: Pick<Stage, 'direct'>): void {
  describe('the shipped example', () => {
    let hot: SearchServer;
    let sluice: Sluice;
    let folder: string;
    let policies: PolicyFile;

    before(async () => {
      const chosen = chooseServer('opensearch');
      assert.ok(chosen);
      hot = await startServer({ ...chosen, heap: '512m', settings: hotSettings });
      folder = cached('run', `example-${process.pid}`);
      policies = install(folder, hot.url);
      sluice = await startConfigured(['-c', path.join(folder, 'sluice.yaml'), '--upstream', stage.direct]);
    });
    after(async () => {
      try {
        await sluice?.stop();
      } finally {
        await hot?.stop();
        if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      }
    });

    const anyone = (question: Question): Promise<Reply> => ask(sluice.url, question);
    const teamA = (question: Question): Promise<Reply> => anyone({ ...question, from: ingest.host });
    const admin = (question: Question, secret = password): Promise<Reply> => {
      const authorization = `Basic ${Buffer.from(`admin:${secret}`).toString('base64')}`;
      return anyone({ ...question, headers: { authorization, ...question.headers } });
    };
    const isThere = async (server: string, index: string): Promise<boolean> =>
      (await ask(server, { method: 'HEAD', path: `/${index}` })).status === 200;
    const ofTeamA = async (): Promise<PolicyHits> => {
      const { hits } = await sluice.policies();
      const found = hits.find(({ policy }) => policy === 'team-a-writes');
      assert.ok(found);
      return found;
    };

    test('the 10 MB of team A arrive on the hot cluster, every document of them', async () => {
      const template = {
        index_patterns: ['logs-a-*'],
        template: { settings: { number_of_replicas: 0 }, mappings: { dynamic: false } },
      };
      const prepared = await admin({
        method: 'PUT',
        path: '/_index_template/logs-a',
        headers: { 'x-cluster': 'hot' },
        body: JSON.stringify(template),
      });
      assert.equal(prepared.status, 200, prepared.body.toString());

      const { documents, digest: sent } = corpus(10);
      const client = await openClient('opensearch-3', sluice.url, { gzip: false, from: ingest.host });
      const answer = await client.bulkStream('logs-a-web', Readable.from(bulkParts(documents, 65_536)));
      await client.close();
      assert.equal(answer.status, 200);
      assert.equal((answer.body as { errors: boolean }).errors, false);
      assert.deepEqual(digest(await readAll(hot.url, 'logs-a-web')), sent);
      assert.equal(await isThere(stage.direct, 'logs-a-web'), false);
    });

    test('the official client understands why team A may not write elsewhere', async () => {
      const client = await openClient('opensearch-3', sluice.url, { gzip: false, from: ingest.host });
      const error = await client.request('PUT', '/logs-b-web/_doc/1', { n: 1 }).then(
        () => assert.fail('it was let in'),
        (thrown: ResponseError) => thrown,
      );
      await client.close();
      assert.equal(error.name, 'ResponseError');
      assert.equal(error.statusCode, 403);
      assertDenied(error.meta.body, /^Only team A writes/);
      for (const server of [hot.url, stage.direct]) assert.equal(await isThere(server, 'logs-b-web'), false);
    });

    test('bulk without an index is told where to go', async () => {
      const reply = await teamA({ method: 'POST', path: '/_bulk', body: bulkOf('{"_index":"logs-a-web"}') });
      assert.equal(reply.status, 403);
      assertDenied(
        jsonOf(reply),
        /^Send bulk to \/INDEX\/_bulk, .*rest\.action\.multi\.allow_explicit_index/,
      );
    });

    test('a body that names another index is let in by the head, and refused by the hot cluster', async () => {
      const body = bulkOf('{"_index":"logs-b-web"}');
      const reply = await teamA({ method: 'POST', path: '/logs-a-web/_bulk', body });
      assert.equal(reply.status, 400);
      assert.match(reply.body.toString(), /explicit index in bulk is not allowed/);
      assert.equal(await isThere(hot.url, 'logs-b-web'), false);
    });

    test('a body of more than 200 MB is refused before a byte of it was sent', async () => {
      const { answer } = post(sluice.url, 200_000_001);
      assert.equal((await answer).statusCode, 413);
    });

    test('a ninth stream of team A waits until one of the eight has ended', async () => {
      const body = bulkOf('{}');
      const half = Math.floor(body.length / 2);
      const held = Array.from({ length: 8 }, () => post(sluice.url, body.length));
      for (const { sent } of held) sent.write(body.slice(0, half));
      await until('eight streams', async () => (await ofTeamA()).streams === 8);

      let answered = false;
      const ninth = teamA({ method: 'POST', path: '/logs-a-web/_bulk', body }).finally(() => {
        answered = true;
      });
      await until('a ninth that waits', async () => (await ofTeamA()).waiting === 1);
      assert.equal((await ofTeamA()).streams, 8);
      assert.equal(answered, false);

      const [first, ...others] = held;
      first!.sent.end(body.slice(half));
      assert.equal((await first!.answer).statusCode, 200);
      assert.equal((await ninth).status, 200);
      for (const { sent } of others) sent.end(body.slice(half));
      for (const { answer } of others) assert.equal((await answer).statusCode, 200);
    });

    test('an index is deleted by the admin alone', async () => {
      const onHot = { 'x-cluster': 'hot' };
      await askJson(stage.direct, 'PUT', '/metrics-old', {});
      await askJson(hot.url, 'PUT', '/logs-a-old', {});
      const ofDefault = { method: 'DELETE', path: '/metrics-old' };
      const ofHot = { method: 'DELETE', path: '/logs-a-old', headers: onHot };

      for (const refused of [await anyone(ofDefault), await teamA(ofHot)]) {
        assert.equal(refused.status, 403);
        assertDenied(jsonOf(refused), /^Only the admins delete indices, or send what may delete one\.$/);
      }
      const guessed = await admin(ofDefault, 'password');
      assert.equal(guessed.status, 401);
      assert.match(guessed.headers['www-authenticate'] ?? '', /^Basic /);
      assert.ok(await isThere(stage.direct, 'metrics-old'));
      assert.ok(await isThere(hot.url, 'logs-a-old'));

      assert.equal((await admin(ofDefault)).status, 200);
      assert.equal((await admin(ofHot)).status, 200);
      assert.equal(await isThere(stage.direct, 'metrics-old'), false);
      assert.equal(await isThere(hot.url, 'logs-a-old'), false);
    });

    test('the rest reads both clusters, and changes neither', async () => {
      await askJson(stage.direct, 'PUT', '/metrics-new/_doc/1?refresh=true', { n: 1 });
      await askJson(hot.url, 'PUT', '/logs-a-few/_doc/1?refresh=true', { n: 1 });
      for (const [server, index] of [
        ['default', 'metrics-new'],
        ['hot', 'logs-a-few'],
      ] as const) {
        const headers = { 'x-cluster': server };
        const found = await anyone({ method: 'GET', path: `/${index}/_search?scroll=1m`, headers });
        assert.equal(found.status, 200, found.body.toString());
        const { hits, _scroll_id } = jsonOf(found) as { hits: { hits: unknown[] }; _scroll_id: string };
        assert.equal(hits.hits.length, 1);
        const body = JSON.stringify({ scroll_id: _scroll_id });
        const more = await anyone({ method: 'POST', path: '/_search/scroll', headers, body });
        assert.equal(more.status, 200, more.body.toString());
        for (const look of ['/', '/_cluster/health', `/_cat/indices/${index}`]) {
          assert.equal((await anyone({ method: 'GET', path: look, headers })).status, 200, look);
        }
        const write = await anyone({ method: 'PUT', path: `/${index}/_doc/2`, headers, body: '{"n":2}' });
        assert.equal(write.status, 403);
      }
      const sniffed = await anyone({ method: 'GET', path: '/_nodes/_all/http' });
      assert.equal(sniffed.status, 403);
      assertDenied(jsonOf(sniffed), /sniffing/);
      // Whoever could be an admin is asked who they are; but what can delete an index is the admins' in so many words.
      assert.equal((await anyone({ method: 'POST', path: '/metrics-new/_close' })).status, 401);
      const settings = await anyone({ method: 'PUT', path: '/_cluster/settings', body: '{"persistent":{}}' });
      assert.equal(settings.status, 403);
    });

    test('a policy that changes on disk is in effect without a restart, and a broken one changes nothing', async () => {
      const write = (index: string): Promise<Reply> =>
        teamA({ method: 'POST', path: `/${index}/_doc`, body: '{"n":1}' });
      const { version } = await sluice.policies();
      policies.replace("indices: ['logs-a-*']", "indices: ['weblogs-*']");
      await until('another set', async () => (await sluice.policies()).version !== version);
      assert.equal((await write('weblogs-1')).status, 201);
      assert.equal((await write('logs-a-web')).status, 403);

      policies.replace('streams: 8', 'streams: eight');
      await until('a problem', async () => (await sluice.policies()).problems.length > 0);
      const { problems } = await sluice.policies();
      assert.match(problems.join('\n'), /policies\.yaml:\d+:\d+: spec\.limits\.streams: /);
      assert.equal((await write('weblogs-1')).status, 201);

      policies.restore();
      await until('the shipped set', async () => (await sluice.policies()).version === version);
      assert.equal((await write('logs-a-web')).status, 201);
    });

    /** A bulk of team A's of which only the head is on its way; ends the test's wait when it never is answered. */
    function post(
      base: string,
      length: number,
    ): { readonly sent: ClientRequest; readonly answer: Promise<IncomingMessage> } {
      const sent = request(`${base}/logs-a-web/_bulk`, {
        method: 'POST',
        localAddress: ingest.host,
        headers: { 'content-type': 'application/x-ndjson', 'content-length': length },
        agent: false,
        signal: AbortSignal.timeout(60_000),
      });
      sent.flushHeaders();
      const answer = new Promise<IncomingMessage>((resolve, reject) => {
        sent.once('response', (response) => resolve(response.resume())).once('error', reject);
      });
      answer.catch(() => {});
      return { sent, answer };
    }
  });
}

interface PolicyFile {
  replace(shipped: string, changed: string): void;
  restore(): void;
}

/** The example as its README says, with addresses of this machine. */
function install(folder: string, hot: string): PolicyFile {
  mkdirSync(folder, { recursive: true });
  cpSync(path.join(checkout, 'examples', 'policies'), folder, { recursive: true });
  const config = path.join(folder, 'sluice.yaml');
  writeFileSync(config, swapped(readFileSync(config, 'utf8'), nodes.shipped, `[${hot}]`));
  const options = { input: password, encoding: 'utf8', timeout: 20_000 } as const;
  const hash = execFileSync(path.join(checkout, 'sluice'), ['hash'], options);
  writeFileSync(path.join(folder, 'users'), `admin:${hash}`);
  const file = path.join(folder, 'policies', 'policies.yaml');
  const text = swapped(readFileSync(file, 'utf8'), ingest.shipped, ingest.here);
  writeFileSync(file, text);
  const write = (changed: string): void => {
    writeFileSync(path.join(folder, 'next'), changed);
    renameSync(path.join(folder, 'next'), file);
  };
  return { replace: (from, to) => write(swapped(text, from, to)), restore: () => write(text) };
}

function swapped(text: string, from: string, to: string): string {
  assert.ok(text.includes(from), `the example has no ${from}`);
  return text.replace(from, to);
}

function bulkOf(action: string): string {
  return `{"index":${action}}\n{"text":"a line of a log"}\n`;
}

function jsonOf({ body }: Reply): unknown {
  return JSON.parse(body.toString());
}

function assertDenied(body: unknown, reason: RegExp): void {
  const { error } = body as { error: { type: string; reason: string } };
  assert.equal(error.type, 'sluice_policy_denied');
  assert.match(error.reason, reason);
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const late = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > late) throw new Error(`${what}: not within 15 s`);
    await sleep(50);
  }
}
