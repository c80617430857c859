import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';

const timeout = 240_000;
const counts = { batches: 60, linesEach: 400, told: 3000 };
const hasScript = spawnSync('script', ['--version']).status === 0;
const kept = 'kept from before\n';

/** Both logs at once, as fast as they can, with batches as long as the access log's and longer than a pipe. */
const program = `
  import { createLineWriter } from ${JSON.stringify(new URL('./line-writer.ts', import.meta.url).href)};
  import { createLog } from ${JSON.stringify(new URL('./log.ts', import.meta.url).href)};
  import { setImmediate } from 'node:timers/promises';
  const log = createLog('info');
  const out = createLineWriter(process.env.DESTINATION, (why) => log.error({ why }, 'trouble'));
  const { batches, linesEach, told } = ${JSON.stringify(counts)};
  const line = (batch, index) => JSON.stringify({ access: batch * linesEach + index, pad: 'x'.repeat(index) }) + '\\n';
  let number = 0;
  for (let batch = 0; batch < batches; batch++) {
    out.write(Buffer.from(Array.from({ length: linesEach }, (_, index) => line(batch, index)).join('')));
    for (let each = 0; each < told / batches; each++) {
      log.info({ told: number++, pad: 'y'.repeat(number % 300) }, 'operator');
      if (each % 10 === 0) await setImmediate();
    }
  }
  await out.close();`;

interface Stage {
  readonly hazard: string;
  /** A shell command in which PROGRAM is the program, and \`$OUT\` the file that is looked at. */
  readonly line: string;
  readonly destination: 'stdout' | 'stderr' | 'file';
  /** It must not lose what was in the file. */
  readonly appends?: boolean;
}

const stages: readonly Stage[] = [
  { hazard: 'one file for both', line: 'PROGRAM > "$OUT" 2>&1', destination: 'stdout' },
  { hazard: 'one file for both, opened twice', line: 'PROGRAM > "$OUT" 2> "$OUT"', destination: 'stdout' },
  {
    hazard: 'one file that is appended to',
    line: 'PROGRAM >> "$OUT" 2>&1',
    destination: 'stdout',
    appends: true,
  },
  { hazard: 'stderr in a file, for both', line: 'PROGRAM 2> "$OUT"', destination: 'stderr' },
  {
    hazard: 'stderr appended to, for both',
    line: 'PROGRAM 2>> "$OUT"',
    destination: 'stderr',
    appends: true,
  },
  { hazard: 'the file that stderr is', line: 'PROGRAM 2> "$OUT"', destination: 'file' },
  { hazard: 'one pipe for both', line: 'PROGRAM 2>&1 | cat > "$OUT"', destination: 'stdout' },
  {
    hazard: 'one pipe for both, read slowly',
    line: 'PROGRAM 2>&1 | (sleep 1; cat) > "$OUT"',
    destination: 'stdout',
  },
  {
    hazard: 'stderr as a pipe, for both',
    line: 'PROGRAM 2>&1 > /dev/null | cat > "$OUT"',
    destination: 'stderr',
  },
  {
    hazard: 'a terminal',
    line: 'script --quiet --return --flush --command PROGRAM "$RAW" > /dev/null && tr -d "\\\\r" < "$RAW" | grep "^{" > "$OUT"',
    destination: 'stdout',
  },
];

describe('the access log and the operator’s log in one place lose and mix nothing', { timeout }, () => {
  for (const stage of stages) {
    const skip = stage.line.startsWith('script ') && !hasScript ? 'there is no script(1)' : false;
    it(`${stage.hazard}, destination ${stage.destination}`, { skip }, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'sluice-sink-'));
      try {
        const written = await run(stage, folder);
        expectWhole(stage.appends ? written.slice(kept.length) : written);
        if (stage.appends) assert.equal(written.slice(0, kept.length), kept);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  it('one socket for both', async () => {
    const [command, ...args] = ['bash', '-c', `exec ${node} 2>&1`];
    const env = { ...process.env, PROGRAM: program, DESTINATION: 'stdout' };
    const child = spawn(command!, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    expectWhole(await text(child.stdout!));
  });
});

const node = `"${process.execPath}" --input-type=module --eval "$PROGRAM"`;

async function run(stage: Stage, folder: string): Promise<string> {
  const out = join(folder, 'out');
  const starter = join(folder, 'start');
  writeFileSync(out, stage.appends ? kept : '');
  writeFileSync(starter, `#!/bin/sh\nexec ${node}\n`, { mode: 0o755 });
  const env = {
    ...process.env,
    OUT: out,
    RAW: join(folder, 'raw'),
    PROGRAM: program,
    DESTINATION: stage.destination === 'file' ? out : stage.destination,
  };
  const line = stage.line.replace('PROGRAM', starter);
  const child = spawn('bash', ['-o', 'pipefail', '-c', line], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  assert.deepEqual(await once(child, 'exit'), [0, null], stage.line);
  return readFileSync(out, 'utf8');
}

/** Every line parses, each of either log is there once, and in its order. */
function expectWhole(written: string): void {
  const lines = written
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { access?: number; told?: number });
  const numbers = (key: 'access' | 'told') => lines.flatMap((line) => line[key] ?? []);
  const upTo = (count: number) => Array.from({ length: count }, (_, number) => number);
  assert.deepEqual(numbers('told'), upTo(counts.told));
  assert.deepEqual(numbers('access'), upTo(counts.batches * counts.linesEach));
  assert.equal(lines.length, counts.told + counts.batches * counts.linesEach, 'and nothing else');
}
