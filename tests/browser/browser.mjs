// A real browser that reaches this machine and nothing else, and the server of the test page.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const FILES = {
  '/': ['page/index.html', 'text/html; charset=utf-8'],
  '/frame': ['page/frame.html', 'text/html; charset=utf-8'],
  '/listening.js': ['page/listening.js', 'text/javascript'],
  '/local.js': ['page/local.js', 'text/javascript'],
  '/page.js': ['page/page.js', 'text/javascript'],
  '/plain': ['page/plain.html', 'text/html; charset=utf-8'],
  '/surface.js': ['page/surface.js', 'text/javascript'],
  '/timing.js': ['page/timing.js', 'text/javascript'],
  '/medkit.umd.js': ['node_modules/@muxy/extensions-js/dist/medkit.umd.js', 'text/javascript'],
};

/** Where the library turns if nothing else is said. */
const HOSTED = ['sandbox.api.muxy.io', 'ws-us2.pusher.com'];
/** The platform serves pages from names that end so; here these lead to this machine. */
export const PLATFORM = '.ext-twitch.tv';

/**
 * Debian's Chromium with a profile of its own, which is gone when it is closed. With `tls`, names of
 * the hosted service resolve to that port of this machine, and its key is trusted.
 */
export function startBrowser({ tls } = {}) {
  const hosted = tls ? HOSTED.map((name) => `MAP ${name}:443 127.0.0.1:${tls.port}, `).join('') : '';
  return chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
    headless: true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-quic',
      '--no-first-run',
      // The page library also tries a hosted message service: no name resolves here.
      `--host-resolver-rules=${hosted}MAP *${PLATFORM} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
      ...(tls ? [`--ignore-certificate-errors-spki-list=${tls.keyHash}`] : []),
    ],
  });
}

/** Serves the test page and the library, byte for byte as it was published. */
export async function startPages() {
  const server = createServer(async (request, response) => {
    const file = FILES[request.url.split('?')[0]];
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    const body = await readFile(fileURLToPath(new URL(file[0], import.meta.url)));
    response.writeHead(200, { 'content-type': file[1], 'cache-control': 'no-store' }).end(body);
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const base = `http://127.0.0.1:${server.address().port}/`;
  const stop = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { base, stop };
}
