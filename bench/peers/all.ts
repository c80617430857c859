/** Everyone who is measured, in the order of tables and plots. */
import { envoy } from './envoy.ts';
import { haproxy26, haproxy26Default, haproxy30, haproxy30Default } from './haproxy.ts';
import { nginxDefault, nginxTuned } from './nginx.ts';
import { httpProxy3, nodePipe } from './node.ts';
import type { Peer } from './peer.ts';
import { sluice, sluice1000, sluiceUnjudged } from './sluice.ts';
import { spliceLoop } from './splice-loop.ts';

export const allPeers: readonly Peer[] = [
  sluice,
  sluiceUnjudged,
  sluice1000,
  spliceLoop,
  haproxy26,
  haproxy30,
  haproxy26Default,
  haproxy30Default,
  nginxTuned,
  nginxDefault,
  envoy,
  nodePipe,
  httpProxy3,
];
