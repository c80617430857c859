import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bounds, gather } from '../../src/policy/sources/polling.ts';
import { S3Source } from '../../src/policy/sources/s3.ts';
import type { S3Options } from '../../src/policy/sources/s3-bucket.ts';
import { Listener, textsOf } from '../support/snapshots.ts';
import { type Incident, type Moto, startMoto, Uploader, Way } from './moto.ts';

const deadline = { timeout: 60_000 };
const interval = 50;
let moto: Moto;

before(async () => {
  // The machine's own configuration must not be found.
  const nowhere = { AWS_CONFIG_FILE: '/nonexistent', AWS_SHARED_CREDENTIALS_FILE: '/nonexistent' };
  Object.assign(process.env, nowhere, { AWS_EC2_METADATA_DISABLED: 'true' });
  setCredentials();
  moto = await startMoto();
});

after(async () => {
  await moto?.stop();
});

const credentialNames = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'];

function setCredentials(): void {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'reader', AWS_SECRET_ACCESS_KEY: 'secret' });
}

/** A bucket of its own, somebody who writes to it, the way there. */
async function stage(t: TestContext, bucket: string) {
  const uploader = new Uploader(moto.url, bucket);
  await uploader.create();
  const way = new Way(moto);
  const endpoint = await way.open();
  t.after(() => {
    way.close();
    uploader.close();
  });
  const listen = (objects: S3Options['objects'], more: Partial<S3Options> = {}) => {
    const source = new S3Source({
      bucket,
      objects,
      endpoint,
      region: 'us-east-1',
      pathStyle: true,
      interval,
      ...more,
    });
    t.after(() => source.close());
    return new Listener(source);
  };
  return { uploader, way, endpoint, listen };
}

const fetches = (way: Way) => way.requests.filter((line) => /\.(yaml|yml|json)$/.test(line));

test(
  'a prefix is its policy files in the order of their keys, and only what changes is fetched',
  deadline,
  async (t) => {
    const { uploader, way, listen } = await stage(t, 'prefix');
    for (const key of ['p/b.yaml', 'p/a.yml', 'p/below/c.json', 'p/notes.txt', 'p/.hidden.yaml', 'q/d.yaml'])
      await uploader.put(key, key);
    const listener = listen({ prefix: 'p/' });
    assert.deepEqual(Object.entries(textsOf(await listener.read())), [
      ['s3://prefix/p/a.yml', 'p/a.yml'],
      ['s3://prefix/p/b.yaml', 'p/b.yaml'],
      ['s3://prefix/p/below/c.json', 'p/below/c.json'],
    ]);
    await sleep(3 * interval);
    assert.equal(listener.heard.length, 1);
    way.requests.length = 0;
    await uploader.put('p/b.yaml', 'changed');
    assert.equal(textsOf(await listener.read(1))['s3://prefix/p/b.yaml'], 'changed');
    await uploader.remove('p/a.yml');
    assert.equal(Object.keys(textsOf(await listener.read(2))).length, 2);
    assert.deepEqual(fetches(way), ['GET /prefix/p/b.yaml']);
  },
);

test('one key is one object, found when it appears, lost when it goes', deadline, async (t) => {
  const { uploader, listen } = await stage(t, 'key');
  const listener = listen({ key: 'policies' });
  assert.match(await listener.why(), /there is no such object; upload it/);
  await uploader.put('policies', 'one');
  assert.deepEqual(textsOf(await listener.read(1)), { 's3://key/policies': 'one' });
  await uploader.put('policies', 'two');
  assert.deepEqual(textsOf(await listener.read(2)), { 's3://key/policies': 'two' });
  await uploader.remove('policies');
  assert.match(await listener.why(3), /there is no such object/);
  await uploader.put('policies', 'two');
  assert.deepEqual(textsOf(await listener.read(4)), { 's3://key/policies': 'two' });
});

test('an empty prefix is a set of nothing', deadline, async (t) => {
  const { listen } = await stage(t, 'empty');
  assert.deepEqual(textsOf(await listen({ prefix: 'p/' }).read()), {});
});

test('a listing of several pages is read to its end', deadline, async (t) => {
  const { uploader, way, listen } = await stage(t, 'pages');
  const keys = Array.from({ length: 1100 }, (_, at) => `p/${`${at}`.padStart(4, '0')}.yaml`);
  await gather(keys, 16, (key) => uploader.put(key, key));
  const texts = textsOf(await listen({ prefix: 'p/' }, { interval: 60_000 }).read());
  assert.deepEqual(Object.values(texts), keys);
  assert.equal(way.requests.filter((line) => line === 'GET /pages' || line === 'GET /pages/').length, 4);
});

test(
  'an object that changes between the listing and its reading is read with the others of its time',
  deadline,
  async (t) => {
    const { uploader, way, listen } = await stage(t, 'between');
    await uploader.put('a.yaml', '1');
    await uploader.put('b.yaml', '1');
    let changed = false;
    way.incident = async ({ url = '' }): Promise<Incident> => {
      if (!changed && url.includes('a.yaml')) {
        changed = true;
        await uploader.put('a.yaml', '2');
        await uploader.put('b.yaml', '2');
      }
      return 'pass';
    };
    const listener = listen({ prefix: '' });
    assert.deepEqual(Object.values(textsOf(await listener.read())), ['2', '2']);
    assert.ok(changed);
  },
);

