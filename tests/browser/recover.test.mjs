// The server is killed while pages are open, and started again (spec 4): they recover by
// themselves, what they know converges, and no event is delivered twice.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { call } from './game.mjs';
import { EXTENSION, startRig } from './harness.mjs';

/** The library's own socket waits up to ten seconds before it tries again. */
const RECOVERY_MS_MAX = 30_000;
const KILLS = 2;

let rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.stop());

/** Calls of the extension's own server. */
async function backend(channel) {
  const body = { app_id: EXTENSION, channel_id: channel, user_id: '1', role: 'backend' };
  const { body: answer } = await call(rig.server, 'POST', 'authtoken', { body });
  const authorization = `${EXTENSION} ${answer.token}`;
  return async (method, endpoint, body) => {
    const { status, body: answer } = await call(rig.server, method, endpoint, { authorization, body });
    assert.equal(status, 200, JSON.stringify(answer));
    return answer;
  };
}

const count = (page, event) => page.evaluate((event) => window.heard[event]?.length ?? 0, event);

/** Waits until a page has heard this of an event. */
async function hears(page, event, data) {
  const heard = ([event, data]) =>
    window.heard[event]?.some((heard) => JSON.stringify(heard) === JSON.stringify(data));
  await page.waitForFunction(heard, [event, data], { timeout: RECOVERY_MS_MAX });
}

/** Broadcasts numbers until every page hears one again; resolves to the next number. */
async function broadcastUntilHeard(pages, ask, from) {
  const before = await Promise.all(pages.map((page) => count(page, 'tick')));
  const late = performance.now() + RECOVERY_MS_MAX;
  for (let n = from; ; n += 1) {
    assert.ok(performance.now() < late, 'the pages did not recover');
    await ask('POST', 'broadcast', { target: 'broadcast', event: 'tick', data: { n } });
    const now = await Promise.all(pages.map((page) => count(page, 'tick')));
    if (now.every((count, index) => count > before[index])) return n + 1;
  }
}

for (const [index, setUp] of ['shim', 'helper'].entries()) {
  test(`pages with ${setUp} recover from a server that was killed`, async (t) => {
    const channel = String(4_459_000 + index);
    const who = { channel, setUp };
    const pages = await Promise.all([
      rig.open(t, { ...who, role: 'broadcaster', user: channel }),
      rig.open(t, { ...who, role: 'viewer', user: '71' }),
      rig.open(t, { ...who, role: 'viewer', user: '72' }),
    ]);
    for (const page of pages) {
      await page.evaluate(() => window.listenTo(['tick', 'channel_state_update']));
      await page.waitForFunction(() => window.isListening());
    }
    const [broadcaster, viewer] = pages;
    const ask = await backend(channel);
    let next = await broadcastUntilHeard(pages, ask, 0);
    await broadcaster.evaluate(() => window.sdk.setChannelState({ kills: 0 }));
    await Promise.all(pages.map((page) => hears(page, 'channel_state_update', { kills: 0 })));

    for (let kills = 1; kills <= KILLS; kills += 1) {
      const connections = await Promise.all(pages.map((page) => page.evaluate(() => window.connectionId())));
      await rig.server.kill();
      const refused = await viewer.evaluate(() => window.sdk.getChannelState().catch((error) => error.reason));
      assert.equal(refused, 'error', 'a call while the server is away fails, and the page lives on');
      await rig.server.start();
      // Changed while the pages are away, most likely: they did not hear it.
      await ask('POST', 'channel_state', { kills });
      const back = (page, index) =>
        page.waitForFunction((before) => window.isListening(before), connections[index], { timeout: RECOVERY_MS_MAX });
      await Promise.all(pages.map(back));
      next = await broadcastUntilHeard(pages, ask, next);
      // The library has no memory of state; the helper reads again what it may have missed.
      if (setUp === 'helper') {
        await Promise.all(pages.map((page) => hears(page, 'channel_state_update', { kills })));
      }
      for (const page of pages) {
        const state = await page.evaluate(() => window.sdk.getChannelState());
        assert.deepEqual(state, { kills }, 'what was acknowledged is there');
      }
      const after = { kills, again: true };
      await broadcaster.evaluate((state) => window.sdk.setChannelState(state), after);
      await Promise.all(pages.map((page) => hears(page, 'channel_state_update', after)));
    }

    for (const page of pages) {
      const heard = await page.evaluate(() => window.heard);
      for (const [event, list] of Object.entries(heard)) {
        const texts = list.map((data) => JSON.stringify(data));
        assert.deepEqual(texts, [...new Set(texts)], `${event} was delivered twice`);
      }
      const numbers = heard.tick.map(({ n }) => n);
      assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), 'in order');
    }
  });
}
