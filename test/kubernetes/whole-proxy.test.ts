import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { sleep } from '../support/deadline.ts';
import { SluiceProcess } from '../support/sluice-process.ts';
import { define, expectCreated, namespace, policies, policy, prepare, tokenOf } from './cluster.ts';
import { ControlPlane } from './control-plane.ts';

const bin = process.env.SLUICE_TEST_CONTROL_PLANE;
if (bin === undefined) throw new Error('run it by `make test-kubernetes`, which builds what it needs');

const plane = new ControlPlane(bin);
let origin: Server;
let sluice: SluiceProcess;

before(async () => {
  await plane.start();
  await prepare(plane);
  await define(plane);
  origin = createServer((_request, answer) => answer.end('{}')).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const kubeconfig = plane.kubeconfig('sluice', await tokenOf(plane, 'sluice'), namespace);
  const config = { policies: { sources: [{ kubernetes: { kubeconfig, namespace } }] } };
  sluice = await SluiceProcess.start([(origin.address() as AddressInfo).port], JSON.stringify(config));
});
after(async () => {
  await sluice?.[Symbol.asyncDispose]();
  origin?.close();
  await plane.stop();
});

const statusOf = async (method: string, path: string): Promise<number> => {
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch(`http://127.0.0.1:${sluice.port}${path}`, { method, signal });
  await answer.arrayBuffer();
  return answer.status;
};

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const late = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > late)
      throw new Error(`${what}: not in 20 s; ${sluice.told.slice(-3).join('\n')}`);
    await sleep(50);
  }
}

const becomes = (status: number) =>
  until(`searches become ${status}`, async () => (await statusOf('GET', '/logs/_search')) === status);

const condition = async (name: string) =>
  expectCreated(await plane.ask('GET', `${policies}/${name}`)).status?.conditions?.[0];

test('a policy that is applied takes effect, a bad one changes nothing and is told on the resource', async () => {
  assert.equal(await statusOf('GET', '/logs/_search'), 403);

  const searches = { match: { groups: ['read'] }, action: 'allow' };
  expectCreated(await plane.ask('POST', policies, policy('searches', searches)));
  await becomes(200);
  assert.equal(await statusOf('DELETE', '/logs'), 403);
  await until('the resource says so', async () => (await condition('searches'))?.status === 'True');

  const misspelt = { spec: { mach: { groups: ['write'] } } };
  expectCreated(await plane.ask('PATCH', `${policies}/searches`, misspelt));
  await until(
    'the resource says what is wrong',
    async () => (await condition('searches'))?.status === 'False',
  );
  const { reason, message, observedGeneration } = await condition('searches');
  assert.deepEqual({ reason, observedGeneration }, { reason: 'Invalid', observedGeneration: 2 });
  assert.match(message, /spec\.mach: there is no such setting; did you mean match\?/);
  assert.equal(await statusOf('GET', '/logs/_search'), 200);
  const { policies: set } = JSON.parse(await sluice.ask('ready'));
  assert.equal(set.stale, true);
  assert.match(set.problems.join(), /did you mean match/);

  expectCreated(await plane.ask('DELETE', `${policies}/searches`));
  await becomes(403);
});

test('what is in effect outlives the API server', async () => {
  expectCreated(
    await plane.ask('POST', policies, policy('searches', { match: { groups: ['read'] }, action: 'allow' })),
  );
  await becomes(200);
  await plane.endApiServer('SIGKILL');
  await sleep(1000);
  assert.equal(await statusOf('GET', '/logs/_search'), 200);
  await plane.startApiServer();
  expectCreated(await plane.ask('DELETE', `${policies}/searches`));
  await becomes(403);
});
