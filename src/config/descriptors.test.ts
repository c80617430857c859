import assert from 'node:assert/strict';
import { it } from 'node:test';
import { descriptorLimit, fitListeners, trafficBound } from './descriptors.ts';

it('listeners whose connections all fit under the limit are left as they are', () => {
  const rooms = [{ maxConnections: 20_000, waiting: 4096 }];
  assert.deepEqual(fitListeners(rooms, 1_048_576), { kind: 'fits', rooms });
  assert.equal(fitListeners(rooms, Number.POSITIVE_INFINITY).kind, 'fits');
});

it('a limit that is too low is shared out: every client can have its upstream connection, and the reserve stays', () => {
  for (const limit of [60, 64, 100, 256, 1024, 4096, 20_000]) {
    for (const waiting of [0, 4096]) {
      for (const listeners of [1, 2, 3]) {
        const asked = Array.from({ length: listeners }, () => ({ maxConnections: 20_000, waiting }));
        const fit = fitListeners(asked, limit);
        assert.equal(fit.kind, 'short');
        assert.ok(fit.kind === 'short' && fit.needed > limit);
        for (const room of fit.rooms) assert.ok(room.maxConnections >= 1);
        const used = fit.rooms.reduce((sum, room) => sum + 2 * room.maxConnections + room.waiting, 0);
        assert.ok(used <= Math.max(2 * listeners, trafficBound(limit) - 40), `${used} of ${limit}`);
      }
    }
  }
});

it('shares keep the proportions of what was asked for', () => {
  const fit = fitListeners(
    [
      { maxConnections: 3000, waiting: 0 },
      { maxConnections: 1000, waiting: 0 },
    ],
    1024,
  );
  const [one, other] = fit.rooms;
  assert.ok(Math.abs(one!.maxConnections - 3 * other!.maxConnections) <= 3, JSON.stringify(fit));
});

it('the limit is the one that the system tells of this process', {
  skip: process.platform !== 'linux',
}, () => {
  assert.ok((descriptorLimit() ?? 0) > 0);
});
