/** Trains mini: its sound encoder, its picture network, and that again with a discriminator; or tunes it on a person. */
import { MuseTalkError } from '../../core/errors.ts';
import type { FloatTensor } from '../../core/tensor.ts';
import { latestCheckpoint, readCheckpoint } from '../checkpoint.ts';
import { clipFile, readClips, splitClips } from '../data/prepared.ts';
import { readWav } from '../data/wav.ts';
import type { Task } from '../loop.ts';
import { Random } from '../random.ts';
import { keepPictures, type ReportedPart } from '../report.ts';
import { partFolder, runPart, type Session } from '../run.ts';
import { cosineSchedule, linearSchedule, type Schedule } from '../schedule.ts';
import { basisOfBundle, readMiniBundle, writeMiniBundle } from './bundle.ts';
import { faceClipOf, type LipClip, lipBasisOf, partOfClip, readLips, spreadsOf } from './clips.ts';
import type { FaceClip } from './face-batches.ts';
import { faceTask } from './face-task.ts';
import type { LipBasis } from './lip-code.ts';
import { lookAtFaces } from './look.ts';
import { soundTask } from './sound-task.ts';
import { spokenClip } from './sound-windows.ts';

type Tensors = ReadonlyMap<string, FloatTensor>;

/** What mini's training came to. */
export interface MiniResult {
  readonly updates: Readonly<Record<string, number>>;
  readonly parts: readonly ReportedPart[];
  readonly columns: string;
}

/** Factor on every code of a fresh bundle: regression makes movements smaller than they are. */
const GAIN = 1.2;

/** The rate falls to this part of itself. */
const FLOOR = 0.03;

/**
 * Trains the parts that have updates, one after another, and writes the bundle into the output folder.
 *
 * @throws MuseTalkError NOT_FOUND, MODEL_MISSING, BAD_WEIGHTS, BAD_FILE or what the loop throws.
 */
export async function trainMini(session: Session): Promise<MiniResult> {
  const { settings, output } = session;
  const bundle = settings.from === undefined ? undefined : await readMiniBundle(settings.from);
  const lips = await lipClips(session);
  const { learned, heldBack } = splitClips(lips, settings.heldBack);
  const basis = bundle ? basisOfBundle(bundle, settings.from!) : lipBasisOf(learned);
  const updates: Record<string, number> = {};
  const run = async <B>(part: string, count: number, group: string, start: () => Promise<Task<B>>) => {
    updates[part] = await partUpdates(part, count, session, start);
    return resultOf(partFolder(output, part), group);
  };

  const sound =
    settings.sound > 0
      ? await run('sound', settings.sound, 'sound', () =>
          soundPart(session, learned, heldBack, basis, bundle?.sound),
        )
      : undefined;
  let face: Tensors | undefined;
  if (settings.updates + settings.sharpen > 0) {
    const faces = await faceClips(session, { learned, heldBack }, basis);
    const part = (name: string, sharpen: boolean, count: number, from: Tensors | undefined) =>
      run(name, count, 'face', () => facePart(session, { name, sharpen, count, from }, faces));
    if (settings.updates > 0) face = await part('picture', false, settings.updates, bundle?.face);
    const ready = settings.updates === 0 || updates.picture! >= settings.updates;
    if (settings.sharpen > 0 && ready)
      face = (await part('sharpen', true, settings.sharpen, face ?? bundle?.face)) ?? face;
  }

  const spreads = [...spreadsOf(learned).values()];
  const whole = { sound: sound ?? bundle?.sound, face: face ?? bundle?.face };
  if (whole.sound && whole.face) {
    const spread = spreads.reduce((a, b) => a + b, 0) / spreads.length;
    const config = bundle?.config ?? { format: 1 as const, spread, gain: GAIN };
    await writeMiniBundle(output, {
      config,
      sound: whole.sound,
      face: whole.face,
      components: basis.components,
    });
  } else {
    session.onNote?.('There is no whole model yet: run the same command again to go on.');
  }
  const titles = {
    sound: 'Sound encoder',
    picture: 'Picture network',
    sharpen: 'Sharpened by a discriminator',
  };
  return {
    updates,
    parts: Object.entries(titles).map(([part, title]) => ({ title, folder: partFolder(output, part) })),
    columns: 'masked, reference, drawn, true',
  };
}

async function lipClips({ settings }: Session): Promise<LipClip[]> {
  const { data, minFace } = settings;
  const entries = (await readClips(data)).filter(({ faceWidth }) => faceWidth >= minFace);
  if (entries.length === 0) {
    throw new MuseTalkError('NOT_FOUND', `no clip in ${data} has a face of ${minFace} pixels`, {
      hint: 'Lower minFace.',
      facts: { data, minFace },
    });
  }
  return Promise.all(entries.map((entry) => readLips(data, entry)));
}

