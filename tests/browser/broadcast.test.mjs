// Events to viewers (spec 4.1, 4.2): the library, unmodified, hears them through the Pusher endpoint,
// led there by the server's page-side shim.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { Game, call } from './game.mjs';
import { EXTENSION, startRig } from './harness.mjs';

const CHANNEL = '4455004';
const VIEWER = '778899';
const broadcaster = { role: 'broadcaster', channel: CHANNEL, user: CHANNEL, setUp: 'shim' };
const viewer = { role: 'viewer', channel: CHANNEL, user: VIEWER, setUp: 'shim' };

let rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.stop());

/** A page that notes what it hears of these events, `name` or `[name, opaque user id]`. */
async function listen(t, who, events) {
  const page = await rig.open(t, who);
  await page.evaluate((events) => {
    window.heard = [];
    for (const event of events) {
      const [name, ...whom] = [event].flat();
      window.sdk.listen(name, ...whom, (data, event) => window.heard.push({ event, data }));
    }
  }, events);
  await page.waitForFunction(() => {
    const { channel, globalChannel } = window.Muxy.default.messenger;
    return channel?.subscribed && globalChannel?.subscribed;
  });
  return page;
}

/** What a page has heard, once it is so many. */
async function heard(page, count) {
  await page.waitForFunction((count) => window.heard.length >= count, count);
  return page.evaluate(() => window.heard);
}

async function token(role, channel, user) {
  const { status, body } = await call(rig.server, 'POST', 'authtoken', {
    body: { app_id: EXTENSION, channel_id: channel, user_id: user, role },
  });
  assert.equal(status, 200, JSON.stringify(body));
  return `${EXTENSION} ${body.token}`;
}

/** A broadcast by the extension's own server. */
async function broadcast(endpoint, body) {
  const authorization = await token('backend', CHANNEL, '1');
  const answer = await call(rig.server, 'POST', endpoint, { authorization, body });
  assert.deepEqual(answer, { status: 200, body: {} });
}

test('what a page of the broadcaster sends reaches the viewers of the channel', async (t) => {
  const here = await listen(t, viewer, ['new_song', 'end']);
  const there = await listen(t, { ...viewer, channel: '4455005' }, ['new_song', 'end']);
  const page = await rig.open(t, broadcaster);
  const song = { artist: 'Céline 🎵', year: 1997, list: [null, 1.5] };
  await page.evaluate((song) => window.sdk.send('new_song', song), song);
  assert.deepEqual(await heard(here, 1), [{ event: 'new_song', data: song }]);

  const body = { target: 'broadcast', event: 'end', data: { n: 1 } };
  await broadcast('extension_broadcast', body);
  const end = { event: 'end', data: { n: 1 } };
  assert.deepEqual(await heard(here, 2), [{ event: 'new_song', data: song }, end]);
  assert.deepEqual(await heard(there, 1), [end]);
});

test('a whisper is heard under the opaque id it names', async (t) => {
  const page = await listen(t, viewer, [
    ['psst', `U${VIEWER}`],
    ['psst', 'U1'],
    'psst',
  ]);
  await broadcast('broadcast', { target: `whisper-U${VIEWER}`, event: 'psst', data: 'one' });
  await broadcast('broadcast', { target: 'broadcast', event: 'psst', data: 'two' });
  assert.deepEqual(await heard(page, 2), [
    { event: 'psst', data: 'one' },
    { event: 'psst', data: 'two' },
  ]);
});

test('what a game sends is heard, in order', async (t) => {
  const page = await listen(t, viewer, ['score', 'say']);
  const authorization = await token('broadcaster', CHANNEL, CHANNEL);
  const { body } = await call(rig.server, 'POST', 'gamelink/pin', { authorization });
  const game = await Game.connect(rig.server.game(EXTENSION));
  t.after(() => game.close());
  await game.request(1, 'authenticate', { pin: body.pin, client_id: EXTENSION });
  for (let n = 0; n < 20; n += 1) {
    const data = { topic: 'score', data: { n } };
    assert.deepEqual((await game.request(n, 'broadcast', data)).data, { ok: true });
  }
  await game.request(99, 'broadcast', { topic: 'say', message: 'good "day"' });
  const expected = Array.from({ length: 20 }, (_, n) => ({ event: 'score', data: { n } }));
  expected.push({ event: 'say', data: 'good "day"' });
  assert.deepEqual(await heard(page, 21), expected);
});

test('long messages arrive whole, packed and in parts', async (t) => {
  const page = await listen(t, viewer, ['long']);
  const expected = [];
  for (const text of ['a'.repeat(30_000), randomBytes(15_000).toString('hex'), 'ä🎵'.repeat(4_000)]) {
    await broadcast('broadcast', { target: 'broadcast', event: 'long', data: { text } });
    expected.push({ event: 'long', data: { text } });
  }
  // As large as it may be, and as hard to pack.
  const text = randomBytes(60_000).toString('base64');
  await broadcast('broadcast', { target: 'broadcast', event: 'long', data: { text } });
  expected.push({ event: 'long', data: { text } });
  const events = await heard(page, expected.length);
  assert.deepEqual(events, expected);
});

test('changes of state and of the store are heard', async (t) => {
  const page = await listen(t, viewer, ['channel_state_update', 'json_store_update:*']);
  const writer = await rig.open(t, broadcaster);
  await writer.evaluate(() => window.sdk.setChannelState({ mood: 'good' }));
  const state = { event: 'channel_state_update', data: { mood: 'good' } };
  assert.deepEqual(await heard(page, 1), [state]);
  await writer.evaluate(() => window.sdk.signedRequest('POST', 'json_store?id=k', { a: 1 }));
  const stored = { event: 'json_store_update:k', data: { id: 'k', value: { a: 1 } } };
  assert.deepEqual(await heard(page, 2), [state, stored]);
});

test('the shim names the extension for renewals and adds the calls of the guides', async (t) => {
  const page = await rig.open(t, broadcaster);
  assert.equal(await page.evaluate(() => window.extensionID), EXTENSION);
  const { pin } = await page.evaluate(() => window.sdk.getAuthPin());
  assert.match(pin, /^[A-HJKMNP-Z2346789]{6}$/);
  await page.evaluate(() => window.sdk.patchChannelConfig({ color: 'red' }));
  const all = await page.evaluate(() => window.sdk.getAllConfig());
  assert.deepEqual(all, { extension: {}, channel: { color: 'red' } });
});

test('the calls of the guides can be had alone, after the library', async (t) => {
  const page = await rig.open(t, { ...broadcaster, setUp: 'bare' });
  assert.equal(await page.evaluate(() => typeof window.sdk.getAuthPin), 'undefined');
  await page.addScriptTag({ url: `${rig.server.rest}/rig/medkit-extra.js` });
  const { pin } = await page.evaluate(() => window.sdk.getAuthPin());
  assert.match(pin, /^[A-HJKMNP-Z2346789]{6}$/);
});
