import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { patience } from '../../test/support/deadline.ts';

const timeout = patience;
const writer = new URL('./line-writer.ts', import.meta.url).href;

const slow = `
  for (let number = 0; number < 20; number++) out.write(Buffer.from(String(number % 10).repeat(100_000)), 1);
  await out.close();`;
const slowExpected = Array.from({ length: 20 }, (_, number) => String(number % 10).repeat(100_000)).join('');

const gone = `
  for (let round = 0; round < 5; round++) {
    out.write(batch(100_000), 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await out.close();`;

const stuck = `
  for (let round = 0; round < 40; round++) out.write(batch(2 ** 20), 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const lost = out.lost;
  await out.close();
  console.error('closed, ' + (lost === 24 && out.lost === 40 && out.settled === 40 * 2 ** 20));`;

function program(body: string): string {
  return `
    import { createLineWriter } from ${JSON.stringify(writer)};
    const out = createLineWriter('stdout', (why) => console.error(why));
    const batch = (size) => Buffer.alloc(size, 'x');
    process.once('exit', () => console.error('ended'));
    ${body}`;
}

/** The program in a process of its own, its stdout a socket, which is what Node makes of 'pipe'. */
function toSocket(body: string): ChildProcess {
  const args = ['--input-type=module', '--eval', program(body)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The same with a real pipe to `reader`, a shell command; ends with the program's exit code. */
function toPipe(body: string, reader: string): ChildProcess {
  const line = `"$NODE" --input-type=module --eval "$PROGRAM" | (${reader}); exit \${PIPESTATUS[0]}`;
  const env = { ...process.env, NODE: process.execPath, PROGRAM: program(body) };
  return spawn('bash', ['-c', line], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function outcome(child: ChildProcess) {
  const [told, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
  return { told: told.trim().split('\n'), code };
}

test('a reader that is slow gets every byte, in order', { timeout }, async () => {
  const children = [toSocket(slow), toPipe(slow, 'sleep 0.5; cat')];
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const received of await Promise.all(children.map((child) => text(child.stdout!)))) {
    assert.equal(received, slowExpected);
  }
});

test('a reader that is gone is told of once, and the process still ends', { timeout }, async () => {
  const socket = toSocket(gone);
  socket.stdout!.destroy();
  for (const { told, code } of await Promise.all([socket, toPipe(gone, 'true')].map(outcome))) {
    assert.equal(code, 0);
    assert.match(told[0]!, /EPIPE/);
    assert.deepEqual(told.slice(1), ['ended']);
  }
});

test('a writer that waits in vain is stuck after a while, and no longer once it is read from', {
  timeout,
}, async () => {
  const waits = `
    out.write(batch(2 ** 20), 1);
    const seen = [out.stuck];
    await out.progress(100);
    await new Promise((resolve) => setTimeout(resolve, 5500));
    seen.push(out.stuck);
    console.error('read on');
    while (out.settled < 2 ** 20) await out.progress(1000);
    console.error(JSON.stringify([...seen, out.stuck, out.lost]));
    await out.close();`;
  const child = toSocket(waits);
  child.stderr!.once('data', () => child.stdout!.resume());
  const { told } = await outcome(child);
  assert.deepEqual(told.slice(1), ['[false,true,false,0]', 'ended']);
});

test('a reader that takes nothing costs bounded memory, and the process ends all the same', {
  timeout,
}, async () => {
  for (const { told, code } of await Promise.all([toSocket(stuck), toPipe(stuck, 'sleep 4')].map(outcome))) {
    assert.equal(code, 0);
    assert.match(told[0]!, /some are lost/);
    assert.deepEqual(told.slice(1), ['closed, true', 'ended']);
  }
});
