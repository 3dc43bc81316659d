// The page in a real browser, from an empty studio to a deleted dub. With the model mini where it is in the package;
// else a stand-in draws, and everything but the drawing is real.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Browser, Locator, Page } from 'playwright-core';
import { networkOf } from '../../src/models/manifest.ts';
import { reportSchema } from '../../src/report/result.ts';
import { startServer } from '../../src/server/server.ts';
import { buildPage, openBrowser } from '../browser.ts';
import { honest, serve } from '../hostile-server.ts';
import { ROOT } from '../sources.ts';
import { WEB_RUNNER, webInputs } from '../web-inputs.ts';

const PATIENCE = 180_000;

const hasMini = existsSync(join(ROOT, 'assets', 'mini'));

test('a face is tuned, dubbed, watched, compared, downloaded and deleted in a browser', async (t) => {
  const opened = await openPage(t);
  if (!opened) return;
  const { page, folder, faults, browser, url } = opened;
  const inputs = await webInputs(folder);

  await t.test('the studio is empty, in the language and the colours of the reader', async () => {
    await page.getByText('Drop a video or a picture here').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Dub it' }).isDisabled(), true);
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByText('将视频或图片拖到这里').waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('button', { name: 'Colours of the system' }).click();
    await page.getByRole('button', { name: 'Light colours' }).click();
    assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
    await page.getByRole('button', { name: 'Dark colours' }).click();
    assert.equal(await page.locator('html').getAttribute('data-theme'), null);
  });

  await t.test('a model is fetched: a wrong file is refused, a right one makes it ready', async () => {
    await page.goto(`${url}/#/models`);
    const [older, newer] = ['MuseTalk 1.0', 'MuseTalk 1.5'].map((name) =>
      page.locator('.model').filter({ has: page.getByRole('heading', { name }) }),
    ) as [Locator, Locator];
    await newer.getByText('lacks 1 files').waitFor();
    await newer.locator('summary').click();
    await newer.getByText('musetalkV15/unet.pth').waitFor();
    await newer.getByRole('button', { name: 'Fetch' }).click();
    await newer.getByText('SHA-256').waitFor();
    assert.equal(await newer.getAttribute('data-ready'), 'false');
    await older.getByRole('button', { name: 'Fetch' }).click();
    await older.getByText('ready').waitFor();
    assert.deepEqual(await readFile(join(folder, 'models', OLDER_FILE)), BODY);
    // Files of these names are enough to tune by: no network of theirs is asked for a preview.
    await writeFile(join(folder, 'models', NEWER_FILE), BODY);
    await page.goto(`${url}/#/`);
    await page.reload();
  });

  await t.test('of several faces one is chosen in the picture', async () => {
    await page.locator('.stage input[type=file]').setInputFiles(inputs.pair);
    const second = page.getByRole('button', { name: '2', exact: true });
    await second.waitFor();
    const before = await boxNow(page);
    await second.click();
    await until(
      async () => (await second.getAttribute('aria-pressed')) === 'true',
      'the second face is followed',
    );
    const after = await boxNow(page);
    assert.ok(Math.abs(after.x - before.x) > 100, `the box moved to the other face: ${before.x}, ${after.x}`);
  });

  await t.test('the preview follows the sliders: the box at once, the mask when it is drawn', async () => {
    await page.locator('.stage input[type=file]').setInputFiles(inputs.video);
    await page.locator('.moment').waitFor();
    await previewed(page);
    const before = await boxNow(page);
    const mask = await page.locator('.veil').evaluate(pixelsOf);
    await slider(page, 'Mouth opening').fill('9');
    const moved = await boxNow(page);
    assert.equal(moved.y - before.y, 18, 'the box reaches as far above the line as below it');
    await slider(page, 'Room below the chin').fill('40');
    assert.ok((await boxNow(page)).height > moved.height, 'the box grew below');
    await previewed(page);
    await until(
      async () => (await page.locator('.veil').evaluate(pixelsOf)) !== mask,
      'the mask is drawn anew',
    );
    await page.getByRole('button', { name: 'Landmarks' }).click();
    assert.equal(await page.locator('.point').count(), 0);
  });

  await t.test('mini frames the face in its own way, and what it does not use is set aside', async () => {
    await until(async () => (await boxNow(page)).height > 0, 'there is a box');
    const before = await boxNow(page);
    await page.getByLabel('Model', { exact: true }).selectOption('mini');
    await page.getByText('Mini frames the face by the skull').waitFor();
    await previewed(page);
    const own = await boxNow(page);
    assert.notDeepEqual(own, before);
    await page.getByText('What only the MuseTalk models use').click();
    assert.equal(await slider(page, 'Mouth opening').isDisabled(), true);
  });

  await t.test('the draft survives a reload', async () => {
    await page.locator('.track input[type=file]').setInputFiles(inputs.voice);
    const voice = page.locator('.loaded').getByText('speech.wav');
    await voice.waitFor();
    await page.reload();
    await voice.waitFor();
    await page.getByText('What only the MuseTalk models use').click();
    assert.equal(await slider(page, 'Mouth opening').inputValue(), '9');
    await page
      .locator('.go p')
      .filter({ hasText: /0:0\d of video/ })
      .waitFor();
  });

  let id = '';
  await t.test('the dub tells how far it is, and is in the list after a reload', async () => {
    await page.getByRole('button', { name: 'Dub it' }).click();
    await page.waitForURL(/#\/dubs\/\w{26}/);
    id = /\w{26}$/.exec(page.url())![0];
    await page.locator('.work, .watch').first().waitFor();
    await page.goto(`${url}/#/dubs`);
    await page.reload();
    await page.locator(`a.card[href="#/dubs/${id}"]`).click();
    const ended = page.locator('.watch, .work .notice');
    await ended.first().waitFor({ timeout: 2 * PATIENCE });
    assert.equal(await page.locator('.watch').count(), 1, (await await ended.first().textContent()) ?? '');
  });

  await t.test('source and result run together, frame by frame, and can be wiped and zoomed', async () => {
    const [real, made] = [page.locator('.real video'), page.locator('.generated video')];
    await until(
      async () => (await stateOf(real)).ready >= 2 && (await stateOf(made)).ready >= 2,
      'both are loaded',
    );
    const { frames, fps } = await (await page.request.get(`${url}/v1/dubs/${id}`))
      .json()
      .then(({ result }) => result);
    assert.ok(frames > 30 && frames < 42, `${frames} frames of a second and a half`);
    for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight');
    await page.locator('.time').filter({ hasText: 'frame 4 ' }).waitFor();
    await until(
      async () => Math.abs((await stateOf(real)).time - 4.5 / fps) < 0.2 / fps,
      'the source is at frame 4',
    );
    assert.ok(Math.abs((await stateOf(made)).time - 4.5 / fps) < 0.2 / fps);
    await page.keyboard.press('ArrowLeft');
    await page.locator('.time').filter({ hasText: 'frame 3 ' }).waitFor();

    // Slowly: on a busy machine the end of a second and a half comes before the next key.
    const speed = page.getByLabel('Speed');
    await speed.selectOption('0.25');
    await speed.blur();
    await page.keyboard.press('Space');
    await until(async () => (await stateOf(made)).time > 0.3, 'it plays');
    await page.keyboard.press('Space');
    const paused = await stateOf(made);
    assert.equal(paused.paused, true);
    await until(
      async () => Math.abs((await stateOf(real)).time - (await stateOf(made)).time) < 1.1 / fps,
      'no drift',
    );

    await page.keyboard.press('w');
    const divider = page.getByLabel('Where real ends and generated begins');
    await divider.fill('25');
    const clip = await page.locator('.generated > div').evaluate(clipOf);
    assert.match(clip, /25%/);
    await page.keyboard.press('z');
    assert.equal(await page.locator('.screen').getAttribute('data-zoom'), 'true');
    await page.keyboard.press('z');
    await page.keyboard.press('s');
    assert.equal(await page.locator('.screen').getAttribute('data-view'), 'side');
  });

  await t.test(
    'what the report measured stands beside the result, and lies on the axis of its sound',
    async () => {
      if (!hasMini) return; // a stand-in's pictures are not measured
      await page.locator('.findings').waitFor();
      const [report] = await Promise.all([
        page.request.get(`${url}/v1/dubs/${id}/report`).then((answer) => answer.json()),
        page.locator('.tracks .wave canvas').waitFor(),
      ]);
      reportSchema.parse(report);
      assert.equal(await page.locator('.findings li').count(), report.findings.length);
      const known = (report.measures.sync?.windows ?? []).filter(
        ({ offset }: { offset: number | null }) => offset !== null,
      );
      assert.equal(await page.locator('.offsets .step').count(), known.length);
      const [whole] = await Promise.all([
        page.context().waitForEvent('page'),
        page.getByRole('link', { name: 'Whole report' }).click(),
      ]);
      await whole.getByText('Lip sync quality report').waitFor();
      await whole.close();
    },
  );

  await t.test('the result is downloaded whole, and deleting leaves nothing', async () => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download' }).click(),
    ]);
    assert.equal(download.suggestedFilename(), 'portrait · speech.mp4');
    const path = join(folder, 'downloaded.mp4');
    await download.saveAs(path);
    assert.ok(existsSync(path));
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('Nothing dubbed yet').waitFor();
    assert.deepEqual(await readdir(join(folder, 'data', 'jobs')), []);
  });

  await t.test('a voice is recorded with the microphone, a face with the camera', async () => {
    await page.goto(`${url}/#/`);
    await record(page, page.locator('.track'), 'Record');
    await page.locator('.track .name').filter({ hasText: 'microphone' }).waitFor();
    await record(page, page.locator('.stage'), 'Use the camera');
    await page.locator('.desk').waitFor();
  });

  await t.test('nothing on a phone is wider than the phone', async () => {
    const phone = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true });
    const small = await phone.newPage();
    // Of each page what comes last: of the models, what the file that was refused left, with its SHA-256.
    const pages = [
      ['#/', '.stage'],
      ['#/dubs', '.empty'],
      ['#/models', '.model .notice'],
    ] as const;
    for (const [hash, last] of pages) {
      await small.goto(`${url}/${hash}`);
      await small.locator(last).waitFor();
      assert.equal(await small.locator('body').evaluate(overflowOf), 0, `${hash} is too wide`);
    }
    await phone.close();
  });

  assert.deepEqual(faults, [], 'no error in the console: no exception, nothing that the policy refused');
});