/** Runs a part that is not finished yet. */
async function partUpdates<B>(
  part: string,
  count: number,
  session: Session,
  start: () => Promise<Task<B>>,
): Promise<number> {
  const before = await latestCheckpoint(partFolder(session.output, part));
  const done = before === undefined ? 0 : (await readCheckpoint(before)).update;
  if (done >= count || performance.now() >= session.deadline) return done;
  const task = await start();
  try {
    return await runPart(part, task, session, count);
  } finally {
    await task.trainer.close();
  }
}

/** The averaged weights of a part's newest checkpoint. */
async function resultOf(folder: string, group: string): Promise<Tensors | undefined> {
  const path = await latestCheckpoint(folder);
  if (path === undefined) return undefined;
  const { update, trainer } = await readCheckpoint(path);
  const state = trainer.groups[group]!;
  return update === 0 ? undefined : (state.average ?? state.parameters);
}

async function soundPart(
  session: Session,
  learned: readonly LipClip[],
  heldBack: readonly LipClip[],
  basis: LipBasis,
  from: Tensors | undefined,
) {
  const { settings, threads, spinning } = session;
  const spreads = spreadsOf([...learned, ...heldBack]);
  const mean = [...spreads.values()].reduce((a, b) => a + b, 0) / spreads.size;
  const spoken = async (clips: readonly LipClip[]) =>
    Promise.all(
      clips
        .filter(({ sound }) => sound)
        .map(async (clip) => {
          const samples = await readWav(clipFile(settings.data, clip.clip, 'wav'));
          return spokenClip(clip, samples, basis, spreads.get(clip.speaker)! / mean);
        }),
    );
  const clips = await spoken(learned);
  if (clips.length === 0) {
    throw new MuseTalkError('NO_SOUND', `none of the clips in ${settings.data} has sound to learn from`, {
      hint: 'Prepare videos with their sound, or train the pictures alone with "sound: 0" and "from: mini".',
    });
  }
  return soundTask({
    ...{ clips, heldBack: await spoken(heldBack), from, threads, spinning },
    batch: settings.batch,
    rate: scheduleOf(session, 1e-3, settings.sound),
    seed: settings.seed,
  });
}

interface Faces {
  readonly learned: readonly FaceClip[];
  readonly heldBack: readonly FaceClip[];
}

/** Clips with their pictures. Of a single clip the last part is held back. */
async function faceClips(
  { settings }: Session,
  { learned, heldBack }: { learned: readonly LipClip[]; heldBack: readonly LipClip[] },
  basis: LipBasis,
): Promise<Faces> {
  const load = (clips: readonly LipClip[]) =>
    Promise.all(clips.map((clip) => faceClipOf(settings.data, clip, basis)));
  const [mine, others] = [await load(learned), await load(heldBack)];
  if (others.length > 0 || settings.heldBack === 0) return { learned: mine, heldBack: others };
  const [only] = mine;
  const end = Math.floor(only!.frames * (1 - settings.heldBack));
  return { learned: [partOfClip(only!, 0, end)], heldBack: [partOfClip(only!, end, only!.frames)] };
}

interface FacePart {
  readonly name: string;
  readonly sharpen: boolean;
  readonly count: number;
  readonly from: Tensors | undefined;
}

async function facePart(session: Session, { name, sharpen, count, from }: FacePart, faces: Faces) {
  const { settings, output, threads, spinning } = session;
  const speakers = groupedBySpeaker(faces.learned);
  const names = [...speakers.keys()];
  const fresh = new Random(settings.seed, sharpen ? 2 : 1);
  const task = await faceTask({
    ...{ batch: settings.batch, sharpen, from, threads, spinning },
    rate: scheduleOf(session, settings.rate, count),
    random: () => fresh.uniform(),
    // Every speaker as often as every other, whatever there is of each.
    pick(random) {
      const clips = speakers.get(names[Math.floor(random() * names.length)]!)!;
      return clips[Math.floor(random() * clips.length)]!;
    },
  });
  if (faces.heldBack.length === 0) return task;
  const validate = async (update: number) => {
    const weights = await task.trainer.parameters('face', { average: true });
    const { values, rows } = await lookAtFaces(weights, faces.heldBack, { threads });
    await keepPictures(partFolder(output, name), update, rows);
    return values;
  };
  return { ...task, validate };
}

function scheduleOf({ settings }: Session, rate: number, total: number): Schedule {
  const warmUp = Math.min(settings.warmUp, Math.floor(total / 4));
  if (settings.schedule === 'linear') return linearSchedule({ rate, warmUp, total });
  return cosineSchedule({ rate, warmUp, total, floor: FLOOR * rate });
}

function groupedBySpeaker(clips: readonly FaceClip[]): Map<string, FaceClip[]> {
  const groups = new Map<string, FaceClip[]>();
  for (const clip of clips) groups.set(clip.speaker, [...(groups.get(clip.speaker) ?? []), clip]);
  return groups;
}
