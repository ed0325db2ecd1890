// The library's clock (spec 4.7): its offset comes from one call and is good to half a round trip.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRig } from './harness.mjs';

const MINUTE_MS = 60_000;
/** Both clocks are read in whole milliseconds. */
const READING_MS_MAX = 1;
/** Slower loads show how busy the browser is, not how late the server read its clock. */
const ROUND_TRIP_MS_MAX = 60;
const LOADS_MAX = 10;

let rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.stop());

/** How wrong the library's date is, and how long the call took that it was set by. */
async function measure(t, clockShiftMs) {
  const who = { role: 'viewer', channel: '4455003', user: '778899', clockShiftMs };
  const page = await rig.open(t, who);
  return page.evaluate(() => {
    const call = window.requests.find(({ path }) => path === '/v1/e/user_info');
    return {
      roundTripMs: call.ms,
      errorMs: window.sdk.getOffsetDate().getTime() - window.realNow(),
      shiftMs: Date.now() - window.realNow(),
    };
  });
}

for (const [name, shiftMs] of [
  ['is right', 0],
  ['is eight minutes fast', 8 * MINUTE_MS],
  ['is eight minutes slow', -8 * MINUTE_MS],
]) {
  test(`the date is right to half a round trip where the browser's clock ${name}`, async (t) => {
    const loads = [];
    while (loads.length < LOADS_MAX) {
      const { roundTripMs, errorMs, shiftMs: seen } = await measure(t, shiftMs);
      assert.ok(Math.abs(seen - shiftMs) <= READING_MS_MAX, `the page's clock is off by ${seen} ms`);
      loads.push(`${errorMs} ms off in a round trip of ${roundTripMs.toFixed(1)} ms`);
      const quick = roundTripMs <= ROUND_TRIP_MS_MAX;
      if (quick && Math.abs(errorMs) <= roundTripMs / 2 + READING_MS_MAX) return;
    }
    assert.fail(loads.join('; '));
  });
}
