// Takes a picture of a page of this machine: node screenshot.mjs URL FILE.png [WIDTHxHEIGHT]
import { startBrowser } from './browser.mjs';

const [url, file, size = '1280x800'] = process.argv.slice(2);
if (!url || !file) throw new Error('usage: node screenshot.mjs URL FILE.png [WIDTHxHEIGHT]');
const [width, height] = size.split('x').map(Number);
const browser = await startBrowser();
try {
  const page = await browser.newPage({ viewport: { width, height } });
  await page.goto(url, { waitUntil: 'load' });
  await page.screenshot({ path: file, fullPage: true });
} finally {
  await browser.close();
}
