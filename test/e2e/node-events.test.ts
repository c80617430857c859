/** What an operator reads when nodes fail, come back, or have a name that does not resolve. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createServer } from 'node:tls';
import { makeCertificates } from '../support/certificates.ts';
import { closedPort } from '../support/closed-port.ts';
import { until } from '../support/deadline.ts';
import { readWhole } from '../support/http-peer.ts';
import { answering, Origin } from '../support/origin.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { SluiceProcess } from '../support/sluice-process.ts';

const certificates = makeCertificates();

type Line = Readonly<Record<string, unknown>>;

async function ask(client: RawPeer): Promise<number> {
  await client.write('GET / HTTP/1.1\r\nHost: es\r\n\r\n');
  return (await readWhole(client)).head.status;
}

/** Lines of the operator's log about a cluster, in their order. */
function told(sluice: SluiceProcess): Line[] {
  const lines: Line[] = sluice.told.map((line) => JSON.parse(line));
  return lines.filter(({ cluster }) => cluster !== undefined);
}

const short = (line: Line) => [line.level, line.node, line.msg];

describe("the operator's log", () => {
  it('tells once of a node that is dead, that all are, and of its return', async () => {
    const port = await closedPort();
    const config = 'upstream: { ejection: { baseTime: 100ms, maxTime: 100ms } }';
    await using sluice = await SluiceProcess.start([port], config);
    const client = await sluice.client();
    for (let i = 0; i < 20; i++) assert.equal(await ask(client), 502);
    await using _origin = await Origin.open(answering(), port);
    const deadline = performance.now() + 60_000;
    while ((await ask(client)) !== 200) assert.ok(performance.now() < deadline);
    await until('the return to be told', () => told(sluice).length >= 3, 60_000);
    const node = `127.0.0.1:${port}`;
    assert.deepEqual(told(sluice).map(short), [
      ['warn', node, 'the node is left alone for 100 ms'],
      ['error', undefined, 'no node can be trusted: all of them are used'],
      ['info', node, 'the node is back'],
    ]);
    assert.equal(told(sluice)[0]?.cause, `${node}: ECONNREFUSED`);
  });

  it('names the fault of a certificate', { skip: certificates ? false : 'no openssl' }, async () => {
    const server = createServer(certificates!.selfSigned);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    {
      await using sluice = await SluiceProcess.start([`https://127.0.0.1:${port}`]);
      assert.equal(await ask(await sluice.client()), 502);
      await until('the fault to be told', () => told(sluice).length >= 2, 60_000);
      assert.match(String(told(sluice)[0]?.cause), /the certificate is self-signed/);
    }
    server.close();
  });

  it('tells of a name that does not resolve, while the other nodes serve', async () => {
    await using origin = await Origin.open();
    await using sluice = await SluiceProcess.start(['http://nowhere.invalid:9200', origin.port]);
    const client = await sluice.client();
    for (let i = 0; i < 10; i++) assert.equal(await ask(client), 200);
    await until('the name to be told', () => told(sluice).length > 0, 60_000);
    const [line] = told(sluice);
    assert.deepEqual([line?.level, line?.name], ['warn', 'nowhere.invalid']);
    assert.equal(line?.msg, 'the name does not resolve');
    assert.ok(line?.cause);
  });

  it('at debug tells what was decided for each request', async () => {
    await using origin = await Origin.open();
    const dead = await closedPort();
    const config = 'log: { level: debug }\nupstream: { ejection: { baseTime: 1ms, maxTime: 1ms } }';
    await using sluice = await SluiceProcess.start([dead, origin.port], config);
    const client = await sluice.client();
    for (let i = 0; i < 40; i++) assert.equal(await ask(client), 200);
    const lines = () => sluice.told.map((line): Line => JSON.parse(line));
    const of = (kind: string) => lines().filter(({ msg }) => msg === `request ${kind}`);
    await until('all requests to be told', () => of('sent').length === 40, 60_000);
    assert.ok(of('not-connected').length > 0);
    const refused = of('not-connected')[0];
    assert.equal(refused?.node, `127.0.0.1:${dead}`);
    const sent = of('sent').find(({ id }) => id === refused?.id);
    assert.equal(sent?.node, `127.0.0.1:${origin.port}`);
  });
});
