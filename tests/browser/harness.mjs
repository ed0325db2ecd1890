// What every test file starts: the server under test, the page's own server and a browser.
import assert from 'node:assert/strict';

import { PLATFORM, startBrowser, startPages } from './browser.mjs';
import { selfSigned } from './certificate.mjs';
import { startCrowdlink } from './crowdlink.mjs';

/** The longest any single step may take. Steps wait for a condition; this bounds the wait. */
export const STEP_MS_MAX = 15_000;

export const EXTENSION = 'browser-suite-extension';

/**
 * Starts everything; what started is stopped again when a later part does not start. With `tls`
 * REST and viewers are served over TLS, and the browser finds this server where the library looks
 * for the hosted service (spec 4.2).
 */
export async function startRig({ tls = false } = {}) {
  const rig = new Rig();
  try {
    const certificate = tls && selfSigned('hosted service');
    rig.server = await startCrowdlink({ certificate });
    rig.pages = await startPages();
    const hosted = certificate && { port: new URL(rig.server.rest).port, ...certificate };
    rig.browser = await startBrowser({ tls: hosted });
  } catch (error) {
    await rig.stop().catch(() => {});
    throw error;
  }
  return rig;
}

class Rig {
  /**
   * Opens the extension's page as somebody: `{role, channel, user}`, of another `extension`, with a
   * clock that is wrong by `clockShiftMs`. Resolves once the library has loaded; an error thrown in
   * the page fails the test that opened it. The set-up says what is around the library:
   * - `bare`: nothing, it hears no events;
   * - `shim`: the script of the server that brings its message socket here;
   * - `hosted`: nothing, and the hosted service's names lead here (`startRig({tls: true})`);
   * - `helper`: the platform's frame, and the server's helper script in place of the platform's;
   * - `production`: likewise, on the platform's own domain, with a `token` of production.
   */
  async open(test, { setUp = 'bare', clockShiftMs = 0, analytics, ...who }) {
    const context = await this.browser.newContext();
    test.after(() => context.close());
    context.setDefaultTimeout(STEP_MS_MAX);
    await context.addInitScript(shiftClock, clockShiftMs);
    const page = await context.newPage();
    const thrown = [];
    page.on('pageerror', (error) => thrown.push(error));
    test.after(() => assert.deepEqual(thrown, [], 'errors thrown in the page'));
    if (analytics) await standInForVendor(context);
    const extension = who.extension ?? EXTENSION;
    const address = this.address({ ...who, extension, setUp, analytics });
    if (!FRAMED.includes(setUp)) {
      await page.goto(address);
      assert.equal(await shown(page, 'status'), 'loaded');
      return page;
    }
    // The platform frames its pages within one domain: storage of a third party is shut off.
    const frameAddress = new URL('/frame', address);
    frameAddress.hash = encodeURIComponent(address);
    await page.goto(frameAddress.href);
    const frame = page.frame({ name: 'extension' });
    assert.equal(await shown(frame, 'status'), 'loaded');
    return frame;
  }

  /** Where the extension's page is for somebody. */
  address({ token, ...who }) {
    const server = who.setUp === 'production' ? this.server.production : this.server.rest;
    const scripts = {
      shim: '/rig/medkit-local.js',
      helper: '/rig/twitch-ext.js',
      production: '/rig/twitch-ext.js',
    };
    const path = scripts[who.setUp];
    const page = {
      ...who,
      server: who.setUp === 'hosted' ? undefined : server,
      script: path && `${this.server.rest}${path}`,
    };
    const url = new URL(this.pages.base);
    if (who.setUp === 'production') {
      url.hostname = `extension${PLATFORM}`;
      url.search = new URLSearchParams({ ext: who.extension, token });
    } else if (who.setUp === 'helper') {
      const { extension: ext, channel, user, role } = who;
      url.search = new URLSearchParams({ ext, channel, user, role });
    }
    url.hash = encodeURIComponent(JSON.stringify(page));
    return url.href;
  }

  /** Stops what was started, everything even if one part fails to. */
  async stop() {
    const parts = [this.pages, this.server];
    const stops = [this.browser?.close(), ...parts.map((part) => part?.stop())];
    const failed = (await Promise.allSettled(stops)).filter(({ status }) => status === 'rejected');
    if (failed.length > 0) throw failed[0].reason;
  }
}

/** Set-ups in which the library is to find itself in the platform's frame. */
const FRAMED = ['helper', 'production'];

/** Places of the library's vendor and of the platform that some of its calls turn to, and no other. */
async function standInForVendor(context) {
  await context.addInitScript(() => {
    window.analytics = [];
  });
  await context.route('https://info.muxy.io/**', async (route) => {
    const body = route.request().postData();
    await route.request().frame().evaluate((body) => window.analytics.push(body), body);
    await route.fulfill({ json: {}, headers: { 'access-control-allow-origin': '*' } });
  });
  const HELIX = 'https://api.twitch.tv/helix/';
  await context.route(`${HELIX}**`, (route) => {
    const request = route.request();
    const asked = `${request.method()} ${request.url().slice(HELIX.length)}`;
    return route.fulfill({
      json: { data: [asked] },
      headers: { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' },
    });
  });
  await context.route('https://dev.muxy.io/**', (route) =>
    route.fulfill({ json: {}, headers: { 'access-control-allow-origin': '*' } }),
  );
}

/** Makes the page's clock wrong by so many milliseconds; `realNow` keeps the right one. */
function shiftClock(ms) {
  const Real = Date;
  window.realNow = () => Real.now();
  window.Date = class extends Real {
    constructor(...parts) {
      if (parts.length === 0) super(Real.now() + ms);
      else super(...parts);
    }

    static now() {
      return Real.now() + ms;
    }
  };
}

/** The text of an output of the page, as soon as it has any. */
export function shown(page, id) {
  return page.locator(`#${id}:not(:empty)`).textContent();
}

/** Waits until an output of the page shows just this. */
export function shows(page, id, text) {
  return page.locator(`#${id}`).filter({ hasText: new RegExp(`^${text}$`) }).waitFor();
}

/** Clicks a button of the page by the name people read. */
export function click(page, name) {
  return page.getByRole('button', { name, exact: true }).click();
}

/** The refusal that the last click met, as the library rejected with it. */
export async function refusal(page) {
  return JSON.parse(await shown(page, 'refusal'));
}
