/** A proxy that can't start says why, ends with a code, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { freePorts } from '../support/child.ts';
import { policyText } from '../support/policy-text.ts';
import { ProxyRun } from '../support/proxy-run.ts';

const transports = ['engine', 'streams'] as const;
const policies = { 'policies.yaml': policyText({ all: { action: 'allow' } }) };

/** Has clusters, policies and a file for its access log, so that there is something to undo. */
function configOf(ports: readonly number[], more: object = {}) {
  const [listen = 0, admin = 0] = ports;
  return {
    listen: [{ address: `127.0.0.1:${listen}` }],
    admin: { address: `127.0.0.1:${admin}` },
    upstream: { nodes: ['http://127.0.0.1:9'] },
    accessLog: { destination: 'access.log' },
    policies: { sources: [{ path: 'policies.yaml' }] },
    ...more,
  };
}

/** Ends with `code`, having said `why` on one line, and nothing of it lives on. */
async function expectEnd(run: ProxyRun, code: number, why: RegExp): Promise<void> {
  assert.equal(await run.exit(), code, JSON.stringify(run.told));
  assert.match(String(run.line("can't start: ")?.msg), why);
  assert.equal(run.told.filter((line) => typeof line === 'string').length, 0, 'no stack, no usage');
  assert.equal(run.line('something was left open'), undefined);
  assert.deepEqual(run.processes(), [], 'no reader is left');
}

/** A port that somebody else listens on. */
class Taken {
  readonly #server = createServer();

  static async open(): Promise<Taken> {
    const taken = new Taken();
    await once(taken.#server.listen(0, '127.0.0.1'), 'listening');
    return taken;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  [Symbol.dispose](): void {
    this.#server.close();
  }
}

for (const transport of transports) {
  describe(`a start that fails (${transport})`, () => {
    it('a port that is taken', async () => {
      using somebody = await Taken.open();
      const { port } = somebody;
      const [, admin = 0] = await freePorts(2);
      await using run = new ProxyRun({ config: configOf([port, admin], { transport }), files: policies });
      await expectEnd(
        run,
        5,
        new RegExp(`listen\\[0\\]: can't listen on 127.0.0.1:${port}: the port is taken`),
      );
    });

    it('the second port of several is taken: the first is given up', async () => {
      using somebody = await Taken.open();
      const { port } = somebody;
      const [first = 0, admin = 0] = await freePorts(2);
      const listen = [{ address: `127.0.0.1:${first}` }, { address: `127.0.0.1:${port}` }];
      const config = configOf([first, admin], { transport, listen });
      await using run = new ProxyRun({ config, files: policies });
      await expectEnd(
        run,
        5,
        new RegExp(`listen\\[1\\]: can't listen on 127.0.0.1:${port}: the port is taken`),
      );
    });

    it('an address that the machine does not have', async () => {
      const [port = 0, admin = 0] = await freePorts(2);
      // TEST-NET-1 of RFC 5737.
      const listen = [{ address: `192.0.2.1:${port}` }];
      const config = configOf([port, admin], { transport, listen });
      await using run = new ProxyRun({ config, files: policies });
      await expectEnd(
        run,
        5,
        /listen\[0\]: can't listen on 192\.0\.2\.1:\d+: the machine has no such address/,
      );
    });
  });
}

describe('a start that fails', () => {
  it('the admin port is taken', async () => {
    using somebody = await Taken.open();
    const { port } = somebody;
    const [listen = 0] = await freePorts(1);
    await using run = new ProxyRun({ config: configOf([listen, port]), files: policies });
    await expectEnd(run, 5, new RegExp(`admin: can't listen on 127.0.0.1:${port}: the port is taken`));
  });

  it('the access log can not be opened', async () => {
    const ports = await freePorts(2);
    const config = configOf(ports, { accessLog: { destination: 'nowhere/access.log' } });
    await using run = new ProxyRun({ config, files: policies });
    await expectEnd(run, 5, /accessLog\.destination: can't write to .*nowhere\/access\.log: ENOENT/);
  });

  it('a file of users is not there: a file is at fault', async () => {
    const config = configOf(await freePorts(2), { identity: { users: { file: 'nobody' } } });
    await using run = new ProxyRun({ config, files: policies });
    await expectEnd(run, 4, /nobody/);
  });

  it('SIGTERM while the first policies are awaited ends it at once, and it never listens', async () => {
    const config = configOf(await freePorts(2));
    await using run = new ProxyRun({ config });
    mkdirSync(join(run.folder, 'elsewhere'));
    await run.says('the source can not be read');
    run.signal('SIGTERM');
    assert.equal(await run.exit(), 0);
    assert.equal(run.line('stopped before it listened')?.signal, 'SIGTERM');
    assert.equal(run.line('listening'), undefined);
    assert.equal(run.line('something was left open'), undefined);
    assert.deepEqual(run.processes(), []);
  });
});

it('one line says what has started, and with what', async () => {
  const [listen, admin] = await freePorts(2);
  const config = configOf([listen!, admin!], {
    clusters: { hot: { nodes: ['http://127.0.0.1:8', 'http://127.0.0.1:9'] } },
  });
  await using run = new ProxyRun({ config: { ...config, log: { level: 'debug' } }, files: policies });
  const line = await run.says('listening');
  assert.partialDeepStrictEqual(line, {
    node: process.version,
    pid: run.pid,
    config: 'sluice.yaml',
    listen: [`127.0.0.1:${listen}`],
    admin: `127.0.0.1:${admin}`,
    clusters: { default: 1, hot: 2 },
    policies: [join(run.folder, 'policies.yaml')],
  });
  assert.match(String(line.version), /^\d+\.\d+\.\d+/);
  assert.equal(run.line('starting')?.level, 'debug', 'log.level: debug is heard');
  run.signal('SIGINT');
  assert.equal(await run.exit(), 0);
  assert.equal(run.line('something was left open'), undefined);
  assert.ok(existsSync(join(run.folder, 'access.log')));
});
