// @ts-check
// The platform's helper, `window.Twitch.ext`, from this server (spec 4.4):
//   <script src="http://127.0.0.1:5050/rig/twitch-ext.js"></script>
// Who the page is comes from its query string (?ext=…&channel=…&user=…&role=…, or &token=…), else
// from that of this script, else from `Twitch.ext.rig.set({ identity })` or the page around it.

/**
 * Who the page is: an extension's client id, a channel, a user (none: not logged in), viewer or
 * another role, whether a viewer shares the user id; or a token to use as it is, in production the
 * only way.
 * @typedef {{ext?: string, channel?: string, user?: string, role?: string, linked?: boolean, token?: string}} Identity
 * @typedef {{channelId: string, clientId: string, token: string, userId: string}} Auth
 * @typedef {{sku: string, displayName: string, cost: {amount: number, type: string}}} Product
 * @typedef {(target: string, contentType: string, message: string) => void} Listener
 */
/**
 * What the rig may change while the page runs; `subscription` is `viewer.subscriptionStatus`.
 * @typedef {{identity?: Identity, context?: Record<string, unknown>, features?: Record<string, boolean>,
 *   subscription?: {tier: string} | null, visible?: boolean, highlighted?: boolean, position?: {x: number, y: number}}} Changes
 */
(() => {
'use strict';
const page = /** @type {any} */ (window);
if (page.Twitch?.ext) return; // The platform's own is there.

/** Share of a token's life after which it is renewed. */
const RENEW_AFTER = 0.8;
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 5_000;
/** No timer waits longer. */
const RENEW_MS_MAX = 2 ** 31 - 1;
const SENDS_WAITING_MAX = 100;

const here = new URL(/** @type {HTMLScriptElement} */ (document.currentScript).src);
const query = new URLSearchParams(location.search);
/** @param {string} name */
const said = (name) => query.get(name) || here.searchParams.get(name) || undefined;
/** @type {number | null} The server writes it in. */
const productionPort = /** @type {any} */ ('PRODUCTION_PORT');

const event = () => {
  /** @type {Function[]} */
  const callbacks = [];
  return {
    add: (/** @type {Function} */ callback) => void callbacks.push(callback),
    tell: (/** @type {any[]} */ ...args) => callbacks.forEach((callback) => safely(callback, args)),
  };
};
/** A callback that throws does not stop the others. @param {Function} callback @param {any[]} args */
function safely(callback, args) {
  try {
    callback(...args);
  } catch (error) {
    reportError(error);
  }
}
const [failed, authorized, viewerChanged, completed, cancelled, followed, configurationChanged,
  contextChanged, featuresChanged, visibilityChanged, positionChanged, highlightChanged,
] = Array.from({ length: 12 }, event);
const fail = (/** @type {unknown} */ error) =>
  failed.tell(error instanceof Error ? error : new Error(String(error)));

// Who the page is.
/** @type {Identity} */
let who = { linked: said('linked') !== '0' };
/** @type {const} */ (['ext', 'channel', 'user', 'role', 'token']).forEach((name) => (who[name] = said(name)));
/** @type {Auth | undefined} */
let auth;
/** @type {Record<string, any>} */
let claims = {};
let stage = 'sandbox';
/** @type {{tier: string} | null} */
let subscription = null;
/** Counts tries to become somebody; an earlier one is dropped. */
let turn = 0;
let tries = 0;
/** @type {number | undefined} */
let timer;

function pause() {
  const ms = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(tries++, 10));
  return ms * (0.5 + Math.random() / 2);
}

/** Gets a token for who the page is, and again before it ends. */
async function authorize() {
  const mine = ++turn;
  clearTimeout(timer);
  if (who.token) return use(who.token);
  const { ext, user, role = 'viewer', linked } = who;
  const channel = who.channel ?? (role === 'broadcaster' ? user : undefined);
  if (!ext || !channel) return;
  try {
    const asked = { app_id: ext, channel_id: channel, user_id: user, role, is_unlinked: !linked };
    const { token } = await call('POST', '/v1/e/authtoken', asked, here.origin);
    if (mine === turn) use(token);
  } catch (error) {
    if (mine !== turn) return;
    const status = /** @type {any} */ (error).status;
    if (status >= 400 && status < 500 && status !== 429) fail(error);
    else timer = setTimeout(authorize, pause());
  }
}

/** @param {string} token */
function use(token) {
  try {
    const payload = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    claims = JSON.parse(atob(payload));
  } catch {
    return fail('the token is no JWT');
  }
  stage = claims.allowed_stage === 'sandbox' ? 'sandbox' : 'production';
  const clientId = who.ext ?? claims.app_id;
  const before = auth;
  auth = { channelId: claims.channel_id, clientId, token, userId: claims.opaque_user_id };
  if (!who.token) {
    const lifeMs = (claims.exp - claims.iat) * 1_000 * RENEW_AFTER;
    timer = setTimeout(authorize, Math.min(lifeMs, RENEW_MS_MAX));
  }
  if (before?.clientId !== clientId || before?.channelId !== auth.channelId) latest.clear();
  // A socket that is open takes the new token too.
  if (socket && socket.url === address()) present();
  else connect();
  authorized.tell(auth);
  viewerChanged.tell();
}

// The server.
function base() {
  const named = said('server');
  if (named) return named.replace(/\/$/, '');
  if (stage === 'sandbox' || !productionPort) return here.origin;
  return Object.assign(new URL(here.origin), { port: productionPort }).origin;
}

/** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
async function call(method, path, body, root = base()) {
  /** @type {Record<string, string>} */
  const headers = auth ? { Authorization: `${auth.clientId} ${auth.token}` } : {};
  const response = await fetch(root + path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (response.ok) return answer;
  const text = [answer.reason, answer.info].filter(Boolean).join(': ');
  throw Object.assign(new Error(text), { status: response.status });
}

// The viewer socket.
/** @type {WebSocket | undefined} */
let socket;
let heardBefore = false;
const address = () => `${base().replace(/^http/, 'ws')}/v1/viewer`;
const present = () => {
  if (socket?.readyState !== WebSocket.OPEN) return; // It does so once it is.
  socket.send(JSON.stringify({ authorization: `${auth?.clientId} ${auth?.token}` }));
};

function connect() {
  socket?.close();
  const opened = new WebSocket(address());
  socket = opened;
  opened.onopen = present;
  opened.onmessage = ({ data }) => {
    if (socket !== opened) return;
    const frame = JSON.parse(data);
    if (frame.error) fail(frame.error.reason);
    else if (frame.ok) listening();
    else hear(frame.target, frame.message);
  };
  opened.onclose = ({ code }) => {
    if (socket !== opened) return;
    socket = undefined;
    // 1008: the token is no good.
    if (code !== 1008) setTimeout(() => socket ?? connect(), pause());
    else if (!who.token) timer = setTimeout(authorize, pause());
  };
}

function listening() {
  tries = 0;
  parts = [];
  catchUp(heardBefore).catch(fail);
  heardBefore = true;
}

// What viewers hear.
/** @type {Map<string, Listener[]>} */
const listeners = new Map();
/** The latest of each state-like event. @type {Map<string, string>} */
const latest = new Map();
/** Messages are noted in order, also those that must be unpacked. */
let noted = Promise.resolve();
/** @type {string[]} */
let parts = [];

const scope = () => `${stage}:${auth?.clientId}:`;

/** Keeps parts back until all are there: a lost connection leaves no half message. @param {string} target @param {string} text */
function hear(target, text) {
  const [, index, count = '1'] = text.match(/^<(\d+),(\d+)>/) ?? [];
  if (!Number(index)) parts = [];
  parts.push(text);
  if (parts.length < Number(count)) return;
  const whole = parts.splice(0);
  noted = noted.then(() => note(whole)).catch(fail);
  whole.forEach((part) => deliver(target, part));
}

/** @param {string} target @param {string} text */
function deliver(target, text) {
  const callbacks = listeners.get(target) ?? [];
  callbacks.forEach((callback) => safely(callback, [target, 'application/json', text]));
}

/** Keeps what a message says, in any encoding (spec 4.1), where it is state-like (spec 4.3). @param {string[]} parts */
async function note(parts) {
  let text = parts.map((part) => part.replace(/^<[\d,]+>/, '')).join('');
  if (text[0] !== '{') {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    text = await new Response(stream).text();
  }
  const { event, data } = JSON.parse(text);
  const name = event.startsWith(scope()) ? event.slice(scope().length) : '';
  if (/^(channel|extension)_(state|config)_update$/.test(name)) keep(name, data);
}

/** @param {string} name @param {any} data */
function keep(name, data) {
  latest.set(name, JSON.stringify(data));
  if (name === 'channel_config_update') {
    segments = { ...data.configuration, global: segments.global };
  } else if (name === 'extension_config_update') {
    segments = { ...segments, global: data.configuration?.global };
  } else return;
  const text = JSON.stringify(segments);
  if (text !== segmentsTold) configurationChanged.tell();
  segmentsTold = text;
}

/** Reads what may have changed unheard, and tells what did. @param {boolean} tell */
async function catchUp(tell) {
  await noted;
  const before = new Map(latest);
  const config = await call('GET', '/v1/e/config');
  const state = tell ? await call('GET', '/v1/e/all_state') : undefined;
  await noted;
  for (const [name, data] of Object.entries({
    channel_config_update: config.channel,
    extension_config_update: config.extension,
    channel_state_update: state?.channel,
    extension_state_update: state?.extension,
  })) {
    const known = latest.get(name);
    // What came in the meantime is newer.
    if (!data || known !== before.get(name) || known === JSON.stringify(data)) continue;
    keep(name, data);
    const target = name.startsWith('channel') ? 'broadcast' : 'global';
    if (tell) deliver(target, JSON.stringify({ data, event: scope() + name }));
  }
}

// What the page sends: one after the other, so that it arrives in order.
let sending = Promise.resolve();
let sendsWaiting = 0;
/** @param {string} target @param {string} contentType @param {any} message */
function send(target, contentType, message) {
  if (sendsWaiting >= SENDS_WAITING_MAX) return fail('too many messages wait to be sent');
  sendsWaiting += 1;
  const sent = async () => {
    const { event, data } = typeof message === 'string' ? JSON.parse(message) : message;
    if (!event?.startsWith(scope())) throw new Error(`a message is {event: "${scope()}…", data}`);
    if (target === `whisper-${auth?.userId}`) {
      await call('POST', '/v1/e/whisper_self', { event: event.slice(scope().length), data });
    } else {
      const body = { target, event, data, user_id: auth?.channelId };
      await call('POST', '/v1/e/pusher_broadcast', body);
    }
  };
  sending = sending.then(sent).catch(fail).finally(() => (sendsWaiting -= 1));
}

// Dialogs.
let asking = false;
/** Whether the first button was pressed. @param {string} question @param {string[]} names @returns {Promise<boolean>} */
function ask(question, ...names) {
  if (asking) return Promise.reject(new Error('a dialog is open already'));
  asking = true;
  const host = document.createElement('div');
  const dialog = document.createElement('dialog');
  dialog.append(question, document.createElement('hr'));
  for (const name of names) {
    const button = document.createElement('button');
    button.textContent = name;
    button.onclick = () => dialog.close(name);
    dialog.append(button, ' ');
  }
  host.attachShadow({ mode: 'open' }).append(dialog);
  document.documentElement.append(host);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      asking = false;
      host.remove();
      resolve(dialog.returnValue === names[0]);
    };
  });
}

