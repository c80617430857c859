import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deny, headOf, type PolicyChange, policy, setOf, subject } from '../../test/support/policies.ts';
import { readQuery } from './query.ts';
import { describe } from './subject.ts';

function read(query: string) {
  const parameters = readQuery(query);
  return 'code' in parameters ? parameters.detail : Object.fromEntries(parameters);
}

const letsIn = async (change: PolicyChange, line: string): Promise<boolean> =>
  (await setOf([policy('p', change)])).decide(subject(line)).kind === 'allow';
const caught = async (change: PolicyChange, line: string): Promise<boolean> =>
  (await setOf([deny('d', change)], { fallback: 'allow' })).decide(subject(line)).kind === 'deny';

test('a query is read as the servers read it', () => {
  assert.deepEqual(read(''), {});
  assert.deepEqual(read('?'), {});
  assert.deepEqual(read('?a=1&b=2;c'), { a: ['1'], b: ['2'], c: [''] });
  assert.deepEqual(read('?a=1&a=2'), { a: ['1', '2'] });
  assert.deepEqual(read('?==a=b=c&&'), { a: ['b=c'] });
  assert.deepEqual(read('?a=x+y%2Fz&b=%C3%A4'), { a: ['x y/z'], b: ['ä'] });
  assert.deepEqual(read('?a=%zz'), { a: [undefined] });
});

test('a parameter is spelled in one way only, so that no other spelling walks around a policy', () => {
  for (const query of [
    '?pip%65line=x',
    '?%69ndex=secret',
    '?a=1&filter%5Fpath=x',
    '?a%2Eb=1',
    '?%zz=1',
    '?%ff=1',
  ]) {
    assert.equal(typeof read(query), 'string', query);
    assert.ok(
      'code' in
        describe(headOf(`GET /logs/_search${query}`), { source: '10.0.0.1', principals: [], time: 0 }),
    );
  }
  assert.deepEqual(read('?a%5B0%5D=1'), { 'a[0]': ['1'] });
});

test('a pipeline of the query may write to any index', async () => {
  const own: PolicyChange = { match: { indices: ['a-*'] } };
  assert.equal(await letsIn(own, 'PUT /a-1/_doc/1'), true);
  assert.equal(await letsIn(own, 'PUT /a-1/_doc/1?pipeline=b'), false);
  assert.equal(await letsIn(own, 'PUT /a-1/_doc/1?refresh&pipeline=b'), false);
  const secret: PolicyChange = { match: { indices: ['secret'] } };
  assert.equal(await caught(secret, 'PUT /a-1/_doc/1'), false);
  assert.equal(await caught(secret, 'PUT /a-1/_doc/1?pipeline=b'), true);
});

test('a policy that names its pipelines lets in those, whatever else is given beside them', async () => {
  const named: PolicyChange = {
    match: { indices: ['a-*'], query: [{ name: 'pipeline', values: ['a-*'] }] },
  };
  assert.equal(await letsIn(named, 'PUT /a-1/_doc/1?pipeline=a-clean'), true);
  assert.equal(await letsIn(named, 'PUT /a-1/_doc/1?pipeline=%61-clean'), true);
  for (const query of [
    '',
    '?pipeline=b',
    '?pipeline=a-1&pipeline=b',
    '?pipeline=b&pipeline=a-1',
    '?pipeline=%zz',
  ]) {
    assert.equal(await letsIn(named, `PUT /a-1/_doc/1${query}`), false, query);
  }
  assert.equal(await letsIn(named, 'PUT /b-1/_doc/1?pipeline=a-clean'), false);
  assert.equal(await letsIn(named, 'PUT /a-1/_doc/1?pipeline=a-clean&index=b'), false);
});

test('a policy that denies by the query catches any of several values, and what can not be decoded', async () => {
  const foreign: PolicyChange = { match: { query: [{ name: 'pipeline', values: ['b-*'] }] } };
  for (const query of [
    '?pipeline=b-1',
    '?pipeline=a&pipeline=b-1',
    '?pipeline=b-1;pipeline=a',
    '?pipeline=%zz',
  ]) {
    assert.equal(await caught(foreign, `PUT /a-1/_doc/1${query}`), true, query);
  }
  assert.equal(await caught(foreign, 'PUT /a-1/_doc/1?pipeline=a'), false);
  const any: PolicyChange = { match: { query: [{ name: 'pipeline', values: [] }] } };
  assert.equal(await caught(any, 'PUT /a-1/_doc/1?pipeline'), true);
  assert.equal(await caught(any, 'PUT /a-1/_doc/1?pipelines=a'), false);
});
