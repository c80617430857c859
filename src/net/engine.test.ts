import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { transportSuite } from '../../test/cases/transport.ts';
import { bodyBlocks, digestOf } from '../../test/support/body.ts';
import { chunks, readChunked } from '../../test/support/chunked-body.ts';
import { within } from '../../test/support/deadline.ts';
import { withWires } from '../../test/support/wires.ts';
import { createEngineTransport } from './engine.ts';

const MIB = 1024 * 1024;
const built = createEngineTransport();
built?.close();

if (!built) {
  it('the engine', { skip: 'the engine is not built here: run `make engine`' }, () => {});
} else {
  transportSuite('engine', () => {
    const transport = createEngineTransport()!;
    return { server: transport, client: transport };
  });

  describe('engine: the fast path', () => {
    const engine = () => {
      const transport = createEngineTransport()!;
      return { server: transport, client: transport };
    };

    it('at least 99 % of a 100 MB body is spliced, and the counters say the same', () =>
      withWires(engine, async (wires) => {
        const size = 100_000_000;
        const { sender, source, sink, receiver } = await wires.path();
        const relay = source.relay(sink, { framing: { kind: 'length', length: size }, stallTimeout: 10_000 });
        void sender.writeAll(bodyBlocks(size));
        assert.equal(await receiver.digest(size), digestOf(bodyBlocks(size)));
        const end = await within('the relay', relay.done);
        assert.equal(end.kind, 'complete');
        assert.ok(end.spliced >= 0.99 * size, `only ${end.spliced} of ${size} bytes were spliced`);
        assert.equal(wires.server.counters().bytesSpliced, end.spliced);
        assert.ok(wires.server.counters().systemCalls > 0);
      }));

    it('the data of large chunks is spliced', () =>
      withWires(engine, async (wires) => {
        const size = 32 * MIB;
        const { sender, source, sink, receiver } = await wires.path('down');
        const relay = source.relay(sink, { framing: { kind: 'chunked' }, stallTimeout: 10_000 });
        const bytes = Buffer.concat([...bodyBlocks(size)]);
        void sender.writeAll(chunks(bytes, 4 * MIB));
        assert.equal((await readChunked(receiver)).digest, digestOf([bytes]));
        const end = await within('the relay', relay.done);
        assert.equal(end.bytes, size);
        assert.ok(end.spliced >= 0.9 * size, `only ${end.spliced} of ${size} bytes were spliced`);
      }));

    it('a connection knows its round trip and its retransmits', () =>
      withWires(engine, async (wires) => {
        const { connection, peer } = await wires.accepted();
        connection.send('hello');
        await peer.exactly(5);
        const info = connection.tcpInfo();
        assert.ok(info && info.rtt > 0 && info.retransmits >= 0, JSON.stringify(info));
      }));

    it('two engines in one process share nothing', () =>
      withWires(engine, (first) =>
        withWires(engine, async (second) => {
          await first.accepted();
          assert.equal(first.server.counters().accepted, 1);
          assert.equal(second.server.counters().accepted, 0);
        }),
      ));
  });
}
