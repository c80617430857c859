/** Destinations of the access log that are slower than a flood, or take nothing at all. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, type ReadStream, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { sleep, within } from '../support/deadline.ts';
import { PolicyProcess } from '../support/policy-process.ts';
import type { RawPeer } from '../support/raw-peer.ts';

const refused = 'GET /secret/_search HTTP/1.1\r\nHost: es\r\n\r\n';
const count = 100_000;
const MIB = 2 ** 20;
const minute = 60_000;

/** A Sluice that denies all, whose access log goes to a pipe with a name, and the pipe's other end: nobody reads yet. */
class Logged implements AsyncDisposable {
  readonly running: PolicyProcess;
  readonly log: ReadStream;
  readonly #folder: string;

  private constructor(running: PolicyProcess, log: ReadStream, folder: string) {
    this.running = running;
    this.log = log;
    this.#folder = folder;
  }

  static async start(): Promise<Logged> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-pressure-'));
    const destination = join(folder, 'log');
    assert.equal(spawnSync('mkfifo', [destination]).status, 0);
    const log = createReadStream(destination);
    const policies = { nobody: { action: 'deny' } };
    const config = { accessLog: { destination } };
    return new Logged(await PolicyProcess.start([1], { policies, config }), log, folder);
  }

  async metric(name: string): Promise<number> {
    const line = (await this.running.sluice.metrics()).split('\n').find((each) => each.startsWith(name));
    return Number(line?.split(' ').at(-1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
    this.log.destroy();
    rmSync(this.#folder, { recursive: true });
  }
}

/** Sends all at once and reads all answers. */
async function flood(client: RawPeer): Promise<void> {
  const writing = client.write(refused.repeat(count));
  let [answers, rest] = [0, ''];
  while (answers < count) {
    const block = await within(`answer ${answers + 1}`, client.some(), minute);
    assert.ok(block, `the connection ended after ${answers} answers`);
    const parts = (rest + block.toString('latin1')).split('HTTP/1.1 403 ');
    answers += parts.length - 1;
    rest = (parts.at(-1) ?? '').slice(-12);
  }
  await writing;
}

describe('the access log', () => {
  it('loses no line of a flood to a slow reader: the flood waits for it', async () => {
    await using logged = await Logged.start();
    let [lines, bytes] = [0, 0];
    const reading = (async () => {
      for await (const block of logged.log as AsyncIterable<Buffer>) {
        bytes += block.length;
        for (let at = block.indexOf(10); at !== -1; at = block.indexOf(10, at + 1)) lines += 1;
        // Some 5 MiB a second; a flood makes three times as much.
        await sleep(12);
      }
    })();
    await flood(await logged.running.sluice.client());
    const lost = await logged.metric('sluice_access_log_lost_lines_total');
    logged.running.sluice.signal('SIGINT');
    await logged.running.sluice.exit(minute);
    await within('the end of the log', reading, minute);
    assert.equal(lines, count);
    assert.equal(lost, 0);
    assert.ok(bytes > 16 * MIB, `${bytes} bytes could have been held: the test proves nothing`);
  });

  it('that is stuck holds neither clients for ever nor memory, and says what it has lost', async () => {
    await using logged = await Logged.start();
    const { sluice } = logged.running;
    const before = sluice.residentMemory();
    await flood(await sluice.client());
    const lost = await logged.metric('sluice_access_log_lost_lines_total');
    assert.ok(lost > 0 && lost < count, `${lost} lines were lost`);
    assert.ok(
      sluice.told.some((line) => line.includes('some are lost')),
      sluice.told.join('\n'),
    );
    const grown = sluice.peakMemory() - before;
    assert.ok(grown < 96 * MIB, `memory grew by ${Math.round(grown / MIB)} MiB`);
    // What was held is written once somebody reads.
    let lines = 0;
    logged.log.on('data', (block) => {
      lines += block.toString('latin1').split('\n').length - 1;
    });
    const deadline = performance.now() + minute;
    while (lines + lost < count && performance.now() < deadline) await sleep(20);
    assert.equal(lines + lost, count);
  });
});
