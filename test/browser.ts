/** A real browser for tests: the Chromium of this machine, and the page built from its sources. */
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Browser, chromium } from 'playwright-core';
import { filesUnder, ROOT } from './sources.ts';

const PLACES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** A camera and a microphone that play test patterns; nothing that asks hosts outside. */
const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'],
  ...['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
];

/** Where the browser is; undefined where there is none. */
export function findBrowser(): string | undefined {
  return PLACES.find((place) => place && existsSync(place));
}

/** Starts the browser; it is closed after the test. Skips the test with one line where there is none. */
export async function openBrowser(t: TestContext): Promise<Browser | undefined> {
  const executablePath = findBrowser();
  if (executablePath === undefined) {
    t.skip('no Chromium on this machine (CHROMIUM names one)');
    return undefined;
  }
  const browser = await startBrowser(executablePath);
  t.after(() => browser.close());
  return browser;
}

/** Starts the browser at that place. */
export function startBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: FLAGS });
}

/** Builds the page where it has not been built since its sources were changed. */
export function buildPage(): void {
  const built = join(ROOT, 'dist', 'web', 'index.html');
  const sources = filesUnder('web').map((file) => join(ROOT, file));
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  if (existsSync(built) && statSync(built).mtimeMs > newest) return;
  const vite = join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js');
  execFileSync(process.execPath, [vite, 'build', 'web', '--logLevel', 'error'], {
    cwd: ROOT,
    stdio: 'inherit',
  });
}
