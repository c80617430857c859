/** Budgets, on which rate limits and pauses are built. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Framing } from '../../../src/http1/framing.ts';
import type { Relay } from '../../../src/net/contract.ts';
import { body, bodyBlocks, digestOf } from '../../support/body.ts';
import { chunked, chunks, readChunked } from '../../support/chunked-body.ts';
import { sleep, until, within } from '../../support/deadline.ts';
import type { Wires } from '../../support/wires.ts';
import { assertComplete } from './relays.ts';

const stallTimeout = 10_000;

export function budgetCases(wires: Wires): void {
  it('not one byte moves beyond the budget, and it goes on when granted more', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const size = 1_000_000;
    let asked = 0;
    const onBudget = () => {
      asked += 1;
    };
    const relay = source.relay(sink, {
      framing: { kind: 'length', length: size },
      stallTimeout,
      budget: 100_001,
      onBudget,
    });
    void sender.writeAll(bodyBlocks(size));
    let arrived = 0;
    const reading = (async () => {
      for (let block = await receiver.some(); block; block = await receiver.some()) arrived += block.length;
    })();
    for (let granted = 100_001, turn = 1; granted < size; granted += 300_007, turn++) {
      await until('the budget used up', () => asked === turn && arrived >= granted);
      await sleep(30);
      assert.equal(relay.moved, granted);
      assert.equal(arrived, granted);
      relay.grant(300_007);
    }
    assertComplete(await within('the relay', relay.done), size);
    assert.equal(asked, 3);
    sink.close();
    await within('the reader', reading);
    assert.equal(arrived, size);
  });

  it('a grant for each time it is used up moves a chunked body whole', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const bytes = body(500_000);
    let granted = 5000;
    const onBudget = (relay: Relay) => {
      assert.equal(relay.moved, granted);
      granted += 5000;
      relay.grant(5000);
    };
    const relay = source.relay(sink, { framing: { kind: 'chunked' }, stallTimeout, budget: 5000, onBudget });
    void sender.writeAll(chunks(bytes, 3333));
    assert.equal((await readChunked(receiver)).digest, digestOf([bytes]));
    assertComplete(await within('the relay', relay.done), bytes.length);
  });

  it('grants of one byte move a body byte by byte, whatever its framing', async () => {
    const bytes = body(300);
    for (const coded of [bytes, chunked(bytes, 70)]) {
      const { sender, source, sink, receiver } = await wires.path();
      const framing: Framing = coded === bytes ? { kind: 'length', length: 300 } : { kind: 'chunked' };
      let granted = 1;
      const onBudget = (relay: Relay) => {
        assert.equal(relay.moved, granted);
        granted += 1;
        relay.grant(1);
      };
      const relay = source.relay(sink, { framing, output: 'decoded', stallTimeout, budget: 1, onBudget });
      void sender.write(coded);
      assert.equal(await receiver.digest(300), digestOf([bytes]));
      assertComplete(await within('the relay', relay.done), 300);
    }
  });

  it('a budget of nothing moves nothing until there is a grant', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    await sender.write('hello');
    let asked: Relay | undefined;
    const relay = source.relay(sink, {
      framing: { kind: 'length', length: 5 },
      stallTimeout,
      budget: 0,
      onBudget: (exhausted) => {
        asked = exhausted;
      },
    });
    await until('it asks', () => asked === relay);
    await sleep(50);
    assert.equal(relay.moved, 0);
    relay.grant(5);
    assert.equal((await receiver.exactly(5)).toString(), 'hello');
    assertComplete(await within('the relay', relay.done), 5);
  });

  it('a body that fits its budget exactly never asks for more', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const onBudget = () => assert.fail('nothing more is to come');
    const relay = source.relay(sink, {
      framing: { kind: 'length', length: 5 },
      stallTimeout,
      budget: 5,
      onBudget,
    });
    await sender.write('hello');
    assert.equal((await receiver.exactly(5)).toString(), 'hello');
    assertComplete(await within('the relay', relay.done), 5);
  });

  it('time spent without a budget is no stall', async () => {
    const { sender, source, sink, receiver } = await wires.path();
    const relay = source.relay(sink, {
      framing: { kind: 'length', length: 10 },
      stallTimeout: 200,
      budget: 5,
    });
    await sender.write('hellothere');
    assert.equal((await receiver.exactly(5)).toString(), 'hello');
    await sleep(600);
    relay.grant(5);
    assert.equal((await receiver.exactly(5)).toString(), 'there');
    assertComplete(await within('the relay', relay.done), 10);
  });

  it('stop ends a relay as it is, whether it moves, waits or has no budget', async () => {
    for (const budget of [Number.POSITIVE_INFINITY, 5, 0]) {
      const { sender, source, sink } = await wires.path();
      const relay = source.relay(sink, { framing: { kind: 'length', length: 1000 }, stallTimeout, budget });
      await sender.write('hello, you there');
      await until('what may move', () => relay.moved === Math.min(16, budget));
      relay.stop();
      const end = await within('the relay', relay.done);
      assert.equal(end.kind, 'stopped');
      assert.equal(end.bytes, Math.min(16, budget));
      relay.stop();
      relay.grant(1000);
    }
  });
}
