// The helper script (spec 4.4): the platform's surface from this server, with no library at all.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { call } from './game.mjs';
import { STEP_MS_MAX, startRig } from './harness.mjs';
import { platformToken } from './tokens.mjs';

const EXTENSION = 'helper-suite';
const CHANNEL = '4460001';
const VIEWER = '71';
const HOUR_MS = 3_600_000;

let rig;
let secret;
before(async () => {
  rig = await startRig();
  secret = await rig.server.register(EXTENSION, CHANNEL);
});
after(() => rig?.stop());

/** A page with the helper and nothing else, as somebody its query string names. */
async function open(t, who) {
  const context = await rig.browser.newContext();
  t.after(() => context.close());
  context.setDefaultTimeout(STEP_MS_MAX);
  const page = await context.newPage();
  const thrown = [];
  page.on('pageerror', (error) => thrown.push(error));
  t.after(() => assert.deepEqual(thrown, [], 'errors thrown in the page'));
  await page.clock.install();
  const query = new URLSearchParams({ ext: EXTENSION, ...who });
  await page.goto(`${rig.pages.base}plain?${query}`);
  await page.evaluate(() => {
    window.told = {};
  });
  await page.addScriptTag({ url: `${rig.server.rest}/rig/twitch-ext.js` });
  await note(page, 'onAuthorized', 'onError', 'onContext', 'onVisibilityChanged');
  await note(page, 'onPositionChanged', 'onHighlightChanged', 'viewer.onChanged');
  await note(page, 'features.onChanged', 'configuration.onChanged', 'actions.onFollow');
  await note(page, 'bits.onTransactionComplete', 'bits.onTransactionCancelled');
  return page;
}

/** Notes what these callbacks are told. */
function note(page, ...names) {
  return page.evaluate((names) => {
    for (const name of names) {
      const path = name.split('.');
      const last = path.pop();
      const of = path.reduce((of, part) => of[part], window.Twitch.ext);
      window.told[name] = [];
      of[last]((...told) => window.told[name].push(told.map((one) => one?.message ?? one)));
    }
  }, names);
}

/** What a callback was told, once it was told so often. */
async function told(page, name, count = 1) {
  await page.waitForFunction(([name, count]) => window.told[name].length >= count, [name, count]);
  return page.evaluate((name) => window.told[name], name);
}

const viewer = { channel: CHANNEL, user: VIEWER, role: 'viewer' };
const broadcaster = { channel: CHANNEL, user: CHANNEL, role: 'broadcaster' };
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();
const run = (page, act, argument) => page.evaluate(act, argument);

async function claims(page) {
  const [[{ token }]] = (await told(page, 'onAuthorized')).slice(-1);
  return JSON.parse(atob(token.split('.')[1]));
}

test('the whole surface of the platform is there, in less than 20 KB', async (t) => {
  const page = await open(t, viewer);
  const surface = await run(page, () => {
    const names = (of) => Object.keys(of).sort().map((name) => `${name}: ${typeof of[name]}`);
    const { ext } = window.Twitch;
    const groups = ['viewer', 'features', 'bits', 'actions', 'configuration', 'purchases'];
    return [names(ext), ...groups.map((group) => names(ext[group]))].flat();
  });
  await told(page, 'onAuthorized');
  const functions = (...names) => names.map((name) => `${name}: function`);
  for (const name of functions(
    ...['onAuthorized', 'onContext', 'onError', 'onVisibilityChanged', 'onPositionChanged'],
    ...['onHighlightChanged', 'send', 'listen', 'unlisten', 'onChanged', 'getProducts', 'useBits'],
    ...['showBitsBalance', 'setUseLoopback', 'onTransactionComplete', 'onTransactionCancelled'],
    ...['requestIdShare', 'followChannel', 'onFollow', 'minimize', 'set'],
    ...['beginPurchase', 'getPrices', 'onReloadEntitlements'],
  )) {
    assert.ok(surface.includes(name), name);
  }
  const viewerKeys = await run(page, () => Object.keys(window.Twitch.ext.viewer).sort());
  assert.deepEqual(viewerKeys, [
    'id', 'isLinked', 'onChanged', 'opaqueId', 'role', 'sessionToken', 'subscriptionStatus',
  ]);
  const script = await fetch(`${rig.server.rest}/rig/twitch-ext.js`);
  const { byteLength } = await script.arrayBuffer();
  assert.ok(byteLength > 0 && byteLength < 20_000, `${byteLength} bytes`);
});

