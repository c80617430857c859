import { join } from 'node:path';
import { installDebs, output } from './install.ts';
import type { Peer } from './peer.ts';

const packages = ['nginx', 'libc6', 'libcrypt1', 'libpcre2-8-0', 'libssl3', 'zlib1g'];
const home = (cache: string) => join(cache, 'nginx-1.22');

const tuned = `
    keepalive_requests 100000000;
    client_body_buffer_size 1m;
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_buffer_size 64k;
    proxy_buffers 8 64k;
    proxy_busy_buffers_size 128k;
    proxy_http_version 1.1;
    proxy_set_header Connection "";`;

const upstreamTuned = `
    keepalive 256;
    keepalive_requests 100000000;`;

// The body limit, the number of connections and the timeout are no question of speed: without them it would
// refuse what is measured.
const config = (dir: string, port: number, upstream: number, isTuned: boolean): string => `
daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log error;
events {
  worker_connections 12000;
}
http {
  access_log off;
  client_max_body_size 0;
  keepalive_timeout 300s;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  upstream origin {
    server 127.0.0.1:${upstream};${isTuned ? upstreamTuned : ''}
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://origin;
    }${isTuned ? tuned : ''}
  }
}
`;

function nginx(isTuned: boolean): Peer {
  return {
    name: isTuned ? 'nginx' : 'nginx-default',
    title: isTuned ? 'nginx 1.22, tuned' : 'nginx 1.22, default',
    setup: isTuned
      ? 'no buffering, 1 MiB and 64 KiB buffers, upstream keep-alive, no log'
      : 'its defaults: bodies to temporary files, HTTP/1.0 without keep-alive upstream; no log',
    brief: !isTuned,
    spools: !isTuned,
    install: (cache) => installDebs(home(cache), 'bookworm', packages),
    version: (cache) =>
      /nginx\/(\S+)/.exec(output(join(home(cache), 'run'), 'usr/sbin/nginx', '-v'))?.[1] ?? '',
    command: ({ cache, dir, port, upstream }) => ({
      argv: [join(home(cache), 'run'), 'usr/sbin/nginx', '-p', dir, '-e', join(dir, 'error.log')].concat([
        '-c',
        join(dir, 'nginx.conf'),
      ]),
      files: { 'nginx.conf': config(dir, port, upstream, isTuned) },
    }),
  };
}

export const nginxTuned = nginx(true);
export const nginxDefault = nginx(false);
