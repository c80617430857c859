import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ClusterEvent } from './events.ts';
import { logEvents } from './operator-log.ts';

function recorder() {
  const lines: (readonly [string, object, string])[] = [];
  const say = (level: string) => (fields: object, text: string) => void lines.push([level, fields, text]);
  return { lines, log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') } };
}

it('a node that comes and goes many times a second does not fill the log, and the number is told', () => {
  const { lines, log } = recorder();
  let now = 0;
  const tell = logEvents('default', log, () => now);
  const ejected = { kind: 'ejected', node: 'a:1', cause: 'why', lasts: 1000, again: false } as const;
  for (; now < 10_000; now += 100) {
    tell(ejected);
    tell({ kind: 'back', node: 'a:1' });
    tell({ ...ejected, again: true });
  }
  const loud = () => lines.filter(([level]) => level !== 'debug');
  assert.deepEqual(
    loud().map(([level]) => level),
    ['warn', 'info'],
  );
  tell(ejected);
  assert.partialDeepStrictEqual(loud().at(-1), ['warn', { cluster: 'default', node: 'a:1', repeated: 99 }]);
});

it('what differs is told each, and thousands of nodes are not remembered for ever', () => {
  const { lines, log } = recorder();
  const tell = logEvents('default', log, () => 0);
  const resolved = { kind: 'resolved', addresses: [], joined: [], left: [] } as const;
  const events: ClusterEvent[] = [
    { kind: 'all-ejected', nodes: 2 },
    { kind: 'kept', node: 'a:1', cause: 'why' },
    { kind: 'unresolved', name: 'a', cause: 'why', addresses: [] },
    { kind: 'unresolved', name: 'b', cause: 'why', addresses: ['10.0.0.1'] },
    { ...resolved, name: 'a' },
    { ...resolved, name: 'b' },
  ];
  for (const event of events) tell(event);
  assert.deepEqual(
    lines.map(([level]) => level),
    ['error', 'warn', 'warn', 'warn', 'info', 'info'],
  );
  for (let node = 0; node < 5000; node++) tell({ kind: 'back', node: `${node}` });
  assert.equal(lines.length, 5006);
});

it('a node that fails and stays in use names the setting that keeps it, and claims nothing of other nodes', () => {
  const { lines, log } = recorder();
  logEvents('default', log)({ kind: 'kept', node: 'a:1', cause: 'it answered 503' });
  const [, , text = ''] = lines[0] ?? [];
  assert.match(text, /ejection\.maxPercent/);
  assert.doesNotMatch(text, /other/);
});