test('a page is authorized as its query string says, and before its token ends again', async (t) => {
  const page = await open(t, viewer);
  const [[auth]] = await told(page, 'onAuthorized');
  assert.equal(auth.clientId, EXTENSION);
  assert.equal(auth.channelId, CHANNEL);
  assert.equal(auth.userId, `U${VIEWER}`);
  const { role, user_id, exp, iat } = await claims(page);
  assert.deepEqual({ role, user_id }, { role: 'viewer', user_id: VIEWER });
  const lifeMs = (exp - iat) * 1_000;
  assert.ok(lifeMs > HOUR_MS);
  await page.clock.fastForward(lifeMs - HOUR_MS);
  const [, [renewed]] = await told(page, 'onAuthorized', 2);
  assert.notEqual(renewed.token, auth.token);
  const now = await run(page, () => window.Twitch.ext.viewer.sessionToken);
  assert.equal(now, renewed.token);
});

test('a viewer who is not logged in has an opaque id and no other', async (t) => {
  const page = await open(t, { channel: CHANNEL });
  const { opaque_user_id, user_id } = await claims(page);
  assert.match(opaque_user_id, /^A/);
  assert.equal(user_id, undefined);
  await run(page, () => window.Twitch.ext.actions.requestIdShare());
  assert.match((await told(page, 'onError'))[0][0], /logged in/);
});

test('sharing the id grants the user id and withdraws it', async (t) => {
  const page = await open(t, { ...viewer, linked: '0' });
  const who = () => run(page, () => {
    const { id, opaqueId, isLinked } = window.Twitch.ext.viewer;
    return { id, opaqueId, isLinked };
  });
  await told(page, 'onAuthorized');
  assert.equal((await claims(page)).is_unlinked, true);
  assert.deepEqual(await who(), { id: null, opaqueId: `U${VIEWER}`, isLinked: false });
  await run(page, () => window.Twitch.ext.actions.requestIdShare());
  await press(page, 'Cancel');
  await run(page, () => window.Twitch.ext.actions.requestIdShare());
  await press(page, 'Share');
  const authorizations = await told(page, 'onAuthorized', 2);
  assert.equal(authorizations.length, 2, 'cancelling changes nothing');
  assert.deepEqual(await who(), { id: VIEWER, opaqueId: `U${VIEWER}`, isLinked: true });
  await told(page, 'viewer.onChanged');
  await run(page, () => window.Twitch.ext.actions.requestIdShare());
  await press(page, 'Withdraw');
  await told(page, 'onAuthorized', 3);
  assert.deepEqual(await who(), { id: null, opaqueId: `U${VIEWER}`, isLinked: false });
});

test('a purchase is confirmed, and its receipt is good in production too', async (t) => {
  const config = await open(t, broadcaster);
  await told(config, 'onAuthorized');
  const authorization = `${EXTENSION} ${await run(config, () => window.Twitch.ext.viewer.sessionToken)}`;
  const skus = { hat: { price: 5, displayName: 'A <b>hat</b>' } };
  await call(rig.server, 'POST', 'config/channel', { authorization, body: { skus } });

  const page = await open(t, viewer);
  await told(page, 'onAuthorized');
  const [product] = await run(page, () => window.Twitch.ext.bits.getProducts());
  assert.equal(product.sku, 'hat');
  assert.deepEqual(product.cost, { amount: 5, type: 'bits' });
  await run(page, () => window.Twitch.ext.bits.useBits('hat'));
  await page.getByText('Use 5 bits for A <b>hat</b>?').waitFor();
  await press(page, 'Cancel');
  await told(page, 'bits.onTransactionCancelled');
  await run(page, () => window.Twitch.ext.bits.useBits('hat'));
  await press(page, 'Use bits');
  const [[transaction]] = await told(page, 'bits.onTransactionComplete');
  assert.equal(transaction.initiator, 'current_user');
  assert.equal(transaction.userId, VIEWER);
  assert.equal(transaction.product.sku, 'hat');

  const buyer = `${EXTENSION} ${platformToken(secret, viewer)}`;
  const production = { rest: rig.server.production };
  const credit = (transactionReceipt) =>
    call(production, 'POST', 'bits/transactions', { authorization: buyer, body: { transactionReceipt } });
  const [header, payload, signature] = transaction.transactionReceipt.split('.');
  const forged = await credit([header, payload, signature.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))].join('.'));
  assert.equal(forged.status, 400, JSON.stringify(forged.body));
  assert.deepEqual(await credit(transaction.transactionReceipt), { status: 201, body: {} });
  const coins = await call(production, 'GET', 'coins', { authorization: buyer });
  assert.deepEqual(coins.body, { balance: 5 });
});

