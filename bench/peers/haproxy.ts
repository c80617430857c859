import { join } from 'node:path';
import { installDebs, output } from './install.ts';
import type { Peer } from './peer.ts';

interface Release {
  readonly version: string;
  readonly suite: string;
  readonly packages: readonly string[];
}

const libraries = [
  'libc6',
  'libcap2',
  'libcrypt1',
  'libpcre2-8-0',
  'zlib1g',
  'libsystemd0',
  'libgcc-s1',
].concat(['libzstd1', 'libopentracing1', 'libstdc++6']);

const v26: Release = {
  version: '2.6',
  suite: 'bookworm',
  packages: [
    'haproxy',
    'libssl3',
    'liblua5.3-0',
    'libgcrypt20',
    'libgpg-error0',
    'liblz4-1',
    'liblzma5',
  ].concat(['libopentracing-c-wrapper0'], libraries),
};

const v30: Release = {
  version: '3.0',
  suite: 'trixie',
  packages: ['haproxy', 'libssl3t64', 'liblua5.4-0', 'libjemalloc2', 'libopentracing-c-wrapper0t64'].concat(
    libraries,
  ),
};

// Without strict-limits, since maxconn 10500 asks for more descriptors than some machines allow; none is missed.
const config = (port: number, upstream: number, pipeSize: string): string => `
global
  nbthread 1
  maxconn 10500
  no strict-limits
  ${pipeSize}

defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  option splice-request
  option splice-response
  http-reuse always

listen bench
  bind 127.0.0.1:${port}
  server origin 127.0.0.1:${upstream}
`;

function haproxy(release: Release, pipes: '1 MiB' | '64 KiB', brief: boolean): Peer {
  const large = pipes === '1 MiB';
  const home = (cache: string) => join(cache, `haproxy-${release.version}`);
  return {
    name: `haproxy-${release.version}${large ? '' : '-64k'}`,
    title: `HAProxy ${release.version}${large ? '' : ', 64 KiB pipes'}`,
    setup: `splice both ways, ${large ? 'tune.pipesize 1048576' : 'its default pipes of 64 KiB'}, nbthread 1, no log`,
    brief,
    install: (cache) => installDebs(home(cache), release.suite, release.packages),
    version: (cache) =>
      /version (\S+)/.exec(output(join(home(cache), 'run'), 'usr/sbin/haproxy', '-v'))?.[1] ?? '',
    command: ({ cache, dir, port, upstream }) => ({
      argv: [join(home(cache), 'run'), 'usr/sbin/haproxy', '-db', '-f', join(dir, 'haproxy.cfg')],
      files: { 'haproxy.cfg': config(port, upstream, large ? 'tune.pipesize 1048576' : '') },
    }),
  };
}

export const haproxy26 = haproxy(v26, '1 MiB', false);
export const haproxy26Default = haproxy(v26, '64 KiB', false);
export const haproxy30 = haproxy(v30, '1 MiB', false);
export const haproxy30Default = haproxy(v30, '64 KiB', true);
