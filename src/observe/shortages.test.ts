import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sleep, until } from '../../test/support/deadline.ts';
import { Shortages } from './shortages.ts';

function watched(quiet: number) {
  const lines: { level: string; fields: Record<string, unknown>; text: string }[] = [];
  const log = {
    warn: (fields: object, text: string) => void lines.push({ level: 'warn', fields: { ...fields }, text }),
    info: (fields: object, text: string) => void lines.push({ level: 'info', fields: { ...fields }, text }),
  };
  return { lines, shortages: new Shortages(log as never, quiet) };
}

const emfile = { transport: 'engine', call: 'accept', errno: 'EMFILE' };

it('a thousand failures of one kind are one line, and their end is another that says how many', async () => {
  const { lines, shortages } = watched(50);
  for (let i = 0; i < 1000; i++) shortages.failed(i % 2 ? emfile : { ...emfile, call: 'connect' });
  assert.equal(lines.length, 1);
  assert.match(lines[0]!.text, /^out of file descriptors/);
  await until('its end', () => lines.length === 2);
  assert.deepEqual([lines[1]!.level, lines[1]!.fields.times], ['info', 1000]);
  assert.deepEqual(
    [...shortages.counts()].map(({ call, count }) => [call, count]),
    [
      ['connect', 500],
      ['accept', 500],
    ],
  );
});

it('kinds are told apart, and each tells of its own end', async () => {
  const { lines, shortages } = watched(50);
  for (const errno of ['EMFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'EPERM', 'ENOSPC', 'ENFILE', 'EACCES'])
    shortages.failed({ ...emfile, errno });
  assert.deepEqual(
    lines.map(({ fields }) => fields.short),
    ['descriptors', 'ports', 'memory', 'permission'],
  );
  await until('all ends', () => lines.length === 8);
});

it('a listener that stays full is told once, and its end only when it is no longer', async () => {
  const { lines, shortages } = watched(20);
  const listener = { host: '127.0.0.1', port: 9200, maxConnections: 2 };
  const freed = shortages.full(listener);
  await sleep(100);
  freed();
  // A client came in place of the one that left.
  const again = shortages.full(listener);
  await sleep(100);
  assert.equal(lines.length, 1);
  again();
  await until('its end', () => lines.length === 2);
  assert.equal(lines[1]!.fields.short, 'room');
});
