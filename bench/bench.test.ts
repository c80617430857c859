import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { patience } from '../test/support/deadline.ts';
import { hold, load, type Origin, startOrigin } from './measure/generators.ts';
import { barChart, threeDigits } from './plot.ts';
import { median, medians, readResults } from './results.ts';
import { partOf, readmePart } from './table.ts';

const hasCompiler = spawnSync('g++', ['--version']).status === 0;

describe('the load and the origin', {
  skip: hasCompiler ? false : 'no C++ compiler',
  timeout: patience,
}, () => {
  let origin: Origin;

  before(async () => {
    const built = spawnSync('make', ['-s', '-C', join(import.meta.dirname, 'native')], { encoding: 'utf8' });
    assert.equal(built.status, 0, built.stderr);
    origin = await startOrigin();
  });
  after(() => origin.stop());

  for (const kind of ['up', 'up-chunked', 'down', 'down-chunked']) {
    // Around the sizes at which a chunk, a turn and the payload's file end.
    for (const bytes of [1, 65_535, 65_536, 65_537, 524_288, 16_777_216, 20_000_001]) {
      it(`count the same bytes of a body of ${bytes} moved ${kind}`, async () => {
        await origin.stats();
        const [group] = await load(origin.port, [`${kind}:conns=3,requests=6,bytes=${bytes}`], 20);
        const seen = await origin.stats();
        assert.equal(group?.requests, 6);
        assert.equal(group?.bytes, 6 * bytes);
        assert.equal(seen.requests, 6);
        assert.equal(seen.bytes, kind.startsWith('up') ? 6 * bytes : 0);
        assert.equal(seen.firstByte.count, kind.startsWith('up') ? 6 : 0);
      });
    }
  }

  it('count every small request, and its latency', async () => {
    const groups = await load(origin.port, ['get:conns=8,requests=500', 'post:conns=8,requests=500'], 20);
    for (const group of groups) {
      assert.equal(group.requests, 500);
      assert.ok(group.p50Us > 0 && group.p50Us <= group.p99Us && group.p99Us <= group.maxUs);
    }
  });

  it('keep to a rate, with bodies beside it', async () => {
    const [body, small] = await load(
      origin.port,
      ['down:conns=2,seconds=1,bytes=1000000', 'get:conns=8,rate=100,seconds=1'],
      20,
    );
    assert.ok((body?.requests ?? 0) > 0);
    assert.ok((small?.requests ?? 0) > 80 && (small?.requests ?? 0) <= 101, `${small?.requests}`);
  });

  for (const path of [
    '/truncated/1000000',
    '/truncated-chunked/1000000',
    '/truncated/1',
    '/status/503',
    '/nowhere',
  ]) {
    it(`an answer like ${path} is an error, never a measurement`, async () => {
      const kind = path.includes('chunked') ? 'down-chunked' : 'down';
      await assert.rejects(load(origin.port, [`${kind}:path=${path},bytes=1000000`], 10), /^Error: load: /);
    });
  }

  it('an answer of another size than asked for is an error', async () => {
    await assert.rejects(
      load(origin.port, ['down:path=/bytes/999999,bytes=1000000'], 10),
      /a response of 999999 bytes/,
    );
  });

  for (const kind of ['hold-up', 'hold-down', 'idle']) {
    it(`${kind} stays until it is told to go`, async () => {
      const holding = await hold(origin.port, `${kind}:conns=50,bytes=50000000`, 20);
      await holding.release();
    });
  }

  it('a server that ends under held connections is noticed', async () => {
    const own = await startOrigin();
    const holding = await hold(own.port, 'idle:conns=5', 20);
    await own.stop();
    await assert.rejects(holding.release(), /a held connection was closed/);
  });
});

describe('the results', () => {
  it('the README shows what bench/results holds', () => {
    const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
    assert.equal(partOf(readme), readmePart(readResults('reno'), readResults('default')));
  });

  it('a median is the middle of the rounds', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    const samples = [5, 1, 3].map((a, i) => ({ scenario: 's', peer: 'p', round: i + 1, figures: { a } }));
    assert.deepEqual(medians(samples), { s: { p: { a: 3 } } });
  });

  it('figures carry three digits', () => {
    assert.deepEqual([0, 0.1234, 1.234, 12.34, 123.4, 1234.5].map(threeDigits), [
      '0',
      '0.123',
      '1.23',
      '12.3',
      '123',
      '1,235',
    ]);
  });

  it('a chart cuts a bar that would dwarf the others, and still says its value', () => {
    const rows = [
      { label: 'a <b>', values: [1], highlight: true },
      { label: 'c', values: [100], highlight: false },
    ];
    const svg = barChart({ title: 't', subtitle: 's', series: ['x'], rows, cutAt: 5 });
    assert.match(svg, /a &lt;b&gt;/);
    assert.match(svg, />100<\/text>/);
    const widths = [...svg.matchAll(/<rect x="190" y="[\d.]+" width="([\d.]+)"/g)].map((match) =>
      Number(match[1]),
    );
    assert.equal(widths.length, 2);
    assert.ok(Math.abs((widths[1] ?? 0) - 5 * (widths[0] ?? 0)) < 1);
  });
});
