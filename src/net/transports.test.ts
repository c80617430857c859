/** Relays between two kinds of connection: a client on one transport, the server on the other. */
import { it } from 'node:test';
import { transportSuite } from '../../test/cases/transport.ts';
import { createEngineTransport } from './engine.ts';
import { createStreamsTransport } from './streams.ts';

const built = createEngineTransport();
built?.close();

if (!built) {
  it('relays between engine and streams', {
    skip: 'the engine is not built here: run `make engine`',
  }, () => {});
} else {
  transportSuite('engine to streams', () => ({
    server: createEngineTransport()!,
    client: createStreamsTransport(),
  }));
  transportSuite('streams to engine', () => ({
    server: createStreamsTransport(),
    client: createEngineTransport()!,
  }));
}
