import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../config/load.ts';
import { standardLimits } from './policies-input.ts';

test('without a sluice.yaml heads may be as long as with one that says nothing', () => {
  const loaded = parseConfig('', '', { upstream: ['http://10.0.0.1'] });
  assert.ok(loaded.kind === 'loaded');
  const { headBytes, headFields, targetBytes } = loaded.config.limits;
  assert.deepEqual(standardLimits, { headBytes, headFields, targetBytes });
});
