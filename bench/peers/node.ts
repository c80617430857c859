import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { output } from './install.ts';
import type { Peer } from './peer.ts';

const bench = join(import.meta.dirname, '..');

export const nodePipe: Peer = {
  name: 'node-pipe',
  title: 'Node http + pipe',
  setup: 'node:http, keep-alive agent, req.pipe(upstream) and back; on the same Node as Sluice; no log',
  install() {},
  version: () => process.version,
  command: ({ port, upstream }) => ({
    argv: [process.execPath, join(import.meta.dirname, 'node-pipe.mjs'), `${port}`, `${upstream}`],
  }),
};

export const httpProxy3: Peer = {
  name: 'http-proxy-3',
  title: 'http-proxy-3',
  setup: 'createProxyServer with a keep-alive agent; no log',
  brief: true,
  install() {
    if (!existsSync(join(bench, 'node_modules/http-proxy-3')))
      output('npm', 'ci', '--prefix', bench, '--no-audit', '--no-fund', '--loglevel=error');
  },
  version: () =>
    JSON.parse(readFileSync(join(bench, 'node_modules/http-proxy-3/package.json'), 'utf8')).version as string,
  command: ({ port, upstream }) => ({
    argv: [process.execPath, join(import.meta.dirname, 'http-proxy-3.mjs'), `${port}`, `${upstream}`],
  }),
};
