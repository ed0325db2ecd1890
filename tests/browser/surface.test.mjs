// Every public method of the library, unmodified, in the four set-ups it runs in. The methods are
// listed by reflection: one that has no recipe in page/surface.js fails this.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRig } from './harness.mjs';
import { platformToken } from './tokens.mjs';

const CHANNEL = '4457001';
const VIEWER = '778899';
const ROLES = {
  viewer: VIEWER,
  broadcaster: CHANNEL,
  admin: '1',
};

let rig;
before(async () => {
  rig = await startRig({ tls: true });
});
after(() => rig?.stop());

test('every method of the library works in each set-up', { concurrency: 2 }, async (tests) => {
  const setUps = ['shim', 'hosted', 'helper', 'production'];
  await Promise.all(setUps.map((setUp) => tests.test(setUp, (t) => everyMethod(t, setUp))));
});

async function everyMethod(t, setUp) {
  const extension = `surface-${setUp}`;
  const secret = await rig.server.register(extension, CHANNEL);
  const pages = {};
  for (const [role, user] of Object.entries(ROLES)) {
    const token = platformToken(secret, { role, channel: CHANNEL, user });
    const who = { setUp, extension, role, user, viewer: VIEWER, channel: CHANNEL, token };
    pages[role] = await rig.open(t, { ...who, analytics: true });
  }
  const recipes = await pages.viewer.evaluate(() => window.surface.recipes);
  const methods = await pages.viewer.evaluate(() => window.surface.methods());
  assert.deepEqual(recipes.map(({ method }) => method).sort(), methods.sort());

  const wrong = {};
  for (const { method, as } of recipes) {
    const fault = await pages[as].evaluate((method) => window.surface.run(method), method);
    if (fault) wrong[method] = fault;
  }
  assert.deepEqual(wrong, {});
  const broken = recipes.filter(({ broken }) => broken);
  t.diagnostic(`${methods.length} methods; broken in the library: ${broken.length}`);
  for (const { method, broken: reason } of broken) t.diagnostic(`${method}: ${reason}`);
}
