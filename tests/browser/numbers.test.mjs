// Accumulate, rank and codes (spec 3.5, 3.8) through the page library.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRig } from './harness.mjs';

const CHANNEL = '4455003';

let rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.stop());

/** Calls the library in a page; a refusal comes back as `{refused}`. */
function call(page, method, ...args) {
  return page.evaluate(
    ([method, args]) => window.sdk[method](...args).catch((refused) => ({ refused })),
    [method, args],
  );
}

test('what viewers send is accumulated, and read on from the latest', async (t) => {
  const open = (role, user) => rig.open(t, { role, channel: CHANNEL, user });
  const viewer = await open('viewer', '778899');
  const broadcaster = await open('broadcaster', CHANNEL);

  assert.deepEqual(await call(viewer, 'accumulate', 'wishes', { color: 'red' }), {});
  const read = await call(broadcaster, 'getAccumulateData', 'wishes', 0);
  assert.equal(read.data.length, 1);
  const [wish] = read.data;
  assert.deepEqual(
    [wish.data, wish.user_id, wish.opaque_user_id, wish.channel_id, wish.observed],
    [{ color: 'red' }, '778899', 'U778899', CHANNEL, read.latest],
  );
  await call(viewer, 'accumulate', 'wishes', { color: 'blue' });
  const more = await call(broadcaster, 'getAccumulateData', 'wishes', read.latest);
  assert.deepEqual(
    more.data.map(({ data }) => data),
    [{ color: 'blue' }],
  );
});

test('keys are ranked by their voters until the ranking is cleared', async (t) => {
  const open = (role, user) => rig.open(t, { role, channel: CHANNEL, user });
  const viewers = [await open('viewer', '1'), await open('viewer', '2')];
  const broadcaster = await open('broadcaster', CHANNEL);

  assert.deepEqual(await call(viewers[0], 'rank', 'color', 'red'), { accepted: true });
  assert.deepEqual(await call(viewers[1], 'rank', 'color', 'red'), { accepted: true });
  const changed = await call(viewers[1], 'rank', 'color', 'blue');
  assert.deepEqual(changed, { accepted: true, original: 'red' });
  const scores = { data: ['blue', 'red'].map((key) => ({ key, score: 1 })) };
  assert.deepEqual(await call(broadcaster, 'getRankData', 'color'), scores);
  await call(broadcaster, 'clearRankData', 'color');
  assert.deepEqual(await call(broadcaster, 'getRankData', 'color'), { data: [] });
});

test('a marked viewer redeems a code', async (t) => {
  const open = (role, user) => rig.open(t, { role, channel: CHANNEL, user });
  const viewer = await open('viewer', '778899');
  const admin = await open('admin', '1');

  const codes = { codes: [['SKIN-1', 'SKIN-2']], names: ['skin'] };
  assert.deepEqual(await call(admin, 'signedRequest', 'PUT', 'codes', codes), {});
  const { refused } = await call(viewer, 'redeemCode', 0);
  assert.deepEqual([refused.status, refused.reason], [403, 'not eligible']);
  const marks = { prizes: [0], prize_limits: [1], users: ['778899'] };
  await call(admin, 'signedRequest', 'POST', 'codes/mark_from_list', marks);
  const eligible = await call(viewer, 'getEligibleCodes');
  assert.deepEqual(eligible, { eligible: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0] });
  const redeemed = await call(viewer, 'redeemCode', 0);
  assert.deepEqual(redeemed, { code: 'SKIN-1', all_prizes: ['SKIN-1'] });
  const held = await call(viewer, 'getRedeemedCodes');
  assert.deepEqual(held.redeemed[0], ['SKIN-1']);
});
