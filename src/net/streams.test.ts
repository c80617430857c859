import { transportSuite } from '../../test/cases/transport.ts';
import { createStreamsTransport } from './streams.ts';

transportSuite('streams', () => {
  const transport = createStreamsTransport();
  return { server: transport, client: transport };
});
