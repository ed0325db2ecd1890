// One recipe for each public method of the library: who calls it, how, and what must come of it.
// They run in the order they stand, in three pages of one channel. What is broken in the library
// itself is named with the reason, and its recipe shows that it still is.
{
  const EVENT_MS_MAX = 10_000;
  const { channel, viewer, extension, server: named, setUp } = JSON.parse(
    decodeURIComponent(location.hash.slice(1)),
  );
  /** Where the library turns to, and nothing else is said. */
  const server = named ?? 'https://sandbox.api.muxy.io';
  /** With a helper the library has what the platform's pages have. */
  const helper = setUp === 'helper' || setUp === 'production';
  const muxy = window.Muxy.default;

  const same = (actual, expected) => {
    const [a, b] = [actual, expected].map((value) => JSON.stringify(value));
    if (a !== b) throw new Error(`expected ${b}, got ${a}`);
  };
  const holds = (fact, text) => {
    if (!fact) throw new Error(`expected ${text}`);
  };
  /** Rejects when nothing came in time. */
  const within = (promise) =>
    Promise.race([
      promise,
      new Promise((_, reject) => {
        setTimeout(() => reject(new Error('nothing came in time')), EVENT_MS_MAX);
      }),
    ]);
  const until = (condition) =>
    within(
      new Promise((resolve) => {
        const look = () => {
          const value = condition();
          if (value) resolve(value);
          else setTimeout(look, 10);
        };
        look();
      }),
    );
  const throws = async (act, kind) => {
    try {
      await act();
    } catch (error) {
      holds(error instanceof kind, `a ${kind.name}, got ${error}`);
      return;
    }
    throw new Error(`expected a ${kind.name}`);
  };
  /** Presses a button of the helper's dialog. */
  const press = async (name) => {
    const button = await until(() => {
      const dialogs = [...document.documentElement.children].map((child) => child.shadowRoot);
      const buttons = dialogs.flatMap((root) => [...(root?.querySelectorAll('button') ?? [])]);
      return buttons.find((button) => button.textContent === name);
    });
    button.click();
  };
  const heard = (sdk, act, ...listening) =>
    within(
      new Promise((resolve, reject) => {
        const handle = sdk.listen(...listening, (data, event) => {
          sdk.unlisten(handle);
          resolve({ data, event });
        });
        subscribed(sdk).then(act).catch(reject);
      }),
    );
  /** The library itself does not tell when its channels are there. */
  const subscribed = async (sdk) =>
    helper ||
    until(() => sdk.messenger.channel?.subscribed && sdk.messenger.globalChannel?.subscribed);
  const question = { id: 'q1', name: 'Who?', short_name: 'who', description: 'Who is it?' };
  const option = (id) => ({ id, name: id, short_name: id, description: id });

  /** [method, who calls, recipe, why it is broken] */
  const OWN = [
    ['loaded', 'viewer', async (sdk) => same(await sdk.loaded(), undefined)],
    ['setup', 'viewer', (sdk) => {
      const other = Object.create(muxy.SDK.prototype);
      other.setup('other', sdk.client, sdk.user, sdk.messenger, sdk.purchaseClient, null, sdk.loaded(), [], {});
      same(other.identifier, 'other');
      same(other.user.channelID, channel);
    }],
    ['getUser', 'viewer', async (sdk) => {
      const found = await sdk.getUser();
      same([found.channelID, found.twitchID, found.twitchOpaqueID], [channel, viewer, `U${viewer}`]);
      same([found.role, found.registeredWithMuxy, found.ip], ['viewer', true, '127.0.0.0']);
    }],
    ['getOffsetDate', 'viewer', (sdk) => {
      const offMs = Math.abs(sdk.getOffsetDate() - Date.now());
      holds(offMs < 10_000, `the right date, got one ${offMs} ms off`);
    }],
    ['onUserUpdate', 'viewer', (sdk) => {
      let told;
      sdk.onUserUpdate((user) => (told = user));
      sdk.updateUser(sdk.user);
      same(told === sdk.user, true);
    }],
    ['updateUser', 'viewer', (sdk) => {
      sdk.updateUser(sdk.user);
      same(sdk.user.channelID, channel);
    }],
    ['onContextUpdate', 'viewer', async (sdk) => {
      const told = new Promise((resolve) => sdk.onContextUpdate(resolve));
      if (!helper) return;
      window.Twitch.ext.rig.set({ context: { game: 'Tetris', isFullScreen: true } });
      same((await within(told)).game, 'Tetris');
      const { game, videoMode } = await sdk.getUser();
      same([game, videoMode], ['Tetris', 'fullscreen']);
    }],
    ['onHighlightChanged', 'viewer', (sdk) => throws(() => sdk.onHighlightChanged(() => {}), TypeError),
      'it registers with observers that are never made'],
    ['onVisibilityChanged', 'viewer', async (sdk) => {
      const told = new Promise((resolve) => sdk.onVisibilityChanged(resolve));
      if (!helper) return;
      window.Twitch.ext.rig.set({ visible: false });
      same(await within(told), false);
    }],
    ['onPositionChanged', 'viewer', async (sdk) => {
      const told = new Promise((resolve) => sdk.onPositionChanged(resolve));
      if (!helper) return;
      window.Twitch.ext.rig.set({ position: { x: 1, y: 2 } });
      same(await within(told), { x: 1, y: 2 });
    }],
    ['signedRequest', 'viewer', async (sdk) => {
      const who = await sdk.signedRequest('GET', 'user_info');
      same([who.app_id, who.channel_id, who.role], [extension, channel, 'viewer']);
      const refused = await sdk.signedRequest('POST', 'channel_state', { a: 1 }).catch((error) => error);
      same([refused.status, refused.reason], [403, 'User was unauthorized to access this resource']);
    }],

    ['setChannelConfig', 'broadcaster', async (sdk) => {
      same(await sdk.setChannelConfig({ skus: { hat: { price: 5, displayName: 'A hat' } } }), {});
    }],
    ['setExtensionConfig', 'broadcaster', async (sdk) => same(await sdk.setExtensionConfig({ e: 1 }), {})],
    ['getChannelConfig', 'viewer', async (sdk) => {
      same(await sdk.getChannelConfig(), { skus: { hat: { price: 5, displayName: 'A hat' } } });
    }],
    ['getExtensionConfig', 'viewer', async (sdk) => same(await sdk.getExtensionConfig(), { e: 1 })],
    ['getConfig', 'viewer', async (sdk) => {
      const { channel, extension } = await sdk.getConfig();
      same([channel.skus.hat.price, extension], [5, { e: 1 }]);
    }],
    ['setViewerState', 'viewer', async (sdk) => same(await sdk.setViewerState({ v: 1 }), {})],
    ['getViewerState', 'viewer', async (sdk) => same(await sdk.getViewerState(), { v: 1 })],
    ['setExtensionViewerState', 'viewer', async (sdk) => same(await sdk.setExtensionViewerState({ x: 1 }), {})],
    ['getExtensionViewerState', 'viewer', async (sdk) => same(await sdk.getExtensionViewerState(), { x: 1 })],
    ['patchExtensionViewerState', 'admin', async (sdk) => {
      const add = { op: 'add', path: '/y', value: 2 };
      same(await sdk.patchExtensionViewerState({ [viewer]: [add] }), {});
    }],
    ['multiGetExtensionViewerState', 'admin', async (sdk) => {
      same(await sdk.multiGetExtensionViewerState([viewer, '1']), { [viewer]: { x: 1, y: 2 } });
    }],
    ['getExtensionUsers', 'admin', async (sdk) => {
      const { next, results } = await sdk.getExtensionUsers();
      same(next, '0');
      holds(results.some(({ twitch_id }) => twitch_id === viewer || twitch_id === channel), 'the users seen');
    }],
    ['setExtensionState', 'admin', async (sdk) => same(await sdk.setExtensionState({ s: 'e' }), {})],
    ['getExtensionState', 'viewer', async (sdk) => same(await sdk.getExtensionState(), { s: 'e' })],
    ['setExtensionSecretState', 'admin', async (sdk) => same(await sdk.setExtensionSecretState({ k: 1 }), {})],
    ['getExtensionSecretState', 'admin', async (sdk) => same(await sdk.getExtensionSecretState(), { k: 1 })],
    ['setChannelState', 'broadcaster', async (sdk) => same(await sdk.setChannelState({ s: 'c' }), {})],
    ['getChannelState', 'viewer', async (sdk) => same(await sdk.getChannelState(), { s: 'c' })],
    ['getAllState', 'viewer', async (sdk) => {
      same(await sdk.getAllState(), {
        extension: { s: 'e' }, channel: { s: 'c' }, viewer: { v: 1 }, extension_viewer: { x: 1, y: 2 },
      });
    }],
    ['getJSONStore', 'broadcaster', async (sdk) => {
      await sdk.signedRequest('POST', 'json_store?id=map', { level: 3 });
      same(await sdk.getJSONStore('map'), { level: 3 });
    }],

    ['validateCode', 'broadcaster', async (sdk) => {
      const body = JSON.stringify({ identifier: extension });
      const answer = await fetch(`${server}/v1/e/pin`, { method: 'POST', body });
      const { pin } = await answer.json();
      same(await sdk.validateCode(pin), {});
    }],
    ['pinTokenExists', 'broadcaster', async (sdk) => same(await sdk.pinTokenExists(), { exists: true })],
    ['revokeAllPINCodes', 'broadcaster', async (sdk) => {
      same(await sdk.revokeAllPINCodes(), {});
      same(await sdk.pinTokenExists(), { exists: false });
    }],

    ['send', 'broadcaster', async (sdk) => {
      const { data } = await heard(sdk, () => sdk.send('hello', { n: 1 }), 'hello');
      same(data, { n: 1 });
    }],
    ['listen', 'broadcaster', async (sdk) => {
      const act = () => sdk.send('psst', `U${channel}`, { n: 2 });
      const whisper = await heard(sdk, act, 'psst', `U${channel}`);
      same(whisper, { data: { n: 2 }, event: 'psst' });
    }],
    ['unlisten', 'broadcaster', async (sdk) => {
      let calls = 0;
      sdk.unlisten(sdk.listen('gone', () => (calls += 1)));
      // The one that is still listened to comes after.
      await heard(sdk, () => sdk.send('gone', { n: 3 }), 'gone');
      same(calls, 0);
      // With a helper the library stays on events to all, which it has asked for beside.
      const body = { target: 'broadcast', event: 'gone', data: { n: 4 } };
      await heard(sdk, () => sdk.signedRequest('POST', 'extension_broadcast', body), 'gone');
      same(calls, helper ? 1 : 0);
    }],

    ['vote', 'viewer', async (sdk) => {
      const report = await sdk.vote('poll', 2);
      same([report.count, report.sum, report.vote], [1, 2, 2]);
    }],
    ['getVoteData', 'broadcaster', async (sdk) => {
      const { count, mean, specific } = await sdk.getVoteData('poll');
      same([count, mean, specific[2]], [1, 2, 1]);
    }],
    ['getFullVoteLogs', 'admin', async (sdk) => {
      const { result } = await sdk.getFullVoteLogs('poll');
      same(result.map(({ identifier, value }) => [identifier, value]), [[viewer, 2]]);
    }],
    ['rank', 'viewer', async (sdk) => same(await sdk.rank('songs', 'Bach'), { accepted: true })],
    ['getRankData', 'broadcaster', async (sdk) => {
      same(await sdk.getRankData('songs'), { data: [{ key: 'Bach', score: 1 }] });
    }],
    ['getRankingData', 'broadcaster', async (sdk) => {
      same(await sdk.getRankingData('songs'), { data: [{ key: 'Bach', score: 1 }] });
    }],
    ['clearRankData', 'broadcaster', async (sdk) => {
      same(await sdk.clearRankData('songs'), {});
      same(await sdk.getRankData('songs'), { data: [] });
    }],
    ['clearRanking', 'broadcaster', (sdk) => throws(() => sdk.clearRanking('songs'), RangeError),
      'it calls itself for ever'],
    ['accumulate', 'viewer', async (sdk) => same(await sdk.accumulate('taps', { n: 1 }), {})],
    ['getAccumulateData', 'broadcaster', async (sdk) => {
      const { data, latest } = await sdk.getAccumulateData('taps', 0);
      same(data.map((entry) => [entry.user_id, entry.data]), [[viewer, { n: 1 }]]);
      same(latest, data[0].observed);
    }],
    ['getAccumulation', 'broadcaster', async (sdk) => {
      const { latest } = await sdk.getAccumulation('taps', 0);
      same(await sdk.getAccumulation('taps', latest), { data: [], latest: 0 });
    }],

    ['getEligibleCodes', 'admin', async (sdk) => {
      await sdk.signedRequest('PUT', 'codes', { codes: [['ONE', 'TWO']], names: ['prizes'], indices: [0] });
      const marked = { prizes: [0], prize_limits: [1], users: [viewer] };
      same(await sdk.signedRequest('POST', 'codes/mark_from_list', marked), { marked: 1 });
      same((await sdk.getEligibleCodes()).eligible.length, 10);
    }],
    ['redeemCode', 'viewer', async (sdk) => {
      same((await sdk.getEligibleCodes()).eligible[0], 1);
      same((await sdk.redeemCode(0)).all_prizes, ['ONE']);
    }],
    ['getRedeemedCodes', 'viewer', async (sdk) => same((await sdk.getRedeemedCodes()).redeemed[0], ['ONE'])],

    ['addExtensionTriviaQuestion', 'admin', async (sdk) => {
      same((await sdk.addExtensionTriviaQuestion(question)).id, 'q1');
    }],
    ['addExtensionTriviaOptionToQuestion', 'admin', async (sdk) => {
      for (const id of ['a', 'b', 'c']) await sdk.addExtensionTriviaOptionToQuestion('q1', option(id));
      const { options } = await sdk.getExtensionTriviaQuestion('q1');
      same(options.map(({ id }) => id), ['a', 'b', 'c']);
    }],
    ['removeExtensionTriviaOptionFromQuestion', 'admin', async (sdk) => {
      const { options } = await sdk.removeExtensionTriviaOptionFromQuestion('q1', 'c');
      same(options.map(({ id }) => id), ['a', 'b']);
    }],
    ['joinExtensionTriviaTeam', 'viewer', async (sdk) => {
      same(typeof (await sdk.joinExtensionTriviaTeam()).id, 'string');
    }],
    ['getExtensionTriviaJoinedTeam', 'viewer', async (sdk) => {
      same(typeof (await sdk.getExtensionTriviaJoinedTeam()).id, 'string');
    }],
    ['setExtensionTriviaQuestionState', 'admin', async (sdk) => {
      const { Unlocked } = muxy.TriviaQuestionState;
      same(await sdk.setExtensionTriviaQuestionState('q1', Unlocked), { state: Unlocked });
    }],
    ['setExtensionTriviaQuestionVote', 'viewer', async (sdk) => {
      same(await sdk.setExtensionTriviaQuestionVote('q1', 'a'), {});
    }],
    ['getExtensionTriviaQuestions', 'viewer', async (sdk) => {
      const { questions } = await sdk.getExtensionTriviaQuestions();
      same(questions.map(({ id, results }) => [id, results.you]), [['q1', 'a']]);
    }],
    ['getExtensionTriviaQuestion', 'viewer', async (sdk) => {
      same((await sdk.getExtensionTriviaQuestion('q1')).name, 'Who?');
    }],
    ['getExtensionTriviaLeaderboard', 'admin', async (sdk) => {
      await sdk.setExtensionTriviaQuestionState('q1', muxy.TriviaQuestionState.Results, 'a');
      const { leaderboard } = await sdk.getExtensionTriviaLeaderboard();
      same(leaderboard.map(({ combined_score }) => combined_score), [100_000]);
    }],
    ['removeExtensionTriviaQuestion', 'admin', async (sdk) => {
      same(await sdk.removeExtensionTriviaQuestion('q1'), {});
      same(await sdk.getExtensionTriviaQuestions(), { questions: [] });
    }],

    ['getProducts', 'viewer', async (sdk) => {
      if (!helper) {
        const cost = { amount: 5, type: 'bits' };
        window.MEDKIT_PURCHASABLE_ITEMS = [{ sku: 'hat', displayName: 'A hat', cost }];
      }
      const [product] = await sdk.getProducts();
      same([product.sku, product.displayName, product.cost], ['hat', 'A hat', { amount: 5, type: 'bits' }]);
    }],
    ['onUserPurchase', 'viewer', async (sdk) => {
      const bought = new Promise((resolve) => sdk.onUserPurchase((...told) => resolve(told)));
      sdk.purchase('hat');
      if (setUp === 'production') return; // Nobody but the platform sells there.
      if (helper) await press('Use bits');
      const [transaction, counted] = await within(bought);
      same([transaction.product.sku, transaction.initiator], ['hat', 'current_user']);
      same(await counted, {});
      same(await sdk.signedRequest('GET', 'coins'), { balance: 5 });
    }],
    ['purchase', 'viewer', async (sdk) => {
      // Twice in one: the next recipe is about this one being cancelled.
      await throws(() => sdk.purchase(1), TypeError);
    }],
    ['onUserPurchaseCanceled', 'viewer', async (sdk) => {
      const cancelled = new Promise((resolve) => sdk.onUserPurchaseCanceled(resolve));
      if (!helper) return; // Says the library: purchases always succeed there.
      sdk.purchase('hat');
      if (setUp !== 'production') await press('Cancel');
      await within(cancelled);
    }],
    ['beginPurchase', 'viewer', async (sdk) => {
      sdk.beginPurchase('hat');
      if (setUp === 'helper') await press('Cancel');
    }],
    ['getPrices', 'viewer', async (sdk) => {
      if (!helper) return void sdk.getPrices(); // Never answered there, the library says.
      same((await sdk.getPrices()).map(({ sku }) => sku), ['hat']);
    }],
    ['onReloadEntitlements', 'viewer', async (sdk) => {
      const told = new Promise((resolve) => sdk.onReloadEntitlements(resolve));
      if (setUp !== 'helper') return;
      sdk.beginPurchase('hat');
      await press('Use bits');
      await within(told);
    }],

    ['sendAnalyticsEvent', 'viewer', async (sdk) => {
      await sdk.sendAnalyticsEvent('tap', 2, 'label');
      await until(() => window.analytics.some((body) => body.includes('ea=tap')));
    }],
    ['beginDebugHelixTokenFlow', 'viewer', async (sdk) => {
      let opened = '';
      window.open = (address) => (opened = address);
      sdk.beginDebugHelixTokenFlow();
      await until(() => opened.includes(`/login/twitch/token/${extension}/`));
    }],
  ];
  /** What is no method of a page's SDK, and public all the same. */
  const USER = [
    ['extractJWTInfo', 'viewer', async (sdk) => {
      const user = Object.create(Object.getPrototypeOf(await sdk.getUser()));
      user.extractJWTInfo(sdk.user.twitchJWT);
      same([user.role, user.twitchID], ['viewer', viewer]);
    }],
    ['anonymous', 'viewer', async (sdk) => same((await sdk.getUser()).anonymous(), false)],
    ['updateAuth', 'viewer', async (sdk) => {
      const user = await sdk.getUser();
      user.updateAuth({ token: user.twitchJWT });
      same(user.twitchID, viewer);
    }],
    ['getOffsetDate', 'viewer', async (sdk) => {
      const offMs = Math.abs((await sdk.getUser()).getOffsetDate() - Date.now());
      holds(offMs < 10_000, `the right date, got one ${offMs} ms off`);
    }],
  ];
  const MUXY = [
    // The page has called it, and may once.
    ['setup', 'viewer', () => throws(() => muxy.setup({ clientID: extension }), Error)],
    ['debug', 'viewer', () => {
      muxy.debug(new muxy.DebuggingOptions().role('viewer'));
      same([muxy.debugOptions.role, muxy.debugOptions.channelID], ['viewer', channel]);
    }],
    ['watchAuth', 'viewer', () => same([muxy.watchingAuth, muxy.user.channelID], [true, channel])],
    ['beginDebugHelixTokenFlow', 'viewer', async () => {
      let opened = '';
      window.open = (address) => (opened = address);
      muxy.beginDebugHelixTokenFlow();
      await until(() => opened.includes(`/login/twitch/token/${extension}/`));
    }],
    ['TwitchClient', 'viewer', () => same(muxy.TwitchClient().extensionId, extension)],
    ['printInfo', 'viewer', () => muxy.constructor.printInfo()],
  ];
  const TWITCH_CLIENT = [
    ['loaded', 'viewer', async () => same(await muxy.TwitchClient().loaded(), undefined)],
    ['signedTwitchHelixRequest', 'viewer', async () => {
      same(await muxy.TwitchClient().signedTwitchHelixRequest('GET', 'streams', undefined, 'token'), ['GET streams']);
    }],
    ['getTwitchUsers', 'viewer', async () => {
      same(await muxy.TwitchClient().getTwitchUsers(['a', 'b'], 'token'), ['GET users?login=a&login=b']);
    }],
    ['getTwitchUsersByID', 'viewer', async () => {
      same(await muxy.TwitchClient().getTwitchUsersByID(['1', '2'], 'token'), ['GET users?id=1,2']);
    }],
    ['setExtensionRequiredConfiguration', 'viewer', (sdk) => {
      const client = muxy.TwitchClient();
      return throws(() => client.setExtensionRequiredConfiguration(sdk.user.twitchJWT, ''), TypeError);
    }, 'it reads its own address from the query string alone'],
  ];
  const UTIL = [
    ['registerEnvironment', 'viewer', () => {
      muxy.Util.registerEnvironment('Own', { environment: 'own' });
      same(muxy.Util.Environments.Own, { environment: 'own' });
    }],
    ['errorPromise', 'viewer', async () => same(await muxy.Util.errorPromise('no').catch((error) => error), 'no')],
    ['widestLine', 'viewer', () => same(muxy.Util.widestLine(['a', 'abc']), 3)],
    ['asciiBox', 'viewer', () => same(muxy.Util.asciiBox(['abc']).length, 4)],
    ['isWindowFramed', 'viewer', () => same(muxy.Util.isWindowFramed(), helper)],
    ['currentEnvironment', 'viewer', () => {
      const { Production, SandboxDev, SandboxTwitch } = muxy.Util.Environments;
      const expected = { production: Production, helper: SandboxTwitch }[setUp] ?? SandboxDev;
      same(muxy.Util.currentEnvironment() === expected, true);
    }],
    ['consolePrint', 'viewer', () => muxy.Util.consolePrint('recipes', { boxed: true })],
    ['eventPatternMatch', 'viewer', () => {
      const { eventPatternMatch } = muxy.Util;
      same([eventPatternMatch('a:b', 'a:*'), eventPatternMatch('a:b', 'a')], [true, false]);
    }],
    ['forceType', 'viewer', () => throws(() => muxy.Util.forceType(1, 'string'), TypeError)],
    ['getTwitchEnvironment', 'viewer', () => throws(() => muxy.Util.getTwitchEnvironment(), TypeError),
      'it reads its own address from the query string alone'],
    ['extractJWTInfo', 'viewer', (sdk) => {
      same(muxy.Util.extractJWTInfo(sdk.user.twitchJWT).channel_id, channel);
    }],
  ];
  const OPTIONS = ['url', 'channelID', 'userID', 'role', 'jwt', 'environment'].map((name) => [
    name, 'viewer', () => {
      const value = name === 'url' ? 'https://localhost' : 'value';
      same(new muxy.DebuggingOptions()[name](value).options[name], value);
    },
  ]);
  for (const name of ['onPubsubSend', 'onPubsubReceive', 'onPubsubListen']) {
    OPTIONS.push([name, 'viewer', () => {
      const told = () => {};
      same(new muxy.DebuggingOptions()[name](told).options[name] === told, true);
    }]);
  }
  OPTIONS.push(['readFromQuery', 'viewer', () => {
    const query = new URLSearchParams('muxy_debug_role=admin');
    same(new muxy.DebuggingOptions().readFromQuery(query, 'role'), 'admin');
  }]);

  /** What published guides use and the shim adds. */
  const ADDED = [
    ['getAuthPin', 'broadcaster', async (sdk) => same((await sdk.getAuthPin()).pin.length, 6)],
    ['patchChannelConfig', 'broadcaster', async (sdk) => same(await sdk.patchChannelConfig({ c: 1 }), {})],
    ['getAllConfig', 'broadcaster', async (sdk) => same((await sdk.getAllConfig()).channel.c, 1)],
  ];
  const own = (of) => Object.getOwnPropertyNames(of);
  /** Where methods are found, and their recipes. */
  const CLASSES = {
    SDK: [() => own(muxy.SDK.prototype), setUp === 'shim' ? [...OWN, ...ADDED] : OWN],
    Muxy: [() => [...own(Object.getPrototypeOf(muxy)), ...own(muxy.constructor)], MUXY],
    User: [() => own(Object.getPrototypeOf(window.sdk.user)), USER],
    TwitchClient: [() => own(Object.getPrototypeOf(muxy.TwitchClient())), TWITCH_CLIENT],
    Util: [() => own(muxy.Util), UTIL],
    DebuggingOptions: [() => own(muxy.DebuggingOptions.prototype), OPTIONS],
  };
  const NO_METHODS = ['constructor', 'prototype', 'length', 'name', 'arguments', 'caller'];
  const FIELDS = ['Environments', 'availableEnvironments', 'Roles', 'VideoModes', 'overrideEnvironment'];
  window.surface = {
    /** In the order in which they run. */
    recipes: Object.entries(CLASSES).flatMap(([of, [, recipes]]) =>
      recipes.map(([method, as, , broken]) => ({ method: `${of}.${method}`, as, broken })),
    ),
    /** By reflection. */
    methods: () =>
      Object.entries(CLASSES).flatMap(([of, [names]]) =>
        names()
          .filter((name) => ![...NO_METHODS, ...FIELDS].includes(name))
          .map((name) => `${of}.${name}`),
      ),
    /** Runs one; resolves to what went wrong. */
    async run(method) {
      const [of, name] = method.split('.');
      const [, , recipe] = CLASSES[of][1].find(([known]) => known === name);
      try {
        await recipe(window.sdk);
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : JSON.stringify(error);
      }
    },
  };
}