// Bits.
let loopback = false;

/** The page's own list, as the library takes it; else the SKUs of the channel's config. @returns {Promise<Product[]>} */
async function products() {
  const own = page.MEDKIT_PURCHASABLE_ITEMS;
  if (own) return own;
  const { channel } = await call('GET', '/v1/e/config');
  return Object.entries(channel.skus ?? {}).map(([sku, { price, displayName = sku }]) => {
    const domain = `twitch.ext.${auth?.clientId}`;
    return { sku, displayName, domain, inDevelopment: true, cost: { amount: price, type: 'bits' } };
  });
}

/** @param {string} sku */
async function purchase(sku) {
  if (!bitsEnabled()) throw new Error('bits are not enabled');
  const product = (await products()).find((product) => product.sku === sku);
  if (!product) throw new Error(`no product has the SKU ${sku}`);
  const amount = Number(product.cost.amount);
  const question = `Use ${amount} bits for ${product.displayName}?`;
  if (!loopback && !(await ask(question, 'Use bits', 'Cancel'))) return cancelled.tell();
  const receipt = await call('POST', '/rig/receipt', { ...product, cost: { amount } });
  const userId = claims.user_id ?? claims.opaque_user_id;
  const displayName = said('name') ?? `User ${userId}`;
  completed.tell({ ...receipt, displayName, userId, product, initiator: 'current_user' });
}
const useBits = (/** @type {string} */ sku) =>
  void purchase(sku).catch((error) => (fail(error), cancelled.tell()));

