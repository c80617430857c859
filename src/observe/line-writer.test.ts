import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const timeout = 20_000;
const writer = new URL('./line-writer.ts', import.meta.url).href;

/**
 * A process of its own whose stdout is the writer's; `body` is its program after the writer is made. Node gives a
 * child a socket for a pipe; with `through` a shell puts a real pipe in between.
 */
function writing(body: string): ChildProcess {
  const program = `
    import { createLineWriter } from ${JSON.stringify(writer)};
    const out = createLineWriter('stdout', (why) => console.error(why));
    const batch = (size) => Buffer.alloc(size, 'x');
    ${body}`;
  return spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

test('a reader that is slow gets every byte, in order', { timeout }, async () => {
  const child = writing(`
    for (let number = 0; number < 20; number++) out.write(Buffer.from(String(number % 10).repeat(100_000)));
    await out.close();`);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const [received] = await Promise.all([text(child.stdout!), once(child, 'exit')]);
  assert.equal(
    received,
    Array.from({ length: 20 }, (_, number) => String(number % 10).repeat(100_000)).join(''),
  );
});

test('a reader that is gone is told of once, and the process still ends', { timeout }, async () => {
  const child = writing(`
    for (let round = 0; round < 5; round++) {
      out.write(batch(100_000));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await out.close();`);
  child.stdout!.destroy();
  const [told, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
  assert.equal(code, 0);
  assert.equal(told.match(/EPIPE/g)?.length, 1);
});

test('a reader that takes nothing costs a bounded memory, and does not keep the process from ending', {
  timeout,
}, async () => {
  const child = writing(`
    for (let round = 0; round < 40; round++) out.write(batch(2 ** 20));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await out.close();
    process.exit(0);`);
  const [told, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
  assert.equal(code, 0);
  assert.equal(told.match(/some are lost/g)?.length, 1);
});
