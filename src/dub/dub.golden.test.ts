import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { musetalk } from '../../test/cli.ts';
import { expectClose } from '../../test/close.ts';
import { argumentsOf, layOut, pictureDifference, readFrame } from '../../test/dub-cases.ts';
import { readFloats } from '../../test/npy.ts';
import { readPng } from '../../test/png.ts';
import { type GoldenCase, golden } from '../../test/shared.ts';
import { parsingFolder } from '../avatar/parsing-folder.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { type Latents, stack, unstack } from '../lips/lip-model.ts';
import { openLipModel } from '../lips/open-model.ts';
import { openVideo } from '../media/open-video.ts';
import { readSound } from '../media/read-sound.ts';
import { checkOptions } from '../options/check.ts';
import { dubSettings } from '../options/dub.ts';
import { dub } from './dub.ts';

// Whole runs of upstream's own functions with tiny seeded networks, boxes and class maps given (manifest: dub).
const { folder, cases } = golden('dub');
const root = mkdtempSync(join(tmpdir(), 'dub-golden-'));
const env = { MUSETALK_CACHE: join(root, 'cache') };
after(() => rmSync(root, { recursive: true }));

const asList = (files: string | string[]) => [files].flat();

for (const c of cases) {
  const laid = layOut(join(root, c.name), folder, c);

  test(`${c.name} from the command line: ${c.what}`, async () => {
    const frames = join(root, c.name, 'frames');
    const output = join(root, c.name, 'out.mp4');
    const { code, stderr } = await musetalk(
      [...argumentsOf(c.name, c.params, laid), '-o', output, '--frames', frames],
      { env },
    );
    assert.equal(code, 0, stderr);
    // By the right rules the last frame is rounded to, upstream floors.
    const count = readdirSync(frames).length;
    assert.ok(count === c.params.windows || (c.name.endsWith('_right') && count === c.params.windows + 1));
    assert.equal((await openVideo(output)).frameCount, count);
    await compareFrames(frames, c);
  });

  test(`${c.name}: what is heard, prepared and drawn in between`, { skip: !c.outputs.latents }, async () => {
    await compareInside(c, laid);
  });
}

test('the size of batches changes nothing', { skip: cases.length === 0 }, async () => {
  const c = cases.find(({ name }) => name === 'v15_noface_right') ?? cases[0]!;
  const laid = layOut(join(root, 'batches'), folder, c);
  const settings = checkOptions(dubSettings, { models: laid.models, model: `musetalk-${c.params.version}` });
  const model = await openLipModel(
    { ...settings, parsingMode: c.params.parsing_mode, extraMargin: c.params.extra_margin },
    { cacheFolder: env.MUSETALK_CACHE, openParse: () => parsingFolder(laid.parsing) },
  );
  const { video, sound, coords } = laid;
  for (const batchSize of [1, 3, 8]) {
    const frames = join(root, `batch-${batchSize}`);
    const output = `${frames}.mp4`;
    const options = {
      video,
      sound,
      coords,
      output,
      frames,
      batchSize,
      fps: c.params.fps,
      silence: 'model',
    } as const;
    await dub(options, { model });
    await compareFrames(frames, c);
    const { max } = pictureDifference(
      await readFrame(frames, 13),
      await readFrame(join(root, 'batch-1'), 13),
    );
    assert.ok(max <= 1, `batches of ${batchSize} differ by ${max}`);
  }
  await model.close();
});

async function compareFrames(frames: string, { outputs, tolerances }: GoldenCase): Promise<void> {
  const { abs, mean_abs } = tolerances!.frames as { abs: number; mean_abs: number };
  for (const file of asList(outputs.frames!)) {
    const number = Number.parseInt(basename(file), 10);
    const { max, mean } = pictureDifference(
      await readFrame(frames, number),
      await readPng(join(folder, file)),
    );
    assert.ok(max <= abs && mean <= mean_abs, `${file}: differs by up to ${max}, ${mean} in the mean`);
  }
}

async function compareInside(
  c: GoldenCase,
  { video, sound, boxes, models }: ReturnType<typeof layOut>,
): Promise<void> {
  const { params, outputs } = c;
  const settings = checkOptions(dubSettings, {
    models,
    model: `musetalk-${params.version}`,
    compat: c.name.endsWith('_right') ? 'right' : 'upstream',
    ...(params.extra_margin !== undefined && { extraMargin: params.extra_margin }),
  });
  const model = await openLipModel(settings, { cacheFolder: env.MUSETALK_CACHE });
  try {
    const source = await openVideo(video, { fps: params.fps });
    const heard: FloatTensor[] = [];
    const conditions = model.conditions(await readSound(sound), { fps: source.fps, frames: params.windows });
    for await (const condition of conditions) heard.push(condition);
    const inner = params.inner_frames as number[];
    const windows = stack(inner.map((frame) => heard[frame]!));
    const expect = (name: string, actual: Parameters<typeof expectClose>[0]) =>
      expectClose(actual, readFloats(join(folder, outputs[name] as string)), c.tolerances![name]!, name);
    expect('windows', windows);

    const latents: Latents[] = [];
    for (const frame of inner) {
      const count = source.frameCount;
      const entry = frame % (2 * count);
      const index = entry < count ? entry : 2 * count - 1 - entry;
      for await (const picture of source.frames(index, index + 1)) {
        const crop = model.crop(picture, model.boxOf(boxes[index]!, source)!);
        latents.push(...unstack(await model.prepare([{ ...crop, index }], undefined)));
      }
    }
    expect('latents', stack(latents));

    const person = { reference: undefined, setting: undefined, lipSpread: undefined };
    const faces = await model.generate({ latents: stack(latents), conditions: windows, person });
    for (const [i, file] of asList(outputs.decoded!).entries()) {
      expectClose(faces[i]!, await readPng(join(folder, file)), c.tolerances!.decoded!, file);
    }
  } finally {
    await model.close();
  }
}
