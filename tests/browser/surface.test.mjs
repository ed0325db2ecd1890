// Every public method of the library, unmodified, in the four set-ups it runs in. The methods are
// listed by reflection: one that has no recipe in page/surface.js fails this.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';

import { call } from './game.mjs';
import { startRig } from './harness.mjs';

const CHANNEL = '4457001';
const VIEWER = '778899';
const TOKEN_S = 3_600;
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

/** A token as the platform signs it. */
function platformToken(secret, role) {
  const user_id = ROLES[role];
  const now = Math.floor(Date.now() / 1000);
  const claims = { exp: now + TOKEN_S, iat: now, user_id, opaque_user_id: `U${user_id}`, role };
  const parts = [{ alg: 'HS256', typ: 'JWT' }, { ...claims, channel_id: CHANNEL }];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const hmac = createHmac('sha256', Buffer.from(secret, 'base64')).update(signed);
  return `${signed}.${hmac.digest('base64url')}`;
}

/** Resolves when the running server knows an extension. */
async function known(extension, secret) {
  const authorization = `${extension} ${platformToken(secret, 'viewer')}`;
  const production = { rest: rig.server.production };
  for (;;) {
    const { status } = await call(production, 'GET', 'user_info', { authorization });
    if (status === 200) return;
  }
}

for (const setUp of ['shim', 'hosted', 'helper', 'production']) {
  test(`every method of the library works in the set-up ${setUp}`, async (t) => {
    const extension = `surface-${setUp}`;
    const secret = await rig.server.register(extension, CHANNEL);
    await known(extension, secret);
    const pages = {};
    for (const [role, user] of Object.entries(ROLES)) {
      const token = platformToken(secret, role);
      const who = { setUp, extension, role, user, channel: CHANNEL, token, analytics: true };
      pages[role] = await rig.open(t, who);
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
  });
}
