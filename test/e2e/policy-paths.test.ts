/** Paths that two parsers could read differently are refused with a reason, and what was judged is what is sent. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { body, digestOf } from '../support/body.ts';
import { readWhole } from '../support/http-peer.ts';
import { Origin } from '../support/origin.ts';
import { PolicyStand } from '../support/policy-stand.ts';
import { onEachTransport } from '../support/stand.ts';

const policies = {
  'team-a': { action: 'allow', match: { groups: ['read', 'write'], indices: ['logs-a*'] } },
};
const good = 'GET /logs-a/_search HTTP/1.1\r\nHost: es\r\n\r\n';

/** What is asked, what it is answered, and a word of the reason. */
const refused: readonly (readonly [what: string, target: string, status: number, reason: RegExp])[] = [
  ['an encoded slash between segments', '/logs-a%2f_search', 400, /encoded slash/],
  ['an encoded slash before an index', '/%2Flogs-a/_search', 400, /encoded slash/],
  ['an encoded slash into another index', '/logs-a%2F..%2Fsecret/_search', 400, /encoded/],
  ['an encoded slash behind an index', '/logs-a%2F1/_doc/1', 400, /encoded slash outside of an id/],
  ['an encoded slash behind no word of a route', '/logs-a/x/a%2Fb', 400, /encoded slash outside of an id/],
  ['a word of a route in an id', '/logs-a/_doc/1%2F_source', 400, /encoded slash beside a word/],
  ['dot segments in an id', '/logs-a/_doc/1%2F..%2F..%2Fsecret', 400, /dot segment beside an encoded slash/],
  ['encoded dots in an id', '/logs-a/_doc/1%2F%2e%2e%2Fx', 400, /encoded dot/],
  ['a double encoding in an id', '/logs-a/_doc/1%252F2', 400, /encoded again/],
  ['a slash in an id of another index', '/secret/_doc/a%2Fb', 403, /No policy/],
  ['a dot segment', '/logs-a/./_search', 400, /dot segment/],
  ['two dots', '/logs-a/../secret/_search', 400, /dot segment/],
  ['two dots at the end', '/logs-a/..', 400, /dot segment/],
  ['encoded dots', '/logs-a/%2e%2e/secret/_search', 400, /encoded dot/],
  ['half-encoded dots', '/logs-a/.%2e/secret/_search', 400, /encoded dot/],
  ['a double encoding', '/logs-a%252f_search', 400, /encoded again/],
  ['a double encoding of an escape', '/logs-a/%25%32%65', 400, /encoded|escape/],
  ['an empty segment', '/logs-a//_search', 400, /empty segment/],
  ['an empty first segment', '//logs-a/_search', 400, /empty segment/],
  ['two slashes at the end', '/logs-a/_search//', 400, /empty segment/],
  ['a NUL', '/logs-a%00/_search', 400, /control character/],
  ['a line end', '/logs-a%0d%0a/_search', 400, /control character/],
  ['a backslash', '/logs-a\\_search', 400, /backslash/],
  ['an encoded backslash', '/logs-a%5c_search', 400, /backslash/],
  ['an encoded underscore', '/logs-a/%5fsearch', 400, /needs no encoding/],
  ['a broken escape', '/logs-a/%zz', 400, /malformed escape/],
  ['a cut escape', '/logs-a/_search%2', 400, /malformed escape/],
  ['invalid UTF-8', '/logs-%ff/_search', 400, /UTF-8/],
  ['overlong UTF-8', '/logs-a%c0%afsecret/_search', 400, /UTF-8/],
  ['an endpoint in mixed case', '/logs-a/_Search', 403, /No policy/],
  ['an index in mixed case', '/Logs-A/_search', 403, /No policy/],
  ['trailing dots', '/logs-a/_search.', 403, /No policy/],
  ['an index of dots', '/.../_search', 403, /No policy/],
  ['an index named _bulk', '/_bulk/_search', 403, /No policy/],
  ['an index named _bulk, written', '/_bulk/_doc/1', 403, /No policy/],
  ['no index at all', '/_search', 403, /No policy/],
  ['all indices', '/_all/_search', 403, /No policy/],
  ['a wildcard over more', '/logs-*/_search', 403, /No policy/],
  ['a list with one too many', '/logs-a,secret/_search', 403, /No policy/],
  ['an exclusion', '/*,-secret/_search', 403, /No policy/],
  ['a remote cluster', '/other:logs-a/_search', 403, /No policy/],
  ['an index in the query', '/_search?index=logs-a', 403, /No policy/],
  ['more segments than any route has', `/logs-a${'/x'.repeat(40)}`, 400, /segments/],
];

