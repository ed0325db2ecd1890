// The library's clock (spec 4.7): its offset comes from one call and is good to half a round trip.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRig } from './harness.mjs';

const MINUTE_MS = 60_000;
/** Both clocks are read in whole milliseconds. */
const READING_MS_MAX = 1;
/** Loads of the page: in one the browser may be late to tell the page of an answer that was in
 * time; a server that stamps too early is too early in all of them. */
const LOADS_MAX = 5;

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
    const tries = [];
    for (let load = 0; load < LOADS_MAX; load += 1) {
      const { roundTripMs, errorMs, shiftMs: seen } = await measure(t, shiftMs);
      assert.ok(Math.abs(seen - shiftMs) <= READING_MS_MAX, `the page's clock is off by ${seen} ms`);
      tries.push(`off by ${errorMs} ms in a round trip of ${roundTripMs.toFixed(1)} ms`);
      if (Math.abs(errorMs) <= roundTripMs / 2 + READING_MS_MAX) return;
    }
    assert.fail(tries.join('; '));
  });
}
