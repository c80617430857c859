import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const sources = ['@elastic/request-converter', '@opensearch-project/opensearch', 'typescript'];
const missing = sources.filter((name) => !existsSync(new URL(`../../node_modules/${name}`, import.meta.url)));
const skip = missing.length > 0 ? `not installed: ${missing.join(', ')}` : false;

test('the table and its page are what the installed packages make of them', { skip }, async () => {
  const generator = await import('../../tools/endpoint-table.ts');
  const { printDocs } = await import('../../tools/endpoint-docs.ts');
  const rows = generator.readEndpoints();
  const hint = 'run make endpoint-table, and look at what changed';
  assert.equal(readFileSync(generator.tableFile, 'utf8'), generator.printTable(rows), hint);
  const docs = readFileSync(generator.docsFile, 'utf8');
  assert.equal(docs, printDocs(docs, rows, generator.queryParameters(rows)), hint);
});

test('an endpoint or a privilege that nobody has decided on stops the generator', async (context) => {
  const { readElasticsearch } = await import('../../tools/elasticsearch-schema.ts');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const groupsOf = (endpoint: object): readonly string[] => {
    const file = join(folder, 'schema.json');
    const urls = [{ path: '/_new/{index}', methods: ['POST'] }];
    writeFileSync(file, JSON.stringify({ endpoints: [{ name: 'new.thing', urls, ...endpoint }], types: [] }));
    return readElasticsearch(pathToFileURL(file)).map(({ group }) => group);
  };
  assert.throws(() => groupsOf({}), /new\.thing has no privileges/);
  assert.throws(() => groupsOf({ privileges: { index: [], cluster: [] } }), /has no privileges/);
  assert.throws(() => groupsOf({ privileges: { index: ['rule_the_world'] } }), /needs rule_the_world/);
  assert.deepEqual(groupsOf({ privileges: { index: ['read', 'delete'] } }), ['write']);
  assert.deepEqual(groupsOf({ privileges: { index: ['manage'], cluster: ['manage'] } }), ['cluster-admin']);
  assert.deepEqual(groupsOf({ privileges: { cluster: ['manage_rollup', 'manage'] } }), ['manage']);
  assert.deepEqual(
    groupsOf({ privileges: { cluster: ['manage'] }, urls: [{ path: '/_new', methods: ['GET'] }] }),
    ['monitor'],
  );
});
