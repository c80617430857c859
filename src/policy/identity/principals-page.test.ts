import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseConfig } from '../../config/load.ts';
import { readHashFile } from './hash-file.ts';
import { matches } from './hashes.ts';
import { identityLimits } from './identify.ts';
import { faultOfIssuers } from './options.ts';

const page = readFileSync(new URL('../../../docs/principals.md', import.meta.url), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, block]) => block!);

test('the examples of docs/principals.md are taken as they stand', async () => {
  const [users, apiKeys] = blocks('text');
  const known = readHashFile(users!, 'user');
  assert.ok(typeof known !== 'string');
  assert.equal(await matches(known.get('ingest')!.hash, 'pleaseletmein'), true);
  const keys = readHashFile(apiKeys!, 'api-key');
  assert.ok(typeof keys !== 'string');
  assert.equal(await matches(keys.get('VuaCfGcBCdbkQm-e5aOx')!.hash, 'foo'), true);

  const loaded = parseConfig(
    `upstream: { nodes: [http://127.0.0.1:9200] }\n${blocks('yaml')[0]}`,
    'sluice.yaml',
  );
  assert.equal(loaded.kind, 'loaded');
  const { tokens } = loaded.kind === 'loaded' ? loaded.config.identity : { tokens: [] };
  assert.equal(tokens.length, 1);
  assert.equal(faultOfIssuers(tokens), undefined);
});

test('docs/principals.md tells the limits as they are', () => {
  const { secrets, secretGate, keys, fetch } = identityLimits;
  for (const told of [
    `remembered for ${secrets.rightFor / 60_000} minutes after its last use, a refusal for one minute`,
    `${secretGate.queue} wait`,
    `every ${keys.every / 60_000} minutes`,
    `within ${keys.cooldown / 1000} s of`,
    `at most ${fetch.maxBytes / 1024} KiB, within ${fetch.timeout / 1000} s`,
  ]) {
    assert.ok(page.replace(/\s+/g, ' ').includes(told), told);
  }
});
