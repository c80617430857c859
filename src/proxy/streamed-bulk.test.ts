import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointTable } from '../policy/endpoint-table.ts';
import { isStreamedBulk } from './streamed-bulk.ts';

test('of all URLs that the servers know, those of the streaming bulk keep their chunks and no others', () => {
  const kept: string[] = [];
  const streamed: string[] = [];
  for (const line of endpointTable.trim().split('\n')) {
    const [name = '', , , , ...routes] = line.split(' ');
    for (const url of routes.filter((_, at) => at % 2 === 1)) {
      const path = url.replaceAll(/<[^>]*>|\{[^}]*\}/g, 'one');
      if (isStreamedBulk(path)) kept.push(url);
      if (name === 'bulk_stream') streamed.push(url);
    }
  }
  assert.ok(streamed.length >= 2, 'the table has the endpoint');
  assert.deepEqual(kept, streamed);
});

test('a trailing slash changes nothing, as for the servers', () => {
  assert.ok(isStreamedBulk('/_bulk/stream/'));
  assert.ok(isStreamedBulk('/logs%2Da/_bulk/stream/'));
});

test('paths that only look like it do not keep their chunks', () => {
  for (const path of [
    '/_bulk',
    '/_bulk/streams',
    '/_bulk/stream/x',
    '/_bulk/stream%2F',
    '/x_bulk/stream',
    '*',
    '',
  ]) {
    assert.equal(isStreamedBulk(path), false, path);
  }
});
