import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { KubernetesOptions } from '../../src/policy/sources/kubernetes.ts';
import { sleep } from '../support/deadline.ts';
import { define, expectCreated, namespace, policies, policy, prepare, tokenOf } from './cluster.ts';
import { ControlPlane } from './control-plane.ts';
import { Watched } from './watched.ts';

const bin = process.env.SLUICE_TEST_CONTROL_PLANE;
if (bin === undefined) throw new Error('run it by `make test-kubernetes`, which builds what it needs');

describe('policies from a real Kubernetes API server', () => {
  const plane = new ControlPlane(bin);
  const living: Watched[] = [];
  /** By account. */
  const kubeconfigs = new Map<string, string>();

  before(async () => {
    await plane.start();
    await prepare(plane);
    for (const account of ['sluice', 'reader', 'stranger']) {
      kubeconfigs.set(account, plane.kubeconfig(account, await tokenOf(plane, account), namespace));
    }
    const role = (kind: string, more: object) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind,
      metadata: { name: 'reader' },
      ...more,
    });
    const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    const rules = [{ apiGroups: ['sluice.dev'], resources: ['policies'], verbs: ['get', 'list', 'watch'] }];
    expectCreated(await plane.ask('POST', `${roles}/roles`, role('Role', { rules })));
    const binding = role('RoleBinding', {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace }],
    });
    expectCreated(await plane.ask('POST', `${roles}/rolebindings`, binding));
  });
  after(() => plane.stop());

  const watch = (options: KubernetesOptions = {}, account = 'sluice'): Watched => {
    const watched = new Watched({ kubeconfig: kubeconfigs.get(account)!, ...options });
    living.push(watched);
    return watched;
  };
  const create = async (...args: Parameters<typeof policy>) =>
    expectCreated(await plane.ask('POST', policies, policy(...args)));
  const change = async (name: string, spec: object) =>
    expectCreated(await plane.ask('PATCH', `${policies}/${name}`, { spec }));
  const remove = async (name: string) => expectCreated(await plane.ask('DELETE', `${policies}/${name}`));
  const stored = async (name: string) => expectCreated(await plane.ask('GET', `${policies}/${name}`));
  const conditionOf = async (name: string) => (await stored(name)).status?.conditions?.[0];

  /** Waits until the condition of `name` is of that reason and generation. */
  const untilCondition = async (name: string, reason: string, generation: number) => {
    const late = Date.now() + 20_000;
    for (;;) {
      const condition = await conditionOf(name);
      if (condition?.reason === reason && condition.observedGeneration === generation) return condition;
      if (Date.now() > late) throw new Error(`${name} is at ${JSON.stringify(condition)}`);
      await sleep(20);
    }
  };

  test('without the definition it says so, and begins once it is there', async () => {
    const watched = watch();
    assert.match(await watched.untilUnreachable(), /404.*; apply deploy\/crds\/policy\.yaml$/);
    await define(plane);
    await watched.untilNames();
    watched.source.close();
  });

  describe('with the definition', () => {
    beforeEach(async () => {
      expectCreated(await plane.ask('DELETE', policies));
    });
    afterEach(() => {
      for (const watched of living.splice(0)) watched.source.close();
    });

    test('what is there, added, changed and deleted is told of, and nothing after a close', async () => {
      await create('a', { order: 1, deep: { list: [1, { two: 'zwei' }] } });
      const watched = watch();
      const first = await watched.untilNames('a');
      assert.deepEqual(JSON.parse(first.texts[0]!.text), {
        apiVersion: 'sluice.dev/v1alpha1',
        kind: 'Policy',
        metadata: { name: 'a' },
        spec: { order: 1, deep: { list: [1, { two: 'zwei' }] } },
      });
      await create('b');
      const second = await watched.untilNames('a', 'b');
      assert.notEqual(second.version, first.version);
      await change('a', { order: 7 });
      await watchedSpec(watched, 'a', { order: 7, deep: { list: [1, { two: 'zwei' }] } });
      await remove('a');
      await watched.untilNames('b');
      watched.source.close();
      const told = watched.snapshots.length;
      await create('c');
      await sleep(500);
      assert.equal(watched.snapshots.length, told);
    });

    test('a hundred quick changes are a few sets, and the last one is whole', async () => {
      const watched = watch();
      await watched.untilNames();
      const names = Array.from({ length: 100 }, (_, i) => `p-${String(i).padStart(3, '0')}`);
      await Promise.all(names.map((name) => create(name)));
      await watched.untilNames(...names);
      assert.ok(watched.snapshots.length <= 12, `${watched.snapshots.length} sets`);
    });

    test('a label selector leaves out what it does not name, also once a label is taken away', async () => {
      await create('mine', { order: 1 }, { proxy: 'edge' });
      await create('theirs', { order: 1 }, { proxy: 'inner' });
      const watched = watch({ labelSelector: 'proxy=edge' });
      await watched.untilNames('mine');
      await plane.ask('PATCH', `${policies}/theirs`, { metadata: { labels: { proxy: 'edge' } } });
      await watched.untilNames('mine', 'theirs');
      await plane.ask('PATCH', `${policies}/mine`, { metadata: { labels: { proxy: null } } });
      await watched.untilNames('theirs');
    });

    test('the condition tells who is at fault and who is not, and turns when that is mended', async () => {
      await create('bad', { order: 'x' });
      await create('good');
      const watched = watch();
      await watched.untilNames('bad', 'good');
      watched.report({ bad: ["bad:5:14: 'order' must be a whole number; write order: 10"] });
      const refused = await untilCondition('bad', 'Invalid', 1);
      assert.equal(refused.status, 'False');
      assert.equal(refused.message, "bad:5:14: 'order' must be a whole number; write order: 10");
      const along = await untilCondition('good', 'SetInvalid', 1);
      assert.equal(along.status, 'False');
      assert.match(along.message, /refused for sluice\/bad/);

      await sleep(1100);
      await change('bad', { order: 10 });
      await watchedSpec(watched, 'bad', { order: 10 });
      watched.report();
      const mended = await untilCondition('bad', 'Accepted', 2);
      assert.equal(mended.status, 'True');
      assert.notEqual(mended.lastTransitionTime, refused.lastTransitionTime);
      await untilCondition('good', 'Accepted', 1);

      await sleep(1100);
      await change('bad', { order: 11 });
      await watchedSpec(watched, 'bad', { order: 11 });
      watched.report();
      const still = await untilCondition('bad', 'Accepted', 3);
      assert.equal(still.lastTransitionTime, mended.lastTransitionTime, 'the status has not turned');
      assert.deepEqual(watched.warnings, []);
    });

    test('replicas that agree write once between them, and a written status is no change', async () => {
      const names = ['a', 'b', 'c', 'd', 'e'];
      for (const name of names) await create(name);
      const replicas = Array.from({ length: 4 }, () => watch());
      for (const replica of replicas) await replica.untilNames(...names);
      assert.equal(new Set(replicas.map(({ last }) => last?.kind === 'read' && last.version)).size, 1);
      for (const replica of replicas) replica.report();
      for (const name of names) await untilCondition(name, 'Accepted', 1);
      await sleep(1000);
      const versions = async () =>
        Promise.all(names.map(async (n) => (await stored(n)).metadata.resourceVersion));
      const written = await versions();
      for (const replica of replicas) replica.report();
      await sleep(2000);
      assert.deepEqual(await versions(), written, 'statuses were written again');
      for (const replica of replicas) {
        assert.equal(replica.snapshots.length, 1, 'a written status was told of as a change');
        assert.deepEqual(replica.warnings, []);
      }
    });

    test('conditions of others are left as they are', async () => {
      await create('a');
      const theirs = {
        type: 'Audited',
        status: 'True',
        reason: 'ByHand',
        message: 'looked at',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      };
      await plane.ask('PATCH', `${policies}/a/status`, { status: { conditions: [theirs] } });
      const watched = watch();
      await watched.untilNames('a');
      watched.report();
      const late = Date.now() + 10_000;
      while ((await stored('a')).status.conditions.length < 2 && Date.now() < late) await sleep(20);
      const { conditions } = (await stored('a')).status;
      assert.deepEqual(conditions[0], theirs);
      assert.equal(conditions[1].type, 'Accepted');
    });

    test('without the right to write statuses the policies work, and it is said once', async () => {
      await create('a');
      const watched = watch({}, 'reader');
      await watched.untilNames('a');
      watched.report();
      await sleep(500);
      await create('b');
      await watched.untilNames('a', 'b');
      watched.report();
      await sleep(500);
      assert.equal(watched.warnings.length, 1);
      assert.match(watched.warnings[0]!, /403.*; grant what deploy\/rbac\/policy-source\.yaml grants/);
      assert.equal(await conditionOf('a'), undefined);
    });

    test('without the right to read it says which right is missing', async () => {
      const watched = watch({}, 'stranger');
      assert.match(await watched.untilUnreachable(), /403 \(.*cannot list.*\); grant what deploy\/rbac/);
    });

    test('an account of the Pod is found where Kubernetes mounts it', async (context) => {
      await create('a');
      const root = mkdtempSync(path.join(tmpdir(), 'sluice-pod-'));
      context.after(() => rmSync(root, { recursive: true }));
      const account = path.join(root, 'var/run/secrets/kubernetes.io/serviceaccount');
      mkdirSync(account, { recursive: true });
      copyFileSync(plane.certificate, path.join(account, 'ca.crt'));
      writeFileSync(path.join(account, 'namespace'), namespace);
      writeFileSync(path.join(account, 'token'), await tokenOf(plane, 'sluice'));
      process.env.KUBERNETES_SERVICE_HOST = '127.0.0.1';
      process.env.KUBERNETES_SERVICE_PORT = String(plane.port);
      context.after(() => {
        delete process.env.KUBERNETES_SERVICE_HOST;
        delete process.env.KUBERNETES_SERVICE_PORT;
      });
      const watched = new Watched({ root });
      living.push(watched);
      await watched.untilNames('a');
      watched.report();
      await untilCondition('a', 'Accepted', 1);
    });

    test('a server that is killed is told of, and nothing of what changed around it is lost', async () => {
      await create('kept');
      await create('deleted');
      const watched = watch();
      const before = await watched.untilNames('deleted', 'kept');
      // As where a machine fails: nothing is closed in order.
      await plane.endApiServer('SIGKILL');
      assert.match(await watched.untilUnreachable(), /can not be asked \(ECONNREFUSED\)/);
      // While it is away the store has judged the last set; the status is written when it is back.
      watched.source.report({ version: before.version, accepted: true, problems: new Map() });
      await plane.startApiServer();
      await watched.untilNames('deleted', 'kept');
      assert.equal(watched.last?.kind === 'read' && watched.last.version, before.version);
      await untilCondition('kept', 'Accepted', 1);
      await remove('deleted');
      await create('new');
      await change('kept', { order: 2 });
      await watched.untilNames('kept', 'new');
      await watchedSpec(watched, 'kept', { order: 2 });
    });

    test('a server that ends in order and comes back is followed again', async () => {
      await create('a');
      await create('b');
      const watched = watch();
      await watched.untilNames('a', 'b');
      await plane.endApiServer('SIGTERM');
      await plane.startApiServer();
      await remove('a');
      await watched.untilNames('b');
    });
  });
});

async function watchedSpec(watched: Watched, name: string, spec: object): Promise<void> {
  const late = Date.now() + 20_000;
  while (!isDeepStrictEqual(watched.spec(name), spec)) {
    if (Date.now() > late) throw new Error(`${name} is ${JSON.stringify(watched.spec(name))}`);
    await sleep(10);
  }
}
