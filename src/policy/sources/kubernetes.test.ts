import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { registerHooks } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { until } from '../../../test/support/deadline.ts';
import { type KubernetesOptions, KubernetesSource, pauseAfter, snapshotOfPolicies } from './kubernetes.ts';
import type { PolicyObject } from './kubernetes-api.ts';
import { conditionsWith, verdictOn } from './kubernetes-status.ts';
import type { Snapshot } from './source.ts';

const metadata = { name: 'a', namespace: 'sluice', uid: 'u-a', generation: 3, resourceVersion: '10' };
const object = (more: object = {}, fields: object = {}): PolicyObject => ({
  metadata: { ...metadata, ...more },
  spec: { order: 1 },
  ...fields,
});

test('the version is of specs and of nothing else: no status, no order of listing', () => {
  const policies = fc.uniqueArray(
    fc.record({ name: fc.stringMatching(/^[a-z]{1,8}$/), generation: fc.integer({ min: 1, max: 9 }) }),
    { minLength: 1, selector: ({ name }) => name },
  );
  fc.assert(
    fc.property(policies, fc.integer({ min: 0, max: 99 }), (list, at) => {
      const objects = list.map((one) => object({ ...one, uid: `u-${one.name}` }));
      const snapshot = read(objects);
      const touched = objects.map((one, i) =>
        object({ ...one.metadata, resourceVersion: `${i}` }, { status: {} }),
      );
      assert.equal(read(touched.reverse()).version, snapshot.version);
      const names = snapshot.texts.map(({ name }) => name);
      assert.deepEqual(names, names.toSorted());

      const index = at % objects.length;
      const one = objects[index]!.metadata;
      const changed = objects.with(index, object({ ...one, generation: one.generation + 1 }));
      assert.notEqual(read(changed).version, snapshot.version);
      assert.notEqual(read(objects.with(index, object({ ...one, uid: 'new' }))).version, snapshot.version);
      assert.notEqual(read(objects.toSpliced(index, 1)).version, snapshot.version);
    }),
  );
});

test('policies larger than a set may be are refused whole', () => {
  const spec = 'x'.repeat(2 ** 20);
  const many = Array.from({ length: 17 }, (_, i) => object({ name: `p${i}` }, { spec }));
  assert.equal(snapshotOfPolicies(many.slice(2)).kind, 'read');
  assert.equal(snapshotOfPolicies(many).kind, 'unreachable');
});

test('a policy of a refused set that has no fault of its own is told whose it is', () => {
  const problems = new Map(['s/e', 's/d', 's/b', 's/c', 's/f'].map((name) => [name, ['no']]));
  const verdict = verdictOn('s/a', 3, { version: 'v', accepted: false, problems });
  assert.equal(verdict.reason, 'SetInvalid');
  assert.match(verdict.message, /refused for s\/b, s\/c, s\/d and 2 more;/);
  assert.equal(verdictOn('s/b', 3, { version: 'v', accepted: false, problems }).reason, 'Invalid');
  assert.equal(verdictOn('s/a', 3, { version: 'v', accepted: true, problems: new Map() }).status, 'True');
});

test('a message never outgrows what the API takes', () => {
  const problems = new Map([
    ['s/a', Array.from({ length: 10_000 }, () => 'a problem that is described at length')],
  ]);
  assert.ok(verdictOn('s/a', 1, { version: 'v', accepted: false, problems }).message.length <= 32_768);
});

test('a condition is written only where it says something new, and its time changes only with its status', () => {
  const outcome = { version: 'v', accepted: true, problems: new Map() };
  const verdict = verdictOn('s/a', 3, outcome);
  const first = conditionsWith(object(), verdict, 'T1');
  assert.deepEqual(first, [{ type: 'Accepted', ...verdict, lastTransitionTime: 'T1' }]);
  const written = object({}, { status: { conditions: first } });
  assert.equal(conditionsWith(written, verdict, 'T2'), undefined);
  assert.deepEqual(conditionsWith(written, { ...verdict, observedGeneration: 4 }, 'T2'), [
    { type: 'Accepted', ...verdict, observedGeneration: 4, lastTransitionTime: 'T1' },
  ]);
  assert.deepEqual(conditionsWith(written, { ...verdict, status: 'False' }, 'T2'), [
    { type: 'Accepted', ...verdict, status: 'False', lastTransitionTime: 'T2' },
  ]);
  assert.equal(
    conditionsWith(written, { ...verdict, observedGeneration: 2 }, 'T2'),
    undefined,
    'a replica lags',
  );
});

test('a status that is no status is replaced, never tripped over', () => {
  const verdict = verdictOn('s/a', 3, { version: 'v', accepted: true, problems: new Map() });
  for (const status of [undefined, null, 7, [], { conditions: 'x' }, { conditions: [] }]) {
    assert.equal(conditionsWith(object({}, { status }), verdict, 'T')?.length, 1);
  }
});

test('pauses grow to ten seconds and are spread', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e9 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (failures, chance) => {
        const pause = pauseAfter(failures, chance);
        assert.ok(pause >= 125 && pause <= 10_000);
        assert.ok(pauseAfter(failures + 1, chance) >= pause);
      },
    ),
  );
});

