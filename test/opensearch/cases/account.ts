/** What Sluice says of itself after a long run: it must add up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stage } from '../stage.ts';

export function accountCases(stage: Stage): void {
  test('the metrics add up to what the access log says, and nothing is left in flight', async () => {
    const log = await stage.sluice.log();
    for (const direction of ['request', 'response'] as const) {
      for (const way of ['spliced', 'copied'] as const) {
        const logged = log.reduce((sum, exchange) => sum + (exchange[direction][way] ?? 0), 0);
        const series = `sluice_body_bytes_total{direction="${direction}",path="${way}"}`;
        assert.equal(await stage.sluice.metric(series), logged, series);
      }
      for (const exchange of log) {
        const { bytes, spliced = 0, copied = 0 } = exchange[direction];
        assert.equal(spliced + copied, bytes, JSON.stringify(exchange));
      }
    }
    assert.equal(await stage.sluice.metric('sluice_requests_in_flight'), 0);
    for (const transport of ['engine', 'streams']) {
      for (const gauge of ['sluice_relays', 'sluice_pipes_in_use']) {
        assert.equal(await stage.sluice.metric(`${gauge}{transport="${transport}"}`), 0, gauge);
      }
    }
  });
}