// Identity, follows.
async function shareId() {
  if (!['viewer', 'moderator'].includes(claims.role) || who.token || !who.user) {
    throw new Error('only a viewer who is logged in, with no token given, can share an id');
  }
  const verb = who.linked ? 'Withdraw' : 'Share';
  if (!(await ask(`${verb} your user id? (This extension only.)`, verb, 'Cancel'))) return;
  who.linked = !who.linked;
  await authorize();
}

// Configuration: kept in the channel's and the extension's config (spec 3.3).
/** @type {Record<string, {version: string, content: string} | undefined>} */
let segments = {};
/** @type {string | undefined} */
let segmentsTold;
/** @param {string} segment @param {string} version @param {string} content */
function setSegment(segment, version, content) {
  const path = `/v1/e/config/${segment === 'global' ? 'extension' : 'channel'}`;
  call('PATCH', path, { configuration: { [segment]: { version, content } } }).catch(fail);
}

// The player around the page.
/** @type {Record<string, unknown>} */
let context = {
  arePlayerControlsVisible: false,
  bitrate: 6_000,
  bufferSize: 2,
  displayResolution: `${innerWidth}x${innerHeight}`,
  game: said('game') ?? '',
  hlsLatencyBroadcaster: 2,
  isFullScreen: false,
  isMuted: false,
  isPaused: false,
  isTheatreMode: false,
  language: said('language') ?? navigator.language,
  mode: said('mode') ?? 'viewer',
  playbackMode: 'video',
  theme: said('theme') ?? 'light',
  videoResolution: '1920x1080',
  volume: 1,
};
/** @type {Record<string, boolean>} */
const flags = { isBitsEnabled: true, isChatEnabled: true, isSubscriptionStatusAvailable: true };
// Production signs no receipts.
const bitsEnabled = () => flags.isBitsEnabled && stage === 'sandbox';

