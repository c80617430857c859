/** Guesses at a name, many and from elsewhere: its owner is verified each time. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hashSecret } from '../../src/policy/identity/hashes.ts';
import { until } from '../support/deadline.ts';
import { readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { PolicyProcess } from '../support/policy-process.ts';
import { RawPeer } from '../support/raw-peer.ts';

const policies = { alice: { action: 'allow', match: { principals: [{ users: ['alice'] }] } } };
const busy = /^sluice_policy_credentials_refused_total\{policy="",reason="busy"\} (\d+)$/m;

describe('a name that foes guess at', () => {
  let folder: string;
  let origin: Origin;
  let running: PolicyProcess;
  let guesses = 0;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-guesses-'));
    writeFileSync(join(folder, 'users'), `alice:${hashSecret('correct horse')}\n`);
    origin = await Origin.open();
    const config = { identity: { users: { file: join(folder, 'users') } } };
    running = await PolicyProcess.start([origin.port], { policies, config });
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  async function ask(client: RawPeer, password: string): Promise<number> {
    const credentials = Buffer.from(`alice:${password}`).toString('base64');
    await client.write(
      `GET /logs/_search HTTP/1.1\r\nHost: es\r\nAuthorization: Basic ${credentials}\r\n\r\n`,
    );
    return (await readWhole(client)).head.status;
  }

  /** Another salt: what was remembered of the name is worth nothing. */
  async function forget(): Promise<void> {
    const from = running.sluice.told.length;
    const file = join(folder, 'users');
    writeFileSync(`${file}.new`, `alice:${hashSecret('correct horse')}\n`);
    renameSync(`${file}.new`, file);
    await running.told('identity: read', from);
  }

  it('twelve at a time from elsewhere keeps its owner from nothing', async () => {
    const before = Number(busy.exec(await running.sluice.metrics())?.[1]);
    let wrong = 0;
    let going = true;
    const foes = Array.from({ length: 12 }, async () => {
      const client = await RawPeer.connect(running.sluice.port, '127.0.0.1', '127.0.0.2');
      while (going) {
        assert.equal(await ask(client, `guess ${guesses++}`), 401);
        wrong++;
      }
      client.destroy();
    });
    await until('the foes to have begun', () => wrong > 0);
    const owner: number[] = [];
    for (let nth = 0; nth < 5; nth++) {
      await forget();
      const client = await running.sluice.client();
      owner.push(await ask(client, 'correct horse'));
      client.destroy();
    }
    going = false;
    await Promise.all(foes);
    assert.deepEqual(owner, [200, 200, 200, 200, 200]);
    assert.equal(Number(busy.exec(await running.sluice.metrics())?.[1]) - before, 0, 'answered 503');
  });
});