test('the loopback buys with no dialog; what is not for sale is not bought', async (t) => {
  const page = await open(t, viewer);
  await told(page, 'onAuthorized');
  await run(page, () => {
    const cost = { amount: '7', type: 'bits' };
    window.MEDKIT_PURCHASABLE_ITEMS = [{ sku: 'cap', displayName: 'A cap', cost }];
    window.Twitch.ext.bits.setUseLoopback(true);
    window.Twitch.ext.bits.useBits('cap');
  });
  const [[{ product }]] = await told(page, 'bits.onTransactionComplete');
  assert.equal(product.sku, 'cap');
  await run(page, () => window.Twitch.ext.bits.useBits('none'));
  assert.match((await told(page, 'onError'))[0][0], /none/);
  await told(page, 'bits.onTransactionCancelled');
  await run(page, () => window.Twitch.ext.rig.set({ features: { isBitsEnabled: false } }));
  assert.deepEqual(await told(page, 'features.onChanged'), [[['isBitsEnabled']]]);
  await run(page, () => window.Twitch.ext.bits.useBits('cap'));
  assert.match((await told(page, 'onError', 2))[1][0], /not enabled/);
});

test('the context switches and tells what changed', async (t) => {
  const page = await open(t, { ...viewer, theme: 'dark' });
  const [[first, keys]] = await told(page, 'onContext');
  assert.equal(first.theme, 'dark');
  assert.deepEqual(keys, Object.keys(first));
  await run(page, () => window.Twitch.ext.rig.set({ context: { theme: 'light', volume: 1 } }));
  const [, [second, changed]] = await told(page, 'onContext', 2);
  assert.equal(second.theme, 'light');
  assert.deepEqual(changed, ['theme']);
  await run(page, () => {
    const { ext } = window.Twitch;
    ext.rig.set({ context: { volume: 1 }, highlighted: true, position: { x: 3, y: 4 } });
    ext.rig.set({ subscription: { tier: '1000' } });
    ext.actions.minimize();
    ext.actions.followChannel('somebody');
  });
  assert.deepEqual((await told(page, 'onHighlightChanged'))[0], [true]);
  assert.deepEqual((await told(page, 'onPositionChanged'))[0], [{ x: 3, y: 4 }]);
  assert.deepEqual((await told(page, 'onVisibilityChanged'))[0][0], false);
  assert.equal((await told(page, 'onContext')).length, 2, 'what stays the same is not told');
  await press(page, 'Follow');
  assert.deepEqual((await told(page, 'actions.onFollow'))[0], [true, 'somebody']);
  const tier = await run(page, () => window.Twitch.ext.viewer.subscriptionStatus.tier);
  assert.equal(tier, '1000');
});

test('the configuration is kept for the channel, and its change is told', async (t) => {
  const page = await open(t, viewer);
  await told(page, 'configuration.onChanged');
  const config = await open(t, broadcaster);
  await told(config, 'configuration.onChanged');
  await run(config, () => window.Twitch.ext.configuration.set('broadcaster', '1.0', '{"a":1}'));
  await told(page, 'configuration.onChanged', 2);
  const segment = await run(page, () => window.Twitch.ext.configuration.broadcaster);
  assert.deepEqual(segment, { version: '1.0', content: '{"a":1}' });
  await run(page, () => window.Twitch.ext.configuration.set('broadcaster', '2.0', ''));
  assert.match((await told(page, 'onError'))[0][0], /unauthorized/);
  const later = await open(t, viewer);
  await told(later, 'configuration.onChanged');
  assert.deepEqual(await run(later, () => window.Twitch.ext.configuration.broadcaster), segment);
});

