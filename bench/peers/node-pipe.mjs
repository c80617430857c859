// node-pipe.mjs PORT UPSTREAM: the proxy that everyone writes first in Node, done properly: keep-alive on both
// legs, errors passed on, no time limit on a body.
import http from 'node:http';
import { pipeline } from 'node:stream';

const [port, upstream] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1024 });
const hopByHop = ['connection', 'keep-alive', 'te', 'upgrade', 'proxy-connection'];

const server = http.createServer({ requestTimeout: 0, keepAliveTimeout: 300_000 }, (request, response) => {
  const headers = { ...request.headers };
  for (const name of hopByHop) delete headers[name];
  const { method, url: path } = request;
  const onward = http.request({ host: '127.0.0.1', port: upstream, agent, method, path, headers });
  onward.on('response', (answer) => {
    const answered = { ...answer.headers };
    for (const name of hopByHop) delete answered[name];
    response.writeHead(answer.statusCode, answered);
    pipeline(answer, response, () => {});
  });
  pipeline(request, onward, (error) => {
    if (error) response.destroy();
  });
});
server.listen({ port, host: '127.0.0.1', backlog: 4096 });