interface Opened {
  readonly browser: Browser;
  readonly page: Page;
  readonly folder: string;
  readonly url: string;
  /** What the console said of errors. */
  readonly faults: string[];
}

async function openPage(t: TestContext): Promise<Opened | undefined> {
  const browser = await openBrowser(t);
  if (!browser) return undefined;
  buildPage();
  const folder = await mkdtemp(join(tmpdir(), 'web-'));
  // No weights of this machine take part: what is not in the package is not there.
  process.env.MUSETALK_MODELS = join(folder, 'models');
  process.env.MUSETALK_MODELS_URL = await modelsByName(t, join(folder, 'models'));
  const options = { port: 0, data: join(folder, 'data'), minFree: 0 };
  const server = await startServer(options, hasMini ? {} : { runner: WEB_RUNNER });
  t.after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const context = await browser.newContext({
    ...{ viewport: { width: 1280, height: 860 }, locale: 'en', acceptDownloads: true },
    permissions: ['camera', 'microphone'],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error.stack)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) faults.push(message.text());
  });
  await page.goto(server.url);
  return { browser, page, folder, url: server.url, faults };
}

const OLDER_FILE = 'musetalk/musetalk.json';
const NEWER_FILE = 'musetalkV15/musetalk.json';

/** As large as the newer file is; the older one has no published hash. */
const BODY = Buffer.alloc(748, '{} ');