test('without the package it says which one to install', async (context) => {
  const hooks = registerHooks({
    resolve: (specifier, where, next) => {
      if (specifier !== '@kubernetes/client-node') return next(specifier, where);
      throw Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' });
    },
  });
  context.after(() => hooks.deregister());
  const told = open(context, {});
  await until('being told', () => told.length > 0);
  assert.match(why(told[0]), /; npm install @kubernetes\/client-node@\d/);
});

test('where there is no cluster, no file or no such context it says what to name', async (context) => {
  const host = process.env.KUBERNETES_SERVICE_HOST;
  delete process.env.KUBERNETES_SERVICE_HOST;
  context.after(() => {
    if (host !== undefined) process.env.KUBERNETES_SERVICE_HOST = host;
  });
  const file = path.join(scratch(context), 'kubeconfig');
  writeFileSync(file, '{clusters: [], users: [], contexts: [], current-context: none}');
  const cases: [KubernetesOptions, RegExp][] = [
    [{}, /in no Kubernetes cluster; name a kubeconfig/],
    [{ kubeconfig: '/nowhere/kubeconfig' }, /\/nowhere\/kubeconfig can not be read \(ENOENT/],
    [{ kubeconfig: file }, /no cluster for the context 'none'/],
    [{ kubeconfig: file, context: 'other' }, /no cluster for the context 'other'/],
  ];
  for (const [options, expected] of cases) {
    const told = open(context, options);
    await until(`being told of ${expected}`, () => told.length > 0);
    assert.match(why(told[0]), expected);
  }
});

const items = [object({ name: 'b' }), null, 'x', {}, { metadata: {} }, object({ name: 'a' })];
const list = JSON.stringify({ items, metadata: { resourceVersion: '1' } });

test('answers that are no list of policies are told of, and asked for again', async (context) => {
  const bodies = ['{', 'null', '{"items": 5, "metadata": {}}', list];
  let asked = 0;
  const kubeconfig = await serve(context, (request, response) => {
    if (request.url?.includes('watch=true')) response.write('');
    else response.end(bodies[Math.min(asked++, bodies.length - 1)]);
  });
  const told = open(context, { kubeconfig });
  await until('the list at last', () => told.at(-1)?.kind === 'read', 20_000);
  assert.match(why(told[0]), /its answer is no list of policies/);
  assert.deepEqual(names(told.at(-1)), ['sluice/a', 'sluice/b']);
});

test('a watch that says nonsense, or is cut within an event, loses nothing', async (context) => {
  const added = JSON.stringify({ type: 'ADDED', object: object({ name: 'c' }) });
  const nonsense = [
    '{',
    'null',
    '7',
    '{"type":"ERROR"}',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":{}}',
    added,
  ];
  let watches = 0;
  const kubeconfig = await serve(context, (request, response) => {
    if (!request.url?.includes('watch=true')) {
      response.end(list);
    } else if (watches++ === 0) {
      response.write(`${nonsense.join('\n')}\n${added.slice(0, 40)}`);
      setTimeout(() => response.destroy(), 200);
    } else {
      response.write('\n');
    }
  });
  const told = open(context, { kubeconfig });
  await until('the event', () => names(told.at(-1)).length === 3);
  await until('the list after it was cut', () => watches > 1 && names(told.at(-1)).length === 2);
  assert.ok(
    told.every(({ kind }) => kind === 'read'),
    'a watch that was cut is not worth telling of',
  );
});

test('no watch is left behind by a close while the list is on its way', async (context) => {
  let watches = 0;
  let answer = () => {};
  const kubeconfig = await serve(context, (request, response) => {
    if (request.url?.includes('watch=true')) watches++;
    else answer = () => response.end(list);
  });
  const source = new KubernetesSource({ kubeconfig, namespace: 'sluice' }, () => {});
  let told = 0;
  source.start(() => told++);
  const initial = answer;
  await until('the list', () => answer !== initial);
  source.close();
  answer();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual({ watches, told }, { watches: 0, told: 0 });
});

function read(objects: readonly PolicyObject[]) {
  const snapshot = snapshotOfPolicies(objects);
  assert.equal(snapshot.kind, 'read');
  return snapshot as Extract<Snapshot, { kind: 'read' }>;
}

function why(snapshot: Snapshot | undefined): string {
  return snapshot?.kind === 'unreachable' ? snapshot.why : `it was ${snapshot?.kind}`;
}

function names(snapshot: Snapshot | undefined): readonly string[] {
  return snapshot?.kind === 'read' ? snapshot.texts.map(({ name }) => name) : [];
}

function open(context: TestContext, options: KubernetesOptions): Snapshot[] {
  const told: Snapshot[] = [];
  const source = new KubernetesSource({ namespace: 'sluice', ...options }, () => {});
  source.start((snapshot) => told.push(snapshot));
  context.after(() => source.close());
  return told;
}

function scratch(context: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-kubernetes-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** An API server that answers as it likes; the path of a kubeconfig for it. */
async function serve(
  context: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const file = path.join(scratch(context), 'kubeconfig');
  const cluster = { server: url, 'insecure-skip-tls-verify': true };
  writeFileSync(
    file,
    JSON.stringify({
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  return file;
}
