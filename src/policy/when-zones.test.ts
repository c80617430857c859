import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { patience } from '../../test/support/deadline.ts';
import { compileZone, getters } from './when-zones.ts';

const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', '-03:30'];

describe('zones', { timeout: patience }, () => {
  it('show what Intl shows, over changes of summer time too', () => {
    for (const zone of zones) {
      const local = compileZone(zone);
      assert.ok(local);
      const format = new Intl.DateTimeFormat('en-GB', {
        timeZone: zone,
        dateStyle: 'short',
        timeStyle: 'medium',
        hourCycle: 'h23',
      });
      const shown = new Intl.DateTimeFormat('en-GB', {
        timeZone: 'UTC',
        dateStyle: 'short',
        timeStyle: 'medium',
        hourCycle: 'h23',
      });
      for (let hour = 0; hour < 24 * 366; hour += 7) {
        const time = new Date(Date.UTC(2026, 0, 1, hour, hour % 60, hour % 59));
        assert.equal(shown.format(local(time)), format.format(time), `${zone} ${time.toISOString()}`);
      }
    }
  });

  it('the hour that summer time leaves out is not read as another', () => {
    const local = compileZone('UTC');
    assert.equal(getters.getHours(local?.(new Date('2026-03-29T02:30:00Z')) ?? new Date(0)), 2);
  });

  it('days of the year count from 0, whatever the machine’s zone', () => {
    assert.equal(getters.getDayOfYear(new Date('2026-01-01T00:00:00Z')), 0);
    assert.equal(getters.getDayOfYear(new Date('2026-12-31T23:59:59Z')), 364);
  });

  it('refuses what is no zone', () => {
    for (const zone of ['', 'Mars/Base', '+25:00', '__proto__', 'Europe/Berlin ']) {
      assert.equal(compileZone(zone), undefined, zone);
    }
  });
});