test(
  'under a writer that never rests, a snapshot is what the bucket held at one moment',
  deadline,
  async (t) => {
    const { uploader, listen } = await stage(t, 'restless');
    // The writer changes a, then b: at every moment a is b's version, or the one after it.
    await uploader.put('a.yaml', '0');
    await uploader.put('b.yaml', '0');
    const listener = listen({ prefix: '' }, { interval: 10 });
    await listener.read();
    let version = 0;
    const begun = performance.now();
    while (performance.now() - begun < 4000) {
      version++;
      await uploader.put('a.yaml', `${version}`);
      await sleep(version % 30);
      await uploader.put('b.yaml', `${version}`);
      await sleep(version % 70);
    }
    await listener.until(
      (s) => s.kind === 'read' && Object.values(textsOf(s)).every((text) => text === `${version}`),
    );
    for (const snapshot of listener.heard) {
      if (snapshot.kind === 'unreachable') assert.match(snapshot.why, /keeps changing/);
      else {
        const [a, b] = Object.values(textsOf(snapshot)).map(Number) as [number, number];
        assert.ok(a === b || a === b + 1, `a is ${a}, b is ${b}`);
      }
    }
    t.diagnostic(`${version} versions, ${listener.heard.length} seen`);
  },
);

test(
  'an object cut short or stalled is never part of a snapshot, and what is whole again is read',
  deadline,
  async (t) => {
    const { uploader, way, listen } = await stage(t, 'cut');
    await uploader.put('a.yaml', 'a whole policy');
    for (const incident of ['cut', 'stall'] as const) {
      way.incident = ({ url = '' }) => (url.includes('a.yaml') ? incident : 'pass');
      const listener = listen({ prefix: '' }, { timeout: 400 });
      assert.match(await listener.why(), /check the endpoint/);
      way.incident = () => 'pass';
      assert.deepEqual(textsOf(await listener.read(1)), { 's3://cut/a.yaml': 'a whole policy' });
    }
  },
);

test('what is too large, too many or not UTF-8 is refused before or as it is read', deadline, async (t) => {
  const { uploader, way, listen } = await stage(t, 'bounds');
  await uploader.put('large/a.yaml', Buffer.alloc(bounds.fileBytes + 1, 97));
  assert.match(await listen({ prefix: 'large/' }).why(), /a\.yaml is larger than 1 MiB; split/);
  await gather([...Array(17).keys()], 4, (at) =>
    uploader.put(`sum/${at}.yaml`, Buffer.alloc(bounds.fileBytes, 97)),
  );
  assert.match(await listen({ prefix: 'sum/' }).why(), /larger than 16 MiB together/);
  assert.deepEqual(fetches(way), []);
  await uploader.put('utf8/a.yaml', Buffer.from([0xff]));
  assert.match(await listen({ prefix: 'utf8/' }).why(), /utf8\/a\.yaml is not UTF-8/);
});

test('a bucket that is not there is told with the fix', deadline, async (t) => {
  const { listen } = await stage(t, 'other');
  assert.match(
    await listen({ prefix: '' }, { bucket: 'missing' }).why(),
    /there is no bucket missing; create it/,
  );
});

test('a server that is gone is told, and found again', deadline, async (t) => {
  const { uploader, way, listen } = await stage(t, 'gone');
  await uploader.put('a.yaml', 'a');
  const listener = listen({ prefix: '' });
  await listener.read();
  way.incident = () => 'refuse';
  assert.match(await listener.why(1), /check the endpoint/);
  way.incident = () => 'pass';
  assert.deepEqual(textsOf(await listener.read(2)), { 's3://gone/a.yaml': 'a' });
  assert.match(await listen({ prefix: '' }, { endpoint: 'http://127.0.0.1:9' }).why(), /ECONNREFUSED.*check/);
});

test('no credentials, no region, no right: each is told with the fix', deadline, async (t) => {
  const { endpoint, listen } = await stage(t, 'rights');
  await t.test('no region', deadline, async (one) => {
    const source = new S3Source({ bucket: 'rights', objects: { prefix: '' }, endpoint, interval });
    one.after(() => source.close());
    assert.match(await new Listener(source).why(), /there is no region; set region, or AWS_REGION/);
  });
  await t.test('no credentials', deadline, async () => {
    for (const name of credentialNames) delete process.env[name];
    try {
      assert.match(await listen({ prefix: '' }).why(), /there are no AWS credentials; give the pod a role/);
    } finally {
      setCredentials();
    }
  });
  await t.test('no right', deadline, async () => {
    const guard = async (after: string) => {
      assert.ok((await fetch(`${moto.url}/moto-api/reset-auth`, { method: 'POST', body: after })).ok);
    };
    await guard('0');
    try {
      assert.match(
        await listen({ prefix: 'p/' }).why(),
        /access is denied.*s3:ListBucket on rights and s3:GetObject on rights\/p\/\*/,
      );
    } finally {
      await guard('inf');
    }
  });
});

test('the credentials of a role come by its web identity, as a pod of EKS has it', deadline, async (t) => {
  const { uploader, way, endpoint, listen } = await stage(t, 'identity');
  await uploader.put('a.yaml', 'a');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-identity-'));
  const token = join(folder, 'token');
  writeFileSync(token, 'a.b.c');
  for (const name of credentialNames) delete process.env[name];
  Object.assign(process.env, {
    AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/sluice',
    AWS_WEB_IDENTITY_TOKEN_FILE: token,
    AWS_ENDPOINT_URL_STS: endpoint,
    AWS_REGION: 'us-east-1',
  });
  try {
    assert.deepEqual(textsOf(await listen({ prefix: '' }).read()), { 's3://identity/a.yaml': 'a' });
    assert.ok(way.requests.includes('POST /'), 'the role was asked for');
  } finally {
    for (const name of ['AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_ENDPOINT_URL_STS', 'AWS_REGION'])
      delete process.env[name];
    setCredentials();
    rmSync(folder, { recursive: true });
  }
});