/** @param {Record<string, any>} current @param {Record<string, any>} [wanted] */
const changed = (current, wanted = {}) =>
  Object.keys(wanted).filter((key) => current[key] !== wanted[key]);
/** @param {boolean} visible */
const show = (visible) => visibilityChanged.tell(visible, visible ? context : undefined);

/** @param {Changes} changes */
function set({ identity, subscription: tier, visible, highlighted, position, ...changes }) {
  const keys = changed(context, changes.context);
  context = { ...context, ...changes.context };
  if (keys.length > 0) contextChanged.tell(context, keys);
  const switched = changed(flags, changes.features);
  Object.assign(flags, changes.features);
  if (switched.length > 0) featuresChanged.tell(switched);
  if (tier !== undefined) {
    subscription = tier;
    viewerChanged.tell();
  }
  if (visible !== undefined) show(visible);
  if (highlighted !== undefined) highlightChanged.tell(highlighted);
  if (position) positionChanged.tell(position);
  if (!identity) return;
  who = { ...who, token: undefined, ...identity };
  authorize();
}

/** Tells also what there is already. @param {(callback: any) => void} add @param {() => any[] | undefined} present */
const withPresent = (add, present) => (/** @type {Function} */ callback) =>
  queueMicrotask(() => {
    add(callback);
    const args = present();
    if (args) safely(callback, args);
  });

