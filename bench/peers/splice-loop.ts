import { join } from 'node:path';
import type { Peer } from './peer.ts';

export const spliceLoop: Peer = {
  name: 'splice-loop',
  title: 'bare splice loop',
  setup: 'accept, connect, splice both ways; 1 MiB pipes; reads no HTTP',
  descriptorsPerIdle: 2,
  install() {},
  version: () => 'native/splice-loop.cc',
  command: ({ port, upstream }) => ({
    argv: [
      join(import.meta.dirname, '../build/splice-loop'),
      '--listen',
      `${port}`,
      '--upstream',
      `${upstream}`,
    ],
  }),
};
