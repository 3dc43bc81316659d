// Takes the pictures of the page in docs/screenshots with a real browser and a service of its own.
// Run: npx tsx scripts/write-screenshots.ts [--looks wide-light,phone-dark] [--video FILE] [--voice FILE]
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, parse } from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { startServer } from '../src/server/server.ts';
import { buildPage, findBrowser, startBrowser } from '../test/browser.ts';
import { ROOT } from '../test/sources.ts';
import { WEB_RUNNER, webInputs } from '../test/web-inputs.ts';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(ROOT, 'docs', 'screenshots') },
    video: { type: 'string' },
    voice: { type: 'string' },
    models: { type: 'string' },
    data: { type: 'string' },
    looks: { type: 'string' },
  },
});

const WIDE = { width: 1440, height: 900 };
const PATIENCE = 300_000;
const PHONE = { width: 390, height: 844 };

interface Look {
  readonly name: string;
  readonly viewport: { readonly width: number; readonly height: number };
  readonly colorScheme: 'light' | 'dark';
  readonly locale: string;
}

const LOOKS: readonly Look[] = [
  { name: 'wide-light', viewport: WIDE, colorScheme: 'light', locale: 'en' },
  { name: 'wide-dark', viewport: WIDE, colorScheme: 'dark', locale: 'en' },
  { name: 'phone-light', viewport: PHONE, colorScheme: 'light', locale: 'zh-CN' },
  { name: 'phone-dark', viewport: PHONE, colorScheme: 'dark', locale: 'en' },
];

const folder = mkdtempSync(join(tmpdir(), 'screenshots-'));
mkdirSync(values.out, { recursive: true });
buildPage();
const made = await webInputs(folder, { seconds: 5 });
const inputs = {
  video: values.video ?? join(ROOT, 'test', 'fixtures', 'grid', 'briz6n.mp4'),
  voice: values.voice ?? made.voice,
  pair: made.pair,
};
const server = await startServer(
  {
    ...{ port: 0, data: values.data ?? join(folder, 'data'), minFree: 0 },
    ...(values.models !== undefined && { models: values.models }),
  },
  existsSync(join(ROOT, 'assets', 'mini')) || values.models !== undefined ? {} : { runner: WEB_RUNNER },
);
const browser = await startBrowser(findBrowser()!);
try {
  let dub: string | undefined;
  const wanted = LOOKS.filter(({ name }) => values.looks?.split(',').includes(name) ?? true);
  for (const look of wanted) dub = await shoot(browser, look, dub);
} finally {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}

/** All pages in one look; the dub is made in the first and shown in the others. */
async function shoot(browser: Browser, { name, ...look }: Look, made: string | undefined): Promise<string> {
  const context = await browser.newContext({ ...look, deviceScaleFactor: 1 });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') console.error(`${name}: ${message.text()}`);
  });
  page.on('pageerror', (error) => console.error(`${name}: ${error.stack}`));
  const keep = async (scene: string) => {
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(values.out, `${scene}-${name}.jpg`), type: 'jpeg', quality: 82 });
    console.log(`${scene}-${name}`);
  };
  await page.goto(server.url);
  await page.waitForSelector('.vacant');
  await keep('empty');

  await page.locator('.stage input[type=file]').setInputFiles(inputs.pair);
  await page.waitForSelector('.choices button', { timeout: PATIENCE });
  if (name === 'wide-light') await keep('faces');
  await page.locator('.stage input[type=file]').setInputFiles(inputs.video);
  await page.waitForSelector('.moment', { timeout: PATIENCE });
  await page.waitForSelector('.veil[data-drawn]', { timeout: PATIENCE });
  await page.locator('.track input[type=file]').setInputFiles(inputs.voice);
  await page.waitForSelector('.loaded', { timeout: PATIENCE });
  await page.locator('.go p').filter({ hasText: /\d/ }).waitFor({ timeout: PATIENCE });
  await page.waitForSelector('.frame[data-pending=false]');
  await keep('studio');

  let id = made;
  if (id === undefined) {
    await page.locator('.go .button').click();
    await page.waitForURL(/dubs\/\w+/);
    await page.locator('.figures').waitFor({ timeout: PATIENCE });
    await keep('work');
    id = /dubs\/(\w+)/.exec(page.url())![1]!;
    for (const picture of [join(ROOT, 'test', 'fixtures', 'astronaut.jpg'), inputs.pair])
      await addDub(picture, inputs.voice);
  }
  await page.goto(`${server.url}/#/dubs/${id}`);
  await page.waitForSelector('.findings', { timeout: PATIENCE });
  await settled(page);
  await keep('watch');
  await page.keyboard.press('w');
  await page.keyboard.press('z');
  await page.waitForTimeout(500);
  await keep('wipe');
  await page.goto(`${server.url}/v1/dubs/${id}/report?format=html`);
  await keep('report');
  await page.goto(`${server.url}/#/dubs`);
  await page.waitForSelector('.card');
  await keep('dubs');
  await page.goto(`${server.url}/#/models`);
  await page.waitForSelector('.model');
  await keep('models');
  await context.close();
  return id;
}

/** One more dub, so that the list of them is one. */
async function addDub(picture: string, voice: string): Promise<void> {
  const call = async (path: string, method: string, body: NonNullable<RequestInit['body']>, type: string) => {
    const answer = await fetch(`${server.url}/v1/${path}`, {
      ...{ method, body, headers: { 'content-type': type } },
    });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as { id: string };
  };
  const send = (path: string) =>
    call('uploads', 'PUT', new Uint8Array(readFileSync(path)), 'application/octet-stream');
  const [video, sound] = [(await send(picture)).id, (await send(voice)).id];
  const name = `${parse(picture).name} · ${parse(voice).name}`;
  await call('dubs', 'POST', JSON.stringify({ video, sound, name }), 'application/json');
}

async function settled(page: Page): Promise<void> {
  for (const name of ['.real video', '.generated video']) {
    const video = page.locator(name);
    await video.waitFor();
    while ((await video.evaluate((one) => (one as unknown as { readyState: number }).readyState)) < 2)
      await page.waitForTimeout(100);
  }
  const place = page.locator('.tracks input');
  await place.fill('1.2');
  await place.blur();
  await page.waitForTimeout(1500);
}
