// http-proxy-3.mjs PORT UPSTREAM: the maintained successor of http-proxy, with keep-alive upstream.
import http from 'node:http';
import { createProxyServer } from 'http-proxy-3';

const [port, upstream] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1024 });
const proxy = createProxyServer({ target: `http://127.0.0.1:${upstream}`, agent });
proxy.on('error', (_error, _request, response) => response.destroy());

const server = http.createServer({ requestTimeout: 0, keepAliveTimeout: 300_000 }, (request, response) =>
  proxy.web(request, response),
);
server.listen({ port, host: '127.0.0.1', backlog: 4096 });
