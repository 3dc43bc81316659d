// The report against faults that were put into a real clip. Real video is the best dub there is. Faults that do not
// touch each other share a video, so that few are looked at; `npm run test:full` puts in each alone.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Fault, type GoodClip, goodClip } from '../../test/faults.ts';
import { make, moving, tone, x264 } from '../../test/media-fixtures.ts';
import { sharedPath } from '../../test/shared.ts';
import { builtinFinder } from '../face/builtin.ts';
import type { FaceFinder } from '../face/finder.ts';
import { loadFaceModels } from '../face/models.ts';
import { bundledMini, isMini } from '../lips/mini-networks.ts';
import { reportPage } from './page/page.ts';
import { type ReportFiles, reportOn } from './quality-report.ts';
import { type Finding, reportSchema } from './result.ts';

const CLIP = fileURLToPath(new URL('../../test/fixtures/grid/briz6n.mp4', import.meta.url));

type Code = Finding['code'];

/** What each fault must be called beside the source, notes included; nothing else may be found. */
const CODES: Record<Fault, readonly Code[]> = {
  'late sound': ['lips-early'],
  'early sound': ['lips-late'],
  'short sound': ['length'],
  'moves in silence': ['moves-in-silence'],
  'colour matrix': ['colors'],
  'dropped and doubled frame': ['doubled-frames', 'dropped-frames'],
  // What was shown longer is three more frames at a constant rate.
  'gap in the clock': ['doubled-frames', 'timing'],
  seam: ['seam', 'tint'],
  flicker: ['flicker'],
  'frozen mouth': ['frozen-mouth'],
  'blurred mouth': ['blurred-mouth'],
  'changed elsewhere': ['changed-outside'],
  // Where there is no face, a dub leaves all as it is.
  'hidden face': ['changed-outside', 'no-face'],
};

/** Faults that leave each other's measures alone. */
const TOGETHER: readonly (readonly Fault[])[] = [
  ['late sound', 'colour matrix', 'dropped and doubled frame'],
  ['early sound', 'hidden face'],
  ['seam', 'moves in silence', 'changed elsewhere'],
  ['frozen mouth', 'blurred mouth', 'flicker'],
];

const full = process.env.MUSETALK_FULL === '1';
const hearsPhones = await isMini(bundledMini());

let folder: string;
let finder: FaceFinder;
let good: GoodClip;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'musetalk report '));
  finder = builtinFinder(await loadFaceModels());
  good = await goodClip(CLIP, finder);
});
after(async () => {
  await finder.close();
  await rm(folder, { recursive: true, force: true });
});

/** The report, and the codes of all that it found. */
async function look(files: ReportFiles) {
  const result = await reportOn(files, { finder, models: folder });
  reportSchema.parse(result.report);
  const codes = [...new Set(result.report.findings.map(({ code }) => code))].sort();
  return { ...result, codes, said: JSON.stringify(result.report.findings, null, 1) };
}

const written = new Map<string, Promise<string>>();

/** The good clip with faults, written when it is first asked for. */
function faulty(faults: readonly Fault[]): Promise<string> {
  const name = faults.join();
  const video = written.get(name) ?? good.write(faults, folder);
  written.set(name, video);
  return video;
}

function expected(faults: readonly Fault[]): Code[] {
  return [...new Set(faults.flatMap((fault) => CODES[fault]))].sort();
}

