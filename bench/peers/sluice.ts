import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer.ts';

const root = join(import.meta.dirname, '../..');

export const sluice: Peer = {
  name: 'sluice',
  title: 'Sluice',
  setup: 'as shipped, writing its access log to a file',
  install() {
    if (!existsSync(join(root, 'engine/build/Release/sluice_engine.node')))
      throw new Error('the engine is not built (make engine)');
  },
  version: () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
  command: ({ port, upstream, admin }) => ({
    argv: [
      join(root, 'sluice'),
      'run',
      '--listen',
      `127.0.0.1:${port}`,
      '--upstream',
      `http://127.0.0.1:${upstream}`,
      '--admin',
      `127.0.0.1:${admin}`,
    ],
  }),
  async counters(admin) {
    const response = await fetch(`http://127.0.0.1:${admin}/metrics`, {
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    const sum = (pattern: RegExp): number =>
      [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
    return {
      spliced: sum(/^sluice_moved_bytes_total\{.*path="spliced".*\} (\S+)$/gm),
      copied: sum(/^sluice_moved_bytes_total\{.*path="copied".*\} (\S+)$/gm),
      systemCalls: sum(/^sluice_engine_system_calls_total\{.*\} (\S+)$/gm),
    };
  },
};