/** Files by the names of those of MuseTalk, but for one each, and a server that has those. Gives its address. */
async function modelsByName(t: TestContext, models: string): Promise<string> {
  const paths = ['unet-1.5', 'unet-1.0', 'sd-vae', 'whisper-tiny'].flatMap((name) =>
    networkOf(name).files.map(({ path }) => path),
  );
  for (const path of paths) {
    if (path === OLDER_FILE || path === NEWER_FILE) continue;
    await mkdir(dirname(join(models, path)), { recursive: true });
    await writeFile(join(models, path), 'stands in');
  }
  const { base } = await serve(t, BODY, { [`/${OLDER_FILE}`]: honest, [`/${NEWER_FILE}`]: honest });
  return base;
}

function slider(page: Page, label: string): Locator {
  return page.getByRole('slider', { name: label });
}

async function boxNow(page: Page): Promise<{ x: number; y: number; height: number }> {
  const rect = page.locator('.crop rect');
  const number = async (name: string) => Number(await rect.getAttribute(name));
  return { x: await number('x'), y: await number('y'), height: await number('height') };
}

async function previewed(page: Page): Promise<void> {
  await page.locator('.frame[data-pending=false]').waitFor();
  await page.locator('.veil[data-drawn]').waitFor();
}

async function record(page: Page, place: Locator, button: string): Promise<void> {
  const again = place.getByRole('button', { name: button });
  await again.click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Record' }).click();
  await page.waitForTimeout(1500);
  await dialog.getByRole('button', { name: 'Stop' }).click();
  await dialog.getByRole('button', { name: 'Use it' }).click();
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!(await holds())) {
    if (Date.now() > end) assert.fail(`not within ${PATIENCE / 1000} s: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

// What follows runs in the browser, whose types this project's tests do not have.

interface VideoElement {
  readonly readyState: number;
  readonly currentTime: number;
  readonly paused: boolean;
}

function stateOf(video: Locator): Promise<{ ready: number; time: number; paused: boolean }> {
  return video.evaluate((element) => {
    const { readyState: ready, currentTime: time, paused } = element as unknown as VideoElement;
    return { ready, time, paused };
  });
}

function pixelsOf(canvas: unknown): string {
  return (canvas as { toDataURL(): string }).toDataURL();
}

function clipOf(element: unknown): string {
  const { ownerDocument } = element as {
    ownerDocument: { defaultView: { getComputedStyle(of: unknown): { clipPath: string } } };
  };
  return ownerDocument.defaultView.getComputedStyle(element).clipPath;
}

function overflowOf(body: unknown): number {
  const { scrollWidth, clientWidth } = body as { scrollWidth: number; clientWidth: number };
  return scrollWidth - clientWidth;
}
