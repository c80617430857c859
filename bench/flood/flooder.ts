/**
 * A client that means harm, in a process of its own: `flooder.ts PORT CONNECTIONS KIND`. Each connection sends as fast
 * as it is read from, until the process is ended. What ends a connection is answered with a new one.
 */
import { connect } from 'node:net';
import os from 'node:os';

export type FloodKind = 'reads' | 'does-not-read' | 'empty-lines' | 'head-requests';

const refused = 'GET /secret/_search HTTP/1.1\r\nHost: es\r\n\r\n';
const messages: Readonly<Record<FloodKind, string>> = {
  reads: refused,
  'does-not-read': refused,
  'empty-lines': '\r\n',
  'head-requests': 'HEAD /_cluster/health HTTP/1.1\r\nHost: es\r\n\r\n',
};

const [, , port = '', connections = '', kind = 'reads'] = process.argv;
const message = messages[kind as FloodKind];
const block = Buffer.from(message.repeat(Math.ceil(65_536 / message.length)), 'latin1');

// What is measured is the proxy, not who gets the processors.
os.setPriority(19);
for (let i = 0; i < Number(connections); i++) flood();

function flood(): void {
  const socket = connect(Number(port), '127.0.0.1');
  if (kind === 'does-not-read') socket.pause();
  else socket.on('data', () => {});
  const more = (): void => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on('connect', more);
  socket.on('drain', more);
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(flood, 10));
}