test('what is sent arrives in order, at those who listen, until they do not', async (t) => {
  const [page, live] = [await open(t, viewer), await open(t, broadcaster)];
  for (const one of [page, live]) {
    await told(one, 'configuration.onChanged');
    await run(one, (own) => {
      window.heard = [];
      const { ext } = window.Twitch;
      window.listener = (target, type, message) => {
        window.heard.push([target, type, JSON.parse(message).data]);
      };
      for (const target of ['broadcast', own, 'global']) ext.listen(target, window.listener);
    }, `whisper-U${VIEWER}`);
  }
  await run(live, (event) => {
    const { send } = window.Twitch.ext;
    for (let n = 0; n < 20; n += 1) send('broadcast', 'application/json', { event, data: n });
    send('whisper-U71', 'application/json', JSON.stringify({ event, data: 'psst' }));
    send('broadcast', 'application/json', { event: 'elsewhere', data: 0 });
  }, `sandbox:${EXTENSION}:n`);
  await page.waitForFunction(() => window.heard.length >= 21);
  const numbers = Array.from({ length: 20 }, (_, n) => ['broadcast', 'application/json', n]);
  const whisper = [`whisper-U${VIEWER}`, 'application/json', 'psst'];
  assert.deepEqual(await run(page, () => window.heard), [...numbers, whisper]);
  assert.match((await told(live, 'onError'))[0][0], /a message is/);
  assert.deepEqual(await run(live, () => window.heard), numbers, 'the whisper is for one');

  await run(page, (event) => {
    const { ext } = window.Twitch;
    ext.unlisten('broadcast', window.listener);
    ext.send(`whisper-${ext.viewer.opaqueId}`, 'application/json', { event, data: 'to myself' });
    ext.send('broadcast', 'application/json', { event, data: 'not mine to say' });
  }, `sandbox:${EXTENSION}:n`);
  assert.match((await told(page, 'onError'))[0][0], /unauthorized/);
  await page.waitForFunction(() => window.heard.length >= 22);
  assert.equal((await run(page, () => window.heard)).at(-1)[2], 'to myself');
});

test('a page becomes somebody else, and hears that channel and no other', async (t) => {
  const page = await open(t, viewer);
  await told(page, 'configuration.onChanged');
  await run(page, () => {
    window.heard = [];
    window.Twitch.ext.listen('broadcast', (_, __, message) => window.heard.push(JSON.parse(message).data));
    window.Twitch.ext.rig.set({ identity: { channel: '4460002', user: '72' } });
  });
  const [, [auth]] = await told(page, 'onAuthorized', 2);
  assert.deepEqual([auth.channelId, auth.userId], ['4460002', 'U72']);
  await page.waitForFunction(() => window.Twitch.ext.viewer.id === '72');
  const backend = { app_id: EXTENSION, channel_id: 'all', user_id: '1', role: 'backend' };
  const { body } = await call(rig.server, 'POST', 'authtoken', { body: backend });
  const authorization = `${EXTENSION} ${body.token}`;
  const say = (channel, data) =>
    call(rig.server, 'POST', 'broadcast', { authorization, body: { target: 'broadcast', event: 'e', user_id: channel, data } });
  // The new channel is heard once the socket has moved; from then on the old one is not.
  let n = 0;
  while ((await run(page, () => window.heard.filter((data) => data.there).length)) === 0) {
    await say('4460002', { there: (n += 1) });
  }
  await say(CHANNEL, { here: true });
  await say('4460002', { there: 'last' });
  await page.waitForFunction(() => window.heard.some((data) => data.there === 'last'));
  assert.ok(!(await run(page, () => window.heard)).some((data) => data.here));
});

test('without anybody to be, a page waits until the page around it says who', async (t) => {
  const page = await (await rig.browser.newContext()).newPage();
  t.after(() => page.context().close());
  await page.goto(rig.pages.base + 'plain');
  const script = `${rig.server.rest}/rig/twitch-ext.js`;
  await page.evaluate((script) => {
    window.addEventListener('message', ({ data, source }) => {
      if (data.crowdlinkRig !== 'ready') return;
      const identity = { ext: 'helper-suite', channel: '4460001', user: '73' };
      source.postMessage({ crowdlinkRig: { identity, context: { game: 'Chess' } } }, '*');
    });
    const frame = document.createElement('iframe');
    frame.name = 'inside';
    frame.src = `/plain?script=${encodeURIComponent(script)}`;
    document.body.append(frame);
  }, script);
  const frame = await (await page.waitForSelector('iframe')).contentFrame();
  await frame.waitForFunction(() => window.Twitch?.ext.viewer.id === '73');
  const context = await frame.evaluate(() => new Promise((resolve) => window.Twitch.ext.onContext(resolve)));
  assert.equal(context.game, 'Chess');
});
