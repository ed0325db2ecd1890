// What every test file starts: the server under test, the page's own server and a browser.
import assert from 'node:assert/strict';

import { startBrowser, startPages } from './browser.mjs';
import { startCrowdlink } from './crowdlink.mjs';

/** The longest any single step may take. Steps wait for a condition; this bounds the wait. */
export const STEP_MS_MAX = 15_000;

export const EXTENSION = 'browser-suite-extension';

/** Starts everything; what started is stopped again when a later part does not start. */
export async function startRig() {
  const rig = new Rig();
  try {
    rig.server = await startCrowdlink();
    rig.pages = await startPages();
    rig.browser = await startBrowser();
  } catch (error) {
    await rig.stop().catch(() => {});
    throw error;
  }
  return rig;
}

class Rig {
  /**
   * Opens the extension's page as somebody: `{role, channel, user, clockShiftMs, local}`. Resolves
   * once the library has loaded; an error thrown in the page fails the test that opened it. With
   * `local` the page loads the server's shim, which brings the library's message socket here.
   */
  async open(test, { role, channel, user, clockShiftMs = 0, local = false }) {
    const context = await this.browser.newContext();
    test.after(() => context.close());
    context.setDefaultTimeout(STEP_MS_MAX);
    await context.addInitScript(shiftClock, clockShiftMs);
    const page = await context.newPage();
    const thrown = [];
    page.on('pageerror', (error) => thrown.push(error));
    test.after(() => assert.deepEqual(thrown, [], 'errors thrown in the page'));
    const who = { server: this.server.rest, extension: EXTENSION, role, channel, user, local };
    await page.goto(`${this.pages.base}#${encodeURIComponent(JSON.stringify(who))}`);
    assert.equal(await shown(page, 'status'), 'loaded');
    return page;
  }

  /** Stops what was started, everything even if one part fails to. */
  async stop() {
    const stops = [this.browser?.close(), this.pages?.stop(), this.server?.stop()];
    const failed = (await Promise.allSettled(stops)).filter(({ status }) => status === 'rejected');
    if (failed.length > 0) throw failed[0].reason;
  }
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
