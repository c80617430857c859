import assert from 'node:assert/strict';
import { it } from 'node:test';
import { membership, type Placed } from './members.ts';
import { type NodeAddress, UpstreamNode } from './node.ts';

const at = (host: string, port = 9200): NodeAddress => ({
  name: `${host}:${port}`,
  host,
  port,
  tls: undefined,
});
const make = (configured: NodeAddress, address: string): UpstreamNode =>
  new UpstreamNode(configured, address, {
    host: 'client',
    pool: { maxIdlePerNode: 1, idleTimeout: 1000, maxAge: 1000 },
    ejection: { baseTime: 1000, maxTime: 1000, failures: 5, maxPercent: 50 },
  });
const names = (nodes: readonly UpstreamNode[]) => nodes.map(({ name }) => name);

it('each address of a name is a node, called by the address', () => {
  const { nodes } = membership([{ configured: at('es'), addresses: ['10.0.0.1', 'fd00::1'] }], [], make);
  assert.deepEqual(names(nodes), ['10.0.0.1:9200', '[fd00::1]:9200']);
  assert.deepEqual([nodes[0]?.resolvedFrom, nodes[0]?.authority], ['es:9200', 'es:9200']);
});

it('two names with one address are one node, the first of them; on another port it is another', () => {
  const placed = [at('a'), at('b'), at('b', 9201)].map(
    (configured): Placed => ({ configured, addresses: ['10.0.0.1'] }),
  );
  const { nodes } = membership(placed, [], make);
  assert.deepEqual(
    nodes.map(({ name, resolvedFrom }) => [name, resolvedFrom]),
    [
      ['10.0.0.1:9200', 'a:9200'],
      ['10.0.0.1:9201', 'b:9201'],
    ],
  );
});

it('a node that stays is the same one, whatever the order of the answer', () => {
  const configured = at('es');
  const before = membership(
    [{ configured, addresses: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] }],
    [],
    make,
  ).nodes;
  const after = membership([{ configured, addresses: ['10.0.0.4', '10.0.0.3', '10.0.0.1'] }], before, make);
  assert.deepEqual(after.nodes.slice(0, 2), [before[0], before[2]]);
  assert.deepEqual([names(after.joined), names(after.left)], [['10.0.0.4:9200'], ['10.0.0.2:9200']]);
});

it('an address that passes from one name to another is a new node: its TLS name and Host are others', () => {
  const [a, b] = [at('a'), at('b')];
  const before = membership([{ configured: a, addresses: ['10.0.0.1'] }], [], make).nodes;
  const { nodes, left } = membership([{ configured: b, addresses: ['10.0.0.1'] }], before, make);
  assert.deepEqual([left, nodes[0]?.resolvedFrom], [before, 'b:9200']);
});

it('a Host names no port that is the default of the scheme', () => {
  const tls = { serverName: 'es', ca: undefined, verify: true };
  for (const [node, authority] of [
    [at('es', 80), 'es'],
    [at('es', 443), 'es:443'],
    [{ ...at('es', 443), tls }, 'es'],
    [{ ...at('es', 9200), tls }, 'es:9200'],
    [at('fd00::1', 80), '[fd00::1]'],
  ] as const) {
    assert.equal(make(node, '10.0.0.1').authority, authority);
  }
});
