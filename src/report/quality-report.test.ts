// The report against faults that were put into a real clip, one at a time. Real video is the best dub there is.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Fault, withFault } from '../../test/faults.ts';
import { sharedPath } from '../../test/shared.ts';
import { builtinFinder } from '../face/builtin.ts';
import type { FaceFinder } from '../face/finder.ts';
import { loadFaceModels } from '../face/models.ts';
import { bundledMini, isMini } from '../lips/mini-networks.ts';
import { reportPage } from './page/page.ts';
import { type ReportFiles, reportOn } from './quality-report.ts';
import { type Finding, reportSchema } from './result.ts';

const CLIP = fileURLToPath(new URL('../../test/fixtures/grid/briz6n.mp4', import.meta.url));

/** What each fault must be called; nothing else may be found. */
const EXPECTED: Record<Fault, readonly Finding['code'][]> = {
  none: [],
  'late sound': ['lips-early'],
  'early sound': ['lips-late'],
  'colour matrix': ['colors'],
  'dropped and doubled frame': ['doubled-frames', 'dropped-frames'],
  seam: ['seam', 'tint'],
  'frozen mouth': ['frozen-mouth'],
  'moves in silence': ['moves-in-silence'],
  'blurred mouth': ['blurred-mouth'],
};

let folder: string;
let finder: FaceFinder;
const hearsPhones = await isMini(bundledMini());

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'musetalk report '));
  finder = builtinFinder(await loadFaceModels());
});
after(async () => {
  await finder.close();
  await rm(folder, { recursive: true, force: true });
});

async function faultsIn(files: ReportFiles) {
  const result = await reportOn(files, { finder });
  reportSchema.parse(result.report);
  const faults = result.report.findings.filter(({ severity }) => severity === 'fault');
  return { ...result, codes: [...new Set(faults.map(({ code }) => code))].sort() };
}

describe('beside its source', () => {
  for (const [fault, codes] of Object.entries(EXPECTED) as [Fault, readonly Finding['code'][]][]) {
    const needsEars = fault === 'late sound' || fault === 'early sound';
    const skip = needsEars && !hearsPhones && 'without the bundled model three seconds are too short';
    test(fault === 'none' ? 'a good dub has no fault' : `${fault} is found, and nothing else`, {
      skip,
    }, async () => {
      const video = await withFault(CLIP, fault, folder);
      const { report, thumbnails, codes: found } = await faultsIn({ video, source: CLIP });
      assert.deepEqual(found, [...codes].sort(), JSON.stringify(report.findings, null, 1));
      assert.equal(report.verdict, codes.length === 0 ? 'good' : 'faults');
      const page = reportPage({ report, thumbnails });
      assert.doesNotMatch(page, /<script|https?:|src="(?!data:image\/jpeg)/);
      for (const { title } of report.findings) assert.ok(page.includes(title.replaceAll("'", '&#39;')));
      if (fault === 'dropped and doubled frame') {
        const { dropped, doubled } = report.measures;
        assert.ok(
          Math.abs(dropped[0]! - 27) <= 2 && Math.abs(doubled[0]! - 49) <= 2,
          `${dropped} ${doubled}`,
        );
      }
      if (needsEars) assert.ok(Math.abs(Math.abs(report.measures.sync!.offset!) - 0.12) < 0.04);
    });
  }
});

describe('without a source', () => {
  for (const fault of ['none', 'blurred mouth', 'frozen mouth', 'moves in silence'] as const) {
    test(fault === 'none' ? 'real video has no fault' : `${fault} is found all the same`, async () => {
      const video = await withFault(CLIP, fault, folder);
      assert.deepEqual((await faultsIn({ video })).codes, EXPECTED[fault]);
    });
  }
});

describe('clips of many people', () => {
  const clips = ['s2', 's16', 's23', 'x01', 'x04', 'x09'].map((speaker) =>
    sharedPath('data', 'clips', 'grid', speaker),
  );
  const full = process.env.MUSETALK_GOLDEN === 'full' && clips.every((clip) => clip !== undefined);
  test('are without faults once they are encoded again', {
    skip: !full && 'needs the shared clips',
  }, async () => {
    const { readdir } = await import('node:fs/promises');
    for (const speaker of clips) {
      const clip = join(speaker!, (await readdir(speaker!)).sort()[0]!);
      const video = await withFault(clip, 'none', folder);
      const { codes, report } = await faultsIn({ video, source: clip });
      assert.deepEqual(codes, [], `${clip}: ${report.summary}`);
    }
  });
});