onEachTransport('a path', (kind) => {
  const open = (origin: Origin, limits = {}) =>
    PolicyStand.open(kind, { nodes: [origin.port], policies, limits });

  for (const [what, target, status, reason] of refused) {
    it(`with ${what} is refused with ${status}; the connection goes on`, async () => {
      await using origin = await Origin.open();
      await using stand = await open(origin);
      const client = await stand.client();
      await client.write(`GET ${target} HTTP/1.1\r\nHost: es\r\n\r\n`);
      const { head, text } = await readWhole(client);
      assert.equal(head.status, status, text);
      assert.match(JSON.parse(text).error.reason, reason);
      assert.equal(origin.accepted, 0);
      assert.equal(head.field('connection'), 'keep-alive');
      await client.write(good);
      assert.equal((await readWhole(client)).head.status, 200);
    });
  }

  it('that is refused with a body under way ends its connection politely', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin);
    const client = await stand.client();
    const all = body(16 * 1024 * 1024);
    await client.write(
      `POST /logs-a/%2e%2e/_bulk HTTP/1.1\r\nHost: es\r\nContent-Length: ${all.length}\r\n\r\n`,
    );
    assert.ok(await client.write(all), 'the client was reset while it wrote');
    const { head } = await readWhole(client);
    assert.deepEqual([head.status, head.field('connection')], [400, 'close']);
    assert.equal(await client.ending(), 'end');
    assert.deepEqual([(await stand.ended()).failure?.code, origin.accepted], ['path-ambiguous', 0]);
  });

  it('with what no target may hold is refused before it is judged, and its connection closed', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin);
    for (const target of [
      '/logs-a/_search#x',
      '/logs-a\x00/_search',
      '/logs-a _search',
      'logs-a/_search',
      '',
    ]) {
      const client = await stand.client();
      await client.write(`GET ${target} HTTP/1.1\r\nHost: es\r\n\r\n`);
      const { head } = await readWhole(client);
      assert.deepEqual([head.status, head.field('connection')], [400, 'close'], target);
      assert.equal(await client.ending(), 'end');
    }
    assert.equal(origin.accepted, 0);
  });

  it('of 10,000 indices is refused; of as many as are read, each is judged, in time', async () => {
    const list = (...parts: string[]) => `GET /${parts.join(',')}/_search HTTP/1.1\r\nHost: es\r\n\r\n`;
    const names = (count: number) => Array.from({ length: count }, (_, nth) => `l${nth}`);
    const times = (count: number, name: string) => Array.from({ length: count }, () => name);
    await using origin = await Origin.open();
    await using strict = await open(origin);
    const tooLong = await strict.client();
    await tooLong.write(list(...names(10_000)));
    const { head } = await readWhole(tooLong);
    assert.ok([414, 431].includes(head.status) && head.field('connection') === 'close', head.text);

    await using wide = await PolicyStand.open(kind, {
      nodes: [origin.port],
      policies: { team: { action: 'allow', match: { indices: ['l*'] } } },
      limits: { targetBytes: 63_000, headBytes: 65_536 },
    });
    const client = await wide.client();
    for (const [request, status] of [
      [list(...names(10_000)), 400],
      [list(...times(10_000, '*,-l')), 400],
      [list(...names(500)), 200],
      [list(...names(500), 'secret'), 403],
      [list('secret', ...names(500)), 403],
      [list(...times(250, '*,-l')), 403],
      [list(...times(500, 'l*l*l*l*l*l*l*l')), 200],
    ] as const) {
      await client.write(request);
      const answer = await readWhole(client);
      assert.equal(answer.head.status, status, answer.text);
      if (status === 400) assert.match(answer.text, /more than \d+ index names/);
    }
  });

  it('of an id with a slash carries its body, whole, to the id that was judged', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin);
    const client = await stand.client();
    const all = body(3 * 1024 * 1024);
    const target = '/logs-a/_doc/https%3A%2F%2Fexample.org%2Fa';
    await client.write(`PUT ${target} HTTP/1.1\r\nHost: es\r\nContent-Length: ${all.length}\r\n\r\n`);
    await client.write(all);
    const { head, text } = await readWhole(client);
    assert.deepEqual([head.status, text], [200, digestOf([all])]);
    assert.equal(origin.received[0]!.head.target, target);
    const { endpoint, policy } = await stand.ended();
    assert.deepEqual([endpoint, policy], ['index', 'team-a']);
  });

  it('that is allowed reaches the server as it came', async () => {
    await using origin = await Origin.open();
    await using stand = await open(origin);
    const client = await stand.client();
    const targets = [
      '/logs-a/_search',
      '/logs-a/_search/',
      '/logs-a*/_search?q=%2e%2e%2f',
      '/logs-a,logs-a-2/_search',
      '/logs-a%2Clogs-a-2/_search',
      '/%3Clogs-a-%7Bnow%2Fd%7D%3E/_search',
      '/logs-a/_doc/a%20b',
      '/logs-a/_doc/a%2Fb',
      '/logs-a/_source/https%3A%2F%2Fexample.org%2fx',
    ];
    for (const target of targets) {
      await client.write(`GET ${target} HTTP/1.1\r\nHost: es\r\n\r\n`);
      assert.equal((await readWhole(client)).head.status, 200, target);
    }
    assert.deepEqual(
      origin.received.map(({ head }) => head.target),
      targets,
    );
  });
});
