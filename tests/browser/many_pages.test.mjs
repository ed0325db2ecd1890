// Several pages at once (spec 4.1): every event reaches exactly whom it should, in order, whole;
// nothing crosses a channel, an extension or a stage.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { startRig } from './harness.mjs';
import { platformToken } from './tokens.mjs';

const [HERE, THERE] = ['4458001', '4458002'];
const BIG = [
  ['30 KB that pack well', { text: 'abcdefghi '.repeat(3_000) }],
  ['30 KB that do not', { text: randomBytes(22_500).toString('base64') }],
  ['80 KB that do not', { text: randomBytes(60_000).toString('base64') }],
];
const EVENTS = [
  'song',
  'end',
  'everywhere',
  'json_store_update:*',
  'vote_update:*',
  ...['channel', 'extension'].flatMap((of) => [`${of}_state_update`, `${of}_config_update`]),
];

let rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.stop());

/** Opens a page of everybody who is to hear something, or not to; each notes what it hears. */
async function everybody(t, setUp, extension) {
  const secret = await rig.server.register(extension, HERE);
  const viewer = (channel, user) => ({ role: 'viewer', channel, user, setUp, extension });
  const broadcaster = { role: 'broadcaster', channel: HERE, user: HERE, setUp, extension };
  const production = { ...viewer(HERE, '71'), setUp: 'production' };
  const token = platformToken(secret, production);
  const people = {
    config: broadcaster,
    live: broadcaster,
    one: viewer(HERE, '71'),
    two: viewer(HERE, '72'),
    there: viewer(THERE, '73'),
    stranger: { ...viewer(HERE, '71'), extension: `${extension}-other` },
    production: { ...production, token },
  };
  const open = async ([name, who]) => {
    const page = await rig.open(t, who);
    await page.evaluate((events) => window.listenTo(events), [
      ...EVENTS,
      ...['psst', 'end'].map((event) => [event, `U${who.user}`]),
    ]);
    await page.waitForFunction(() => window.isListening());
    return [name, page];
  };
  return Object.fromEntries(await Promise.all(Object.entries(people).map(open)));
}

/** What a page has heard, once it is so many of one event. */
async function heard(page, event, count) {
  const enough = ([event, count]) => (window.heard[event]?.length ?? 0) >= count;
  await page.waitForFunction(enough, [event, count]).catch(async () => {
    const heard = await page.evaluate(() => Object.keys(window.heard));
    throw new Error(`not ${count} of ${event} among ${heard}`);
  });
  return page.evaluate((event) => window.heard[event], event);
}

const HEARERS = ['config', 'live', 'one', 'two'];

for (const setUp of ['shim', 'helper']) {
  test(`with ${setUp}, events reach whom they should, in order, and nobody else`, async (t) => {
    const extension = `many-${setUp}`;
    const pages = await everybody(t, setUp, extension);
    const { live, one, two, there, stranger, production } = pages;

    const songs = [];
    for (const data of [{ n: 1 }, ...BIG.map(([, data]) => data), { n: 2 }]) {
      songs.push(data);
      await live.evaluate((data) => window.sdk.send('song', data), data);
      // The library sends without waiting for an answer: the next must not overtake this one.
      await heard(live, 'song', songs.length);
    }
    await live.evaluate(() => window.sdk.send('psst', 'U72', { for: 'two' }));
    await live.evaluate(() => window.sdk.signedRequest('POST', 'extension_broadcast', {
      target: 'broadcast', event: 'everywhere', data: { all: true },
    }));
    await live.evaluate(async () => {
      await window.sdk.setChannelState({ s: 1 });
      await window.sdk.setChannelConfig({ c: 1 });
      await window.sdk.setExtensionState({ s: 2 });
      await window.sdk.setExtensionConfig({ c: 2 });
      await window.sdk.signedRequest('POST', 'json_store?id=map', { level: 1 });
    });
    await one.evaluate(() => window.sdk.vote('poll', 3));
    await there.evaluate(() => window.sdk.vote('poll', 4));

    const wide = { everywhere: [{ all: true }], extension_state_update: [{ s: 2 }], extension_config_update: [{ c: 2 }] };
    const near = {
      ...wide,
      song: songs,
      channel_state_update: [{ s: 1 }],
      channel_config_update: [{ c: 1 }],
      'json_store_update:map': [{ id: 'map', value: { level: 1 } }],
    };
    const votes = (value) => ({ id: 'poll', value });
    const expected = {
      ...Object.fromEntries(HEARERS.map((name) => [name, { ...near, votes: votes(3) }])),
      there: { ...wide, votes: votes(4) },
      stranger: {},
      production: {},
    };
    expected.two.psst = [{ for: 'two' }];

    // What must come has come, then an end that comes after all that must not.
    for (const [name, { votes, ...events }] of Object.entries(expected)) {
      for (const [event, data] of Object.entries(events)) await heard(pages[name], event, data.length);
      if (votes) await heard(pages[name], 'vote_update:poll', 1);
    }
    await end({ live, there, stranger, production }, extension);
    for (const [name, page] of Object.entries(pages)) {
      await heard(page, 'end', 1);
      const { end: _, 'vote_update:poll': voted, ...events } = await page.evaluate(() => window.heard);
      const { votes, ...wanted } = expected[name];
      assert.deepEqual(events, wanted, name);
      assert.equal(voted?.[0].stats.mean, votes?.value, name);
    }
  });
}

/** Ends what each audience hears; in the sandbox and in production, of both extensions. */
async function end({ live, stranger, production }, extension) {
  const body = { target: 'broadcast', event: 'end', data: { last: true } };
  await live.evaluate((body) => window.sdk.signedRequest('POST', 'extension_broadcast', body), body);
  for (const page of [stranger, production]) {
    await page.evaluate((body) => window.sdk.signedRequest('POST', 'whisper_self', body), body);
  }
}
