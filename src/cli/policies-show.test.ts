import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicyReport } from '../admin/contract.ts';
import { inWords } from './policies-show.ts';

const since = '2026-11-23T10:00:00.000Z';
const report: PolicyReport = {
  version: '0123456789abcdef',
  policies: 1,
  since,
  stale: true,
  problems: ['a.yaml:1:1: kind: is missing; write Policy'],
  sources: [{ source: 'https://config.example/p.yaml', reachable: false, why: 'answers 500; look there' }],
  default: 'deny',
  hits: [
    {
      policy: 'team-a-writes',
      order: 7,
      action: 'allow',
      allowed: 12,
      denied: 0,
      audited: 0,
      streams: 3,
      waiting: 2,
      limited: 1,
    },
  ],
};

test('a report is a table below the state of its sources, and says when it is stale and why', () => {
  assert.deepEqual(inWords(report, Date.parse(since) + 7_380_000), [
    'version   0123456789ab, since 2026-11-23T10:00:00.000Z, for 2 h 3 min',
    'source    https://config.example/p.yaml: answers 500; look there',
    'stale     an older set is in effect:',
    '  a.yaml:1:1: kind: is missing; write Policy',
    '',
    'policy         order  action  allowed  denied  audited  streams  waiting  limited',
    'team-a-writes      7  allow        12       0        0        3        2        1',
  ]);
});

test('an age is told in its two largest units', () => {
  for (const [seconds, age] of [
    [0, '0 s'],
    [61, '1 min 1 s'],
    [3600, '1 h 0 min'],
    [90_000, '1 d 1 h'],
  ] as const) {
    assert.match(inWords(report, Date.parse(since) + seconds * 1000)[0] ?? '', new RegExp(`, for ${age}$`));
  }
  assert.equal(inWords({ ...report, version: '', since: '' }, 0)[0], 'version   none yet');
});
