import assert from 'node:assert/strict';
import { cp, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { colouredClip } from '../../test/coloured-clip.ts';
import { plainModel } from '../../test/plain-model.ts';
import { tensor } from '../core/tensor.ts';
import type { LipModel } from '../lips/lip-model.ts';
import { dub } from './dub.ts';
import { beginDub, type DubPlan, drawPart, joinParts } from './split.ts';
import { resumeFolder } from './work-folder.ts';

/** A clip whose sound has a pause in it. */
async function material(t: TestContext, { frames = 30, seconds = 13 } = {}) {
  const loudness = (i: number) => (i % 48000 < 24000 ? 0.5 : 0);
  const { root, output: _, ...clip } = await colouredClip(t, { frames, seconds, loudness });
  return { root, input: { ...clip, batchSize: 6, silence: 'keep' } as const };
}

/** Hears more numbers than are kept. */
function wideModel(): LipModel {
  const plain = plainModel();
  return {
    ...plain,
    async *conditions(_sound, { frames }) {
      for (let i = 0; i < frames; i++) yield tensor([300], new Float32Array(300).fill(i));
    },
    generate: ({ conditions, ...faces }, options) => {
      const first = tensor(
        [conditions.shape[0]!],
        conditions.data.filter((_, i) => i % 300 === 0),
      );
      return plain.generate({ ...faces, conditions: first }, options);
    },
  };
}

for (const [name, model] of [
  ['kept', plainModel],
  ['heard again', wideModel],
] as const)
  test(`parts drawn in any order make the very file of an unsplit dub; conditions are ${name}`, async (t) => {
    const { root, input } = await material(t);
    const whole = join(root, 'whole.mp4');
    const alone = await dub({ ...input, output: whole, resume: true }, { model: model() });
    const output = join(root, 'out.mp4');
    const plan = (await beginDub({ ...input, output }, { model: model() }, { partSeconds: 4 })) as DubPlan;
    assert.deepEqual(
      plan.parts.map(({ first, count, frames }) => [first, count, frames]),
      [
        [0, 1, 54],
        [1, 2, 108],
        [3, 2, 108],
        [5, 2, 55],
      ],
    );
    // Elsewhere, as on another machine.
    await cp(plan.folder, join(root, 'moved'), { recursive: true });
    const folders = plan.parts.map((_, i) => join(root, `part-${i}`));
    const told: number[] = [];
    for (const i of [2, 0, 3, 1]) {
      await mkdir(folders[i]!);
      const draw = (stop?: AbortController) =>
        drawPart(
          { ...input, output },
          plan.parts[i]!,
          { plan: join(root, 'moved'), part: folders[i]! },
          {
            ...{ model: model(), signal: stop?.signal },
            onProgress: ({ done }) => {
              told.push(done);
              if (done === 80) stop?.abort(new Error('stop'));
            },
          },
        );
      // One is cut off in its second segment, and continued.
      if (i === 1) await assert.rejects(draw(new AbortController()), /stop/);
      await draw();
    }
    assert.equal(Math.max(...told), 108);
    const report = await joinParts({ ...input, output }, folders, {});
    assert.ok((await readFile(output)).equals(await readFile(whole)));
    const { seconds: _, output: __, ...facts } = alone;
    const { seconds, output: ___, ...told2 } = report;
    assert.deepEqual(told2, facts);
    assert.ok(seconds.draw! > 0 && seconds.write! > 0);
    await rm(join(folders[1]!, 'part.json'));
    await assert.rejects(joinParts({ ...input, output }, folders, {}), { code: 'WORK_MISSING' });
  });

test('a dub that is short stays whole, and a plan serves one model alone', async (t) => {
  const { root, input } = await material(t, { seconds: 6 });
  const output = join(root, 'out.mp4');
  const run = { model: plainModel() };
  const report = await beginDub({ ...input, output }, run, { partSeconds: 4 });
  assert.equal('frameCount' in report && report.frameCount, 150);
  const other = join(root, 'other.mp4');
  const plan = (await beginDub({ ...input, output: other }, run, { partSeconds: 2 })) as DubPlan;
  assert.equal(plan.folder, resumeFolder(other));
  const draw = (model: LipModel) =>
    drawPart({ ...input, output: other }, plan.parts[0]!, { plan: plan.folder, part: root }, { model });
  await assert.rejects(draw({ ...plainModel(), name: 'fancy' }), /made with plain, not fancy/);
  await assert.rejects(draw({ ...plainModel(), latentShape: [4] }), /another model/);
});
