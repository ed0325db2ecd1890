// Pairing, direction A (spec 1.3): the PIN is shown in the extension and typed into the game.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Game } from './game.mjs';
import { EXTENSION, click, refusal, shown, startRig } from './harness.mjs';

const CHANNEL = '4455001';
const broadcaster = { role: 'broadcaster', channel: CHANNEL, user: CHANNEL };
const viewer = { role: 'viewer', channel: CHANNEL, user: '778899' };

let rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.stop());

async function connect(t) {
  const game = await Game.connect(rig.server.game(EXTENSION));
  t.after(() => game.close());
  return game;
}

async function pinFromPage(t) {
  const page = await rig.open(t, broadcaster);
  await click(page, 'Ask for a PIN');
  return shown(page, 'pin');
}

const byPin = (pin) => ({ pin, client_id: EXTENSION, game_id: 'My Game' });
const byRefresh = (refresh) => ({ refresh, client_id: EXTENSION, game_id: 'My Game' });

test('a pin shown in the extension pairs the game with the broadcaster', async (t) => {
  const pin = await pinFromPage(t);
  assert.match(pin, /^[A-HJKMNP-Z2346789]{6}$/);

  const game = await connect(t);
  const sent = Date.now();
  const { meta, data, ...rest } = await game.request(333, 'authenticate', byPin(pin));
  assert.deepEqual(rest, {}, 'an answer has meta and data only');
  const { timestamp, ...echo } = meta;
  assert.deepEqual(echo, { request_id: 333, action: 'authenticate', target: '' });
  assert.ok(timestamp >= sent && timestamp <= Date.now(), `timestamp ${timestamp} is not in ms`);
  assert.equal(data.twitch_id, CHANNEL);
  assert.equal(typeof data.twitch_name, 'string');
  assert.ok(data.refresh.length > 0);

  const [, payload] = data.jwt.split('.');
  assert.doesNotMatch(payload, /[-_]/, 'browsers read the payload with atob');
  const claims = JSON.parse(atob(payload));
  assert.equal(claims.channel_id, CHANNEL);
  assert.equal(claims.role, 'broadcaster');
  assert.equal(claims.allowed_stage, 'sandbox');
});

test('a game that comes back pairs again with its refresh token', async (t) => {
  const pin = await pinFromPage(t);
  const first = await connect(t);
  const { data: granted } = await first.request(333, 'authenticate', byPin(pin));
  await first.close();

  const second = await connect(t);
  const { data } = await second.request(444, 'authenticate', byRefresh(granted.refresh));
  assert.equal(data.twitch_id, CHANNEL);
  assert.notEqual(data.refresh, granted.refresh);

  const third = await connect(t);
  const again = await third.request(445, 'authenticate', byRefresh(data.refresh));
  assert.equal(again.data.twitch_id, CHANNEL);
});

test('a pin does not work twice', async (t) => {
  const pin = await pinFromPage(t);
  const first = await connect(t);
  const { data } = await first.request(1, 'authenticate', byPin(pin));
  assert.equal(data.twitch_id, CHANNEL);

  const second = await connect(t);
  const answer = await second.request(2, 'authenticate', byPin(pin));
  assert.ok(!('data' in answer), 'a refusal has no data');
  assert.deepEqual(answer.errors, [
    {
      number: 400,
      status: 400,
      title: 'Bad Request',
      detail: 'The provided PIN is invalid or expired',
    },
  ]);
});

test('a viewer is refused a pin and the page keeps working', async (t) => {
  const page = await rig.open(t, viewer);
  await click(page, 'Ask for a PIN');
  const error = await refusal(page);
  assert.equal(error.status, 403);
  assert.equal(error.reason, 'User was unauthorized to access this resource');
  assert.match(error.info, /broadcaster/);
  assert.equal(await page.locator('#pin').textContent(), '');

  await click(page, 'Who am I?');
  const who = JSON.parse(await shown(page, 'who'));
  assert.equal(who.role, 'viewer');
  assert.equal(who.channel_id, CHANNEL);
  assert.equal(who.user_id, viewer.user);
});