const ext = {
  onAuthorized: withPresent(authorized.add, () => auth && [auth]),
  onContext: withPresent(contextChanged.add, () => [context, Object.keys(context)]),
  onError: failed.add,
  onVisibilityChanged: visibilityChanged.add,
  onPositionChanged: positionChanged.add,
  onHighlightChanged: highlightChanged.add,
  send,
  /** @param {string} target @param {Listener} callback */
  listen(target, callback) {
    listeners.set(target, [...(listeners.get(target) ?? []), callback]);
  },
  /** @param {string} target @param {Listener} callback */
  unlisten(target, callback) {
    const rest = (listeners.get(target) ?? []).filter((known) => known !== callback);
    if (rest.length > 0) listeners.set(target, rest);
    else listeners.delete(target);
  },
  viewer: {
    get opaqueId() { return claims.opaque_user_id; },
    get id() { return claims.user_id ?? null; },
    get role() { return claims.role; },
    get isLinked() { return claims.user_id !== undefined; },
    get sessionToken() { return auth?.token; },
    get subscriptionStatus() { return flags.isSubscriptionStatusAvailable ? subscription : null; },
    onChanged: viewerChanged.add,
  },
  features: {
    get isBitsEnabled() { return bitsEnabled(); },
    get isChatEnabled() { return flags.isChatEnabled; },
    get isSubscriptionStatusAvailable() { return flags.isSubscriptionStatusAvailable; },
    onChanged: featuresChanged.add,
  },
  bits: {
    getProducts: products,
    useBits,
    showBitsBalance() {
      const balance = call('GET', '/v1/e/coins');
      balance.then(({ balance }) => ask(`Your balance is ${balance}.`, 'Close')).catch(fail);
    },
    /** @param {boolean} on */
    setUseLoopback: (on) => void (loopback = on),
    onTransactionComplete: completed.add,
    onTransactionCancelled: cancelled.add,
  },
  actions: {
    requestIdShare: () => void shareId().catch(fail),
    /** @param {string} channel */
    followChannel(channel) {
      const asked = ask(`Follow ${channel}?`, 'Follow', 'Cancel');
      asked.then((follows) => followed.tell(follows, channel)).catch(fail);
    },
    onFollow: followed.add,
    minimize: () => show(false),
  },
  configuration: {
    get broadcaster() { return segments.broadcaster; },
    get developer() { return segments.developer; },
    get global() { return segments.global; },
    set: setSegment,
    onChanged: withPresent(configurationChanged.add, () => (segmentsTold ? [] : undefined)),
  },
  purchases: {
    beginPurchase: useBits,
    getPrices: products,
    onReloadEntitlements: completed.add,
  },
  rig: { set },
};
page.Twitch = { ...page.Twitch, ext };

document.addEventListener('visibilitychange', () => show(!document.hidden));
// The rig's page around this one may change all that, nobody else's.
addEventListener('message', ({ source, origin, data }) => {
  const isLocal = /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(origin);
  const isAround = source === parent && source !== window;
  if (isAround && (isLocal || origin === here.origin) && data?.crowdlinkRig) set(data.crowdlinkRig);
});
if (parent !== window) parent.postMessage({ crowdlinkRig: 'ready' }, '*');
authorize();
})();