describe('beside its source', () => {
  test('a good dub gives no finding', async () => {
    const { report, said } = await look({ video: await faulty([]), source: CLIP });
    assert.deepEqual(report.findings, [], said);
    assert.equal(report.verdict, 'good');
    assert.ok(report.notes.some((note) => /^SyncNet is not in the models folder/.test(note)));
  });

  const sets = full ? Object.keys(CODES).map((fault) => [fault as Fault]) : TOGETHER;
  for (const faults of sets) {
    const needsEars = faults.some((fault) => fault === 'late sound' || fault === 'early sound');
    const skip = needsEars && !hearsPhones && 'without the bundled model three seconds are too short';
    test(`found, and nothing else: ${faults.join(', ')}`, { skip }, async () => {
      const video = await faulty(faults);
      const { report, thumbnails, codes, said } = await look({ video, source: CLIP });
      assert.deepEqual(codes, expected(faults), said);
      assert.equal(report.verdict, 'faults');
      const page = reportPage({ report, thumbnails });
      assert.doesNotMatch(page, /<script|https?:|src="(?!data:image\/jpeg)/);
      for (const { title } of report.findings) assert.ok(page.includes(title.replaceAll("'", '&#39;')));
      const { dropped, doubled, sync, colors } = report.measures;
      if (faults.includes('dropped and doubled frame'))
        assert.ok(
          Math.abs(dropped[0]! - 27) <= 2 && Math.abs(doubled[0]! - 49) <= 2,
          `${dropped} ${doubled}`,
        );
      if (faults.includes('colour matrix')) assert.equal(colors?.kind, 'matrix-601-as-709');
      if (needsEars) {
        const wanted = faults.includes('late sound') ? 0.12 : -0.12;
        assert.ok(Math.abs(sync!.offset! - wanted) < 0.04, `${sync?.offset}`);
      }
    });
  }
});

describe('longer than its source', () => {
  test('frames that go there and back have neither been left out nor shown twice', async () => {
    const cut = ['-frames:v', '20', '-an', ...x264, '-crf', '12'];
    const source = await make(join(folder, 'short.mp4'), '-ss', '1', '-i', CLIP, ...cut);
    const bounce = '[0:v]split[a][b];[b]reverse[c];[a][c]concat';
    const turns = ['-filter_complex', bounce, '-frames:v', '30', ...x264, '-crf', '18'];
    const video = await make(join(folder, 'bounce.mp4'), '-i', source, ...turns);
    const { codes, said } = await look({ video, source });
    assert.deepEqual(codes, [], said);
  });
});

describe('without a source', () => {
  test('real video gives no finding', { skip: !full && 'only in the full form' }, async () => {
    assert.deepEqual((await look({ video: CLIP })).codes, []);
  });

  test('a mouth that is blurred or stands still is found all the same', async () => {
    // With flicker in it, of which nothing can be told without a source.
    const { codes, said } = await look({ video: await faulty(['frozen mouth', 'blurred mouth', 'flicker']) });
    assert.deepEqual(codes, expected(['frozen mouth', 'blurred mouth']), said);
  });
});

describe('clocks', () => {
  // Few frames: where there is no face, each is searched all over.
  const film = moving({ rate: '5' });
  const cases: [what: string, args: string[], findings: [Code, Finding['severity']][]][] = [
    ['streams that begin and end together are good', [...film, ...tone()], []],
    ['a sound that ends early is a fault', [...film, ...tone({ seconds: 1.5 })], [['length', 'fault']]],
    ['a sound that ends late is a fault', [...film, ...tone({ seconds: 2.4 })], [['length', 'fault']]],
    [
      'a sound track that begins late is told',
      [...film, '-itsoffset', '0.15', ...tone({ seconds: 1.85 })],
      [['timing', 'note']],
    ],
    [
      'a gap is a fault',
      // In this film's clock of fifths the gap is one frame; the sound is as much longer.
      [...film, ...tone({ seconds: 2.2 }), '-vf', "setpts='PTS+if(gte(N,6),0.2/TB,0)'", '-fps_mode', 'vfr'],
      [['timing', 'fault']],
    ],
  ];
  for (const [what, args, findings] of cases)
    test(what, async () => {
      const sides = ['-map', '0:v', '-map', '1:a', ...x264, '-c:a', 'aac'];
      const video = await make(join(folder, 'clock.mp4'), ...args, ...sides);
      const { report } = await look({ video });
      const found = report.findings.filter(({ code }) => code !== 'no-face');
      assert.deepEqual(
        found.map(({ code, severity }) => [code, severity]),
        findings,
        JSON.stringify(report.findings),
      );
    });

  test('where there is no face and no sound, that is said, and nothing is measured', async () => {
    const video = await make(join(folder, 'silent.mp4'), ...moving({ rate: '5', seconds: 1 }), ...x264);
    const { report } = await look({ video });
    assert.deepEqual(
      report.findings.map(({ title }) => title),
      ['No face was found'],
    );
    assert.deepEqual(report.measures.faces, { found: 0, missing: 5 });
    assert.equal(report.measures.sync, null);
    assert.ok(report.notes.some((note) => note.includes('has no sound')));
  });
});

describe('clips of many people', () => {
  const clips = ['s2', 's16', 's23', 'x01', 'x04', 'x09'].map((speaker) =>
    sharedPath('data', 'clips', 'grid', speaker),
  );
  const skip =
    !(full && clips.every((clip) => clip !== undefined)) && 'needs the shared clips, and the full form';
  test('give no fault once they are encoded again', { skip }, async () => {
    for (const speaker of clips) {
      const clip = join(speaker!, (await readdir(speaker!)).sort()[0]!);
      const { write } = await goodClip(clip, finder);
      const { report } = await look({ video: await write([], folder), source: clip });
      assert.equal(report.verdict, 'good', `${clip}: ${report.summary}`);
    }
  });
});
