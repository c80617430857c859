import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { patience } from '../../test/support/deadline.ts';
import { sample } from './demo-readings.ts';
import { bulk, hits, loadCities } from './demo-rows.ts';
import { createProgress } from './progress.ts';

const cities = loadCities();

test('a bulk has exactly the bytes asked for, in whole pairs of action and row', () => {
  for (const total of [20_000, 300_000, 1_000_003]) {
    const pieces = [...bulk(cities, total)];
    const body = Buffer.concat(pieces);
    assert.equal(body.length, total);
    const lines = body.toString().split('\n');
    assert.equal(lines.pop(), '');
    assert.equal(lines.length % 2, 0);
    for (const [index, line] of lines.entries()) {
      const row = JSON.parse(line);
      assert.equal(typeof (index % 2 === 0 ? row.index._id : row.name), 'string');
    }
  }
});

test('a search response has exactly the bytes asked for, and is JSON', () => {
  const pieces = [...hits(cities, 700_001)];
  const body = Buffer.concat(pieces);
  assert.equal(body.length, 700_001);
  assert.ok(JSON.parse(body.toString()).hits.hits.length > 1000);
  assert.ok(pieces.every((piece) => piece.length < 300_000));
});

test('rows repeat with ids of their own when the cities are used up', () => {
  const few = cities.slice(0, 10);
  const ids = [
    ...Buffer.concat([...bulk(few, 50_000)])
      .toString()
      .matchAll(/"_id":"([^"]+)"/g),
  ].map(([, id]) => id);
  assert.ok(ids.length > 20);
  assert.equal(new Set(ids).size, ids.length);
});

test('progress is a line a quarter without a terminal, and a bar on one', () => {
  const written: string[] = [];
  const plain = createProgress({ write: (text) => written.push(text) }, 'up', 100);
  for (let bytes = 1; bytes <= 100; bytes++) plain.moved(bytes);
  plain.end();
  assert.deepEqual(
    written.map((text) => text.slice(0, 13)),
    ['  up     25 %', '  up     50 %', '  up     75 %', '  up    100 %'],
  );
  written.length = 0;
  const bar = createProgress({ isTTY: true, write: (text) => written.push(text) }, 'up', 100);
  bar.moved(100);
  bar.end();
  assert.match(written.join(''), /^\r {2}up {4}\[={30}\].*\n$/);
});

test('a metric is summed over the series that carry a label', () => {
  const text = '# HELP a\na{x="1",y="2"} 3\na{x="2",y="2"} 4.5\nab{y="2"} 9\nb 7\n';
  assert.equal(sample(text, 'a', 'y="2"'), 7.5);
  assert.equal(sample(text, 'a', 'x="1"'), 3);
  assert.equal(sample(text, 'b'), 7);
  assert.equal(sample(text, 'c'), 0);
});

test('the demo ends with 0, both digests equal, and tells what it cost', { timeout: patience }, async () => {
  const main = fileURLToPath(new URL('../start.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [main, 'demo'], { timeout: patience });
  assert.equal(stdout.match(/sha256 equal at both ends/g)?.length, 2);
  assert.match(stdout, /actions acknowledged/);
  assert.match(stdout, /access log +\{"time":.*"path":"\/_bulk".*"end":"complete"\}/);
});
