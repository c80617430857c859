/** What Sluice sends to servers in its own name is shown to nobody else, and rotates without a restart. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { closedPort } from '../support/closed-port.ts';
import { sleep } from '../support/deadline.ts';
import { readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { subject } from '../support/policies.ts';
import { PolicyProcess } from '../support/policy-process.ts';
import { readPolicies } from '../support/policy-stand.ts';

const fromFile = 'Basic c2VjcmV0LW9mLWEtZmlsZQ==';
const fromEnvironment = 'ApiKey c2VjcmV0LW9mLXRoZS1lbnZpcm9ubWVudA==';
const sources = ['127.0.0.0/8'];
const policies = {
  filed: {
    action: 'allow',
    match: { sources, indices: ['filed'] },
    headers: { set: [{ name: 'Authorization', fromFile: 'credentials' }] },
    limits: { bodyBytes: 10, streams: 100 },
  },
  named: {
    action: 'allow',
    match: { sources, indices: ['named'] },
    headers: { set: [{ name: 'Authorization', fromEnv: 'SLUICE_SECRET_NAMED' }] },
  },
  down: {
    action: 'allow',
    match: { sources, indices: ['down'] },
    route: { cluster: 'down' },
    headers: { set: [{ name: 'Authorization', fromFile: 'credentials' }] },
  },
};

async function start(origin: Origin): Promise<PolicyProcess> {
  return PolicyProcess.start([origin.port], {
    policies,
    secrets: { credentials: `${fromFile}\n` },
    environment: { SLUICE_SECRET_NAMED: fromEnvironment },
    config: {
      log: { level: 'debug' },
      clusters: { down: { nodes: [`http://127.0.0.1:${await closedPort()}`] } },
    },
  });
}

describe('a secret that a policy sends', () => {
  it('reaches the server, and stands in no log, no report and no answer', async () => {
    await using origin = await Origin.open();
    await using running = await start(origin);
    const { sluice } = running;
    const client = await sluice.client();
    const said: string[] = [];
    const ask = async (request: string): Promise<number> => {
      await client.write(request);
      const { head, text } = await readWhole(client, request.split(' ')[0]);
      said.push(head.text, text);
      return head.status;
    };
    assert.equal(await ask('GET /filed/_search HTTP/1.1\r\nHost: es\r\n\r\n'), 200);
    assert.equal(await ask('GET /named/_search HTTP/1.1\r\nHost: es\r\n\r\n'), 200);
    assert.equal(await ask('HEAD /named HTTP/1.1\r\nHost: es\r\n\r\n'), 200);
    assert.deepEqual(
      origin.received.map(({ head }) => head.field('authorization')),
      [fromFile, fromEnvironment, fromEnvironment],
    );
    assert.equal(await ask('GET /down/_search HTTP/1.1\r\nHost: es\r\n\r\n'), 502);
    assert.equal(await ask('GET /other/_search HTTP/1.1\r\nHost: es\r\n\r\n'), 403);
    assert.equal(await ask('GET /named%2f HTTP/1.1\r\nHost: es\r\n\r\n'), 400);
    assert.equal(await ask('POST /filed/_doc HTTP/1.1\r\nHost: es\r\nContent-Length: 11\r\n\r\n'), 413);
    const from = sluice.told.length;
    running.writeSecret('credentials', `${fromFile}\nand a second line`);
    await running.told('was refused', from);
    for (const page of ['live', 'ready', 'metrics', 'policies'] as const) said.push(await sluice.ask(page));
    for (const pid of running.children()) said.push(readFileSync(`/proc/${pid}/environ`, 'latin1'));
    sluice.signal('SIGINT');
    client.destroy();
    assert.equal(await sluice.exit(), 0);
    said.push(...sluice.told, ...sluice.access.map((line) => JSON.stringify(line)));
    const all = said.join('\n');
    for (const part of ['c2VjcmV0', 'secret-of', Buffer.from('secret-of-a-file').toString('hex')]) {
      assert.ok(!all.includes(part), `${part} stands in ${all.slice(all.indexOf(part) - 200).slice(0, 400)}`);
    }
    assert.ok(all.includes('"policy":"filed"') && all.includes('sluice_policy_decisions_total'));
  });

  it('in a file is sent anew within seconds of its rotation; what can not be sent changes nothing', async () => {
    await using origin = await Origin.open();
    await using running = await start(origin);
    const client = await running.sluice.client();
    const sent = async (): Promise<string | undefined> => {
      await client.write('GET /filed/_search HTTP/1.1\r\nHost: es\r\n\r\n');
      assert.equal((await readWhole(client)).head.status, 200);
      return origin.received.at(-1)?.head.field('authorization');
    };
    const sentWithin = async (value: string, milliseconds: number): Promise<void> => {
      const deadline = performance.now() + milliseconds;
      while ((await sent()) !== value) {
        assert.ok(performance.now() < deadline, `not sent within ${milliseconds} ms`);
        await sleep(20);
      }
    };
    await sentWithin(fromFile, 100);
    running.writeSecret('credentials', 'Basic b3RoZXI=\n');
    await sentWithin('Basic b3RoZXI=', 5000);
    running.writeSecret('credentials', 'no header\x07value');
    await running.told('was refused');
    assert.equal(await sent(), 'Basic b3RoZXI=');
    const { policies: state } = await running.readiness();
    assert.equal(state?.stale, true);
    assert.doesNotMatch(state?.problems.join() ?? '', /no header/);
    client.destroy();
  });

  it('is not told by an explanation', async () => {
    const secrets = { directory: undefined, environment: { SLUICE_SECRET_NAMED: fromEnvironment } };
    const { named } = policies;
    const set = await readPolicies({ policies: { named }, secrets });
    const asked = subject('GET /other/_search', {
      source: '127.0.0.1',
      fields: [`Authorization: ${fromFile}`],
    });
    assert.doesNotMatch(JSON.stringify(set.explain(asked)), /c2VjcmV0/);
  });
});
