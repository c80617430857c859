/** Signals do what docs/cli.md says, from the first line of the process on. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../support/child.ts';
import { patience, sleep, until } from '../support/deadline.ts';
import { readHead } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { ProxyRun } from '../support/proxy-run.ts';
import { RawPeer } from '../support/raw-peer.ts';

const { SIGHUP } = constants.signals;

async function start(upstream = 9): Promise<{ run: ProxyRun; port: number }> {
  const [port = 0, admin = 0] = await freePorts(2);
  const config = {
    listen: [{ address: `127.0.0.1:${port}` }],
    admin: { address: `127.0.0.1:${admin}` },
    upstream: { nodes: [`http://127.0.0.1:${upstream}`] },
    accessLog: { destination: 'access.log' },
  };
  return { run: new ProxyRun({ config }), port };
}

describe('signals', () => {
  it('that mean no end are ignored by the script, before there is a Node', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-script-'));
    try {
      const node = join(folder, `node_modules/node-linux-${process.arch}/bin/node`);
      mkdirSync(dirname(node), { recursive: true });
      writeFileSync(node, '#!/bin/sh\nkill -HUP $$; kill -USR1 $$; kill -USR2 $$; echo alive\n', {
        mode: 0o755,
      });
      copyFileSync(fileURLToPath(new URL('../../sluice', import.meta.url)), join(folder, 'sluice'));
      const { stdout, signal } = spawnSync(join(folder, 'sluice'), ['run'], {
        encoding: 'utf8',
        timeout: patience,
      });
      assert.deepEqual([stdout, signal], ['alive\n', null]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('that mean no end, sent all the time while it starts, do not end it, and open no inspector', async () => {
    const { run } = await start();
    await using _ = run;
    const begun = () => run.catches(SIGHUP) || run.hasReader();
    await until('its first line, or the child that reads its configuration', begun, patience);
    while (run.line('listening') === undefined && run.processes().length > 0) {
      for (const name of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGPIPE'] as const) run.signal(name);
      await sleep(1);
    }
    await run.says('listening');
    run.signal('SIGINT');
    assert.equal(await run.exit(), 0);
    assert.deepEqual(
      run.told.filter((line) => typeof line === 'string'),
      [],
      'Debugger listening, say',
    );
  });

  for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    it(`${name} while the configuration is read ends it with 0, and its child`, async () => {
      const { run } = await start();
      await using _ = run;
      await until('the first line', () => run.catches(SIGHUP), patience);
      run.signal(name);
      assert.equal(await run.exit(), 0);
      assert.equal(run.line('listening'), undefined);
      assert.deepEqual(run.processes(), []);
    });

    it(`${name} drains, and a second one ends it with 3 although a response is under way`, async () => {
      await using origin = await Origin.open(async (peer) => {
        await readHead(peer);
        await peer.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
      });
      const { run, port } = await start(origin.port);
      await using _ = run;
      await run.says('listening');
      const client = await RawPeer.connect(port);
      await client.write('GET / HTTP/1.1\r\nHost: es\r\n\r\n');
      await readHead(client);
      run.signal(name);
      assert.equal((await run.says('draining')).signal, name);
      run.signal(name);
      assert.equal(await run.exit(), 3);
      client.destroy();
    });
  }

  for (const name of ['SIGHUP', 'SIGUSR1'] as const) {
    it(`${name} opens the access log anew under its name`, async () => {
      const { run } = await start();
      await using _ = run;
      await run.says('listening');
      const file = join(run.folder, 'access.log');
      renameSync(file, `${file}.1`);
      run.signal(name);
      assert.equal((await run.says('opened anew')).signal, name);
      await until('the new file', () => existsSync(file), patience);
    });
  }

  it('SIGUSR2 is told and changes nothing', async () => {
    const { run } = await start();
    await using _ = run;
    await run.says('listening');
    run.signal('SIGUSR2');
    assert.equal((await run.says('a signal without meaning')).signal, 'SIGUSR2');
    run.signal('SIGINT');
    assert.equal(await run.exit(), 0);
  });
});
