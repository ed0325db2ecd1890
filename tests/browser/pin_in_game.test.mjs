// Pairing, direction B (spec 1.3): the PIN is shown in the game and typed into the extension.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { call } from './game.mjs';
import { EXTENSION, click, refusal, shows, startRig } from './harness.mjs';

const CHANNEL = '4455002';
const broadcaster = { role: 'broadcaster', channel: CHANNEL, user: CHANNEL };
const REVOCATION_MS_MAX = 1000;

let rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.stop());

/** The game asks for a PIN and keeps the token that comes with it. */
async function askForPin() {
  const { status, body } = await call(rig.server, 'POST', 'pin', {
    body: { identifier: EXTENSION },
  });
  assert.equal(status, 200, JSON.stringify(body));
  const authorization = `${EXTENSION} ${body.token}`;
  return { pin: body.pin, userInfo: () => call(rig.server, 'GET', 'user_info', { authorization }) };
}

async function typePin(page, pin) {
  await page.getByLabel('PIN shown by the game').fill(pin);
  await click(page, 'Pair');
}

test('a pin typed into the extension makes the token of the game work', async (t) => {
  const game = await askForPin();
  const pending = await game.userInfo();
  assert.equal(pending.status, 401);
  assert.equal(pending.body.status, 401);
  assert.equal(pending.body.reason, 'Authorization token is invalid');
  assert.match(pending.body.info, /pending/);

  const page = await rig.open(t, broadcaster);
  await typePin(page, game.pin);
  await shows(page, 'pairing', 'paired');

  const granted = await game.userInfo();
  assert.equal(granted.status, 200, JSON.stringify(granted.body));
  assert.equal(granted.body.channel_id, CHANNEL);
  assert.equal(granted.body.role, 'broadcaster');
  await click(page, 'Is a game paired?');
  await shows(page, 'pairing', 'a game is paired');
});

test('unpairing in the extension ends the token of the game within a second', async (t) => {
  const game = await askForPin();
  const page = await rig.open(t, broadcaster);
  await typePin(page, game.pin);
  await shows(page, 'pairing', 'paired');
  assert.equal((await game.userInfo()).status, 200);

  await click(page, 'Unpair');
  await shows(page, 'pairing', 'not paired');
  const deadline = performance.now() + REVOCATION_MS_MAX;
  let answer = await game.userInfo();
  while (answer.status === 200 && performance.now() < deadline) answer = await game.userInfo();
  assert.equal(answer.status, 401);
  assert.match(answer.body.info, /revoked/);
  await click(page, 'Is a game paired?');
  await shows(page, 'pairing', 'no game is paired');
});

test('a wrong pin is refused in the page and pairs nothing', async (t) => {
  const game = await askForPin();
  const page = await rig.open(t, broadcaster);
  // No PIN has an O: this one was never issued.
  await typePin(page, 'OOOOOO');
  const error = await refusal(page);
  assert.equal(error.status, 400);
  assert.equal(error.reason, 'The provided PIN is invalid or expired');
  assert.equal((await game.userInfo()).status, 401);
});
