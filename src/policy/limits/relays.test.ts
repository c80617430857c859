/** Limits on real relays, over loopback: what the far end gets, when, and whether it is whole. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { body, bodyBlocks, digestOf } from '../../../test/support/body.ts';
import { chunked, chunks, readChunked } from '../../../test/support/chunked-body.ts';
import { patience, within } from '../../../test/support/deadline.ts';
import { type Path, Wires } from '../../../test/support/wires.ts';
import type { Framing } from '../../http1/framing.ts';
import type { RelayEnd, Transport } from '../../net/contract.ts';
import { createEngineTransport } from '../../net/engine.ts';
import { createStreamsTransport } from '../../net/streams.ts';
import { Bandwidth } from './bandwidth.ts';
import { type BodyBudget, bodyBudget } from './body-budget.ts';
import { Schedule } from './schedule.ts';

const unlimited = Number.POSITIVE_INFINITY;
const stallTimeout = 10_000;

/** As a conversation would: the relay runs under its budget, which hears of its end. */
async function move(path: Path, framing: Framing, budget: BodyBudget | undefined): Promise<RelayEnd> {
  const relay = path.source.relay(path.sink, {
    framing,
    stallTimeout,
    ...(budget && { budget: budget.budget, onBudget: budget.onBudget }),
  });
  const end = await within('the relay', relay.done);
  budget?.end(end.bytes);
  return end;
}

for (const kind of ['streams', 'engine'] as const) {
  const make = (): Transport | undefined =>
    kind === 'engine' ? createEngineTransport() : createStreamsTransport();
  const probe = make();
  probe?.close();
  if (!probe) {
    it(`limits on ${kind}`, { skip: 'the engine is not built here: run `make engine`' }, () => {});
    continue;
  }

  describe(`limits on ${kind}`, { timeout: patience }, () => {
    const wires = new Wires(() => {
      const transport = make()!;
      return { server: transport, client: transport };
    });
    before(() => wires.open());
    afterEach(() => wires.release());
    after(() => wires.close());

    it('eight bodies share a bandwidth evenly, arrive whole, and stay under it', async () => {
      const [rate, burst, size] = [6_000_000, 20_000, 700_000];
      const schedule = new Schedule();
      const began = performance.now();
      const bandwidth = new Bandwidth(schedule, { rate, burst });
      const ended = await Promise.all(
        Array.from({ length: 8 }, async (_, index) => {
          const path = await wires.path(index % 2 === 0 ? 'up' : 'down');
          const coded = index >= 4;
          const framing: Framing = coded ? { kind: 'chunked' } : { kind: 'length', length: size };
          const budget = bodyBudget(framing, size, bandwidth);
          const bytes = body(size, index);
          void path.sender.writeAll(coded ? chunks(bytes, 10_000) : [bytes]);
          const digest = coded ? readChunked(path.receiver) : path.receiver.digest(size);
          const end = await move(path, framing, budget);
          const at = performance.now() - began;
          const got = await digest;
          assert.equal(typeof got === 'string' ? got : got.digest, digestOf([bytes]));
          assert.equal(end.kind, 'complete');
          assert.equal(budget?.over, false);
          return { at, bytes: end.bytes };
        }),
      );
      const took = Math.max(...ended.map(({ at }) => at));
      const moved = ended.reduce((all, { bytes }) => all + bytes, 0);
      assert.equal(moved, 8 * size);
      assert.equal(bandwidth.granted - bandwidth.returned, moved);
      assert.ok(moved <= (rate * took) / 1000 + burst, 'never above the rate');
      const expected = ((moved - burst) / rate) * 1000;
      assert.ok(took >= expected, `${took} ms for ${expected} ms of bytes`);
      // Equal parts: all end nearly at once.
      const first = Math.min(...ended.map(({ at }) => at));
      assert.ok(first > took * 0.5, `the first ended after ${first} of ${took} ms`);
      assert.equal(bandwidth.waiting, 0);
      assert.ok(bandwidth.throttledMs > 0);
      schedule.close();
    });

    it('a chunked body of exactly the limit passes, one byte more is over and stopped there', async () => {
      const limit = 100_000;
      for (const bandwidth of [undefined, new Bandwidth(new Schedule(), { rate: 1e9, burst: 30_000 })]) {
        for (const size of [limit, limit + 1, 10 * limit]) {
          const path = await wires.path();
          const budget = bodyBudget({ kind: 'chunked' }, limit, bandwidth);
          void path.sender.write(chunked(body(size), 7000));
          const read = size === limit ? readChunked(path.receiver) : undefined;
          const end = await move(path, { kind: 'chunked' }, budget);
          assert.equal(budget?.over, size > limit);
          assert.equal(end.kind, size > limit ? 'stopped' : 'complete');
          assert.equal(end.bytes, limit, 'not a byte beyond it');
          if (read) assert.equal((await read).digest, digestOf(bodyBlocks(limit)));
        }
        assert.equal(bandwidth ? bandwidth.granted - bandwidth.returned : 3 * limit, 3 * limit);
      }
    });

    it('a body that is cut off while it waits for its turn leaves its bytes to the others', async () => {
      const bandwidth = new Bandwidth(new Schedule(), { rate: 200_000, burst: 50_000 });
      const [gone, kept] = [await wires.path(), await wires.path()];
      const framing = { kind: 'length', length: 100_000 } as const;
      void gone.sender.writeAll(bodyBlocks(100_000));
      void kept.sender.writeAll(bodyBlocks(100_000));
      const moving = [gone, kept].map((path) =>
        move(path, framing, bodyBudget(framing, unlimited, bandwidth)),
      );
      setTimeout(() => gone.source.close(), 30);
      const digest = kept.receiver.digest(100_000);
      const [cut, whole] = await Promise.all(moving);
      assert.equal(cut?.kind, 'stopped');
      assert.equal(whole?.kind, 'complete');
      assert.equal(await digest, digestOf(bodyBlocks(100_000)));
      assert.equal(bandwidth.granted - bandwidth.returned, (cut?.bytes ?? 0) + 100_000);
      assert.equal(bandwidth.waiting, 0);
    });
  });
}
