/** Looks at everything that dubbing needs on this machine. What counts is what works, not what is named. */
import { access, constants, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { type ErrorCode, MuseTalkError } from '../core/errors.ts';
import { readMediapipeFiles } from '../face/mediapipe-files.ts';
import { bundledMini, isMini } from '../lips/mini-networks.ts';
import { findTool, type ToolName } from '../media/tools.ts';
import { type Inventory, takeInventory } from '../models/inventory.ts';
import { leastBytes, networksNamed } from '../models/manifest.ts';
import { cacheFolder } from '../nn/folders.ts';
import { probeProviders } from '../nn/providers.ts';
import { bytes } from './words.ts';

/** One thing that was looked at. */
export interface Finding {
  /** `bad`: without it no dub works. `advice`: it works, and could be better. */
  readonly state: 'good' | 'advice' | 'bad';
  readonly topic: string;
  readonly text: string;
  /** What to do about it. */
  readonly remedy?: string | undefined;
  readonly code?: ErrorCode | undefined;
}

/** All findings, and the same for programs. */
export interface Examination {
  readonly findings: readonly Finding[];
  readonly facts: object;
}

/** Memory in which MuseTalk's networks run: their weights take 3.9 GB. */
const MUSETALK_MEMORY = 8e9;
/** Free space below which derived files may fail to be written. */
const LITTLE_SPACE = 1e9;

/** Looks at Node, the machine, ONNX Runtime, FFmpeg, folders and models. */
export async function examine(models: string, signal?: AbortSignal): Promise<Examination> {
  const [engine, ffmpeg, ffprobe, faces, cache, folder, inventory, mini] = await Promise.all([
    engineFindings(signal),
    toolFindings('ffmpeg'),
    toolFindings('ffprobe'),
    faceFindings(),
    folderFinding('cache', cacheFolder()),
    folderFinding('models', models),
    takeInventory(models),
    isMini(bundledMini()),
  ]);
  const findings = [
    nodeFinding(),
    ...machineFindings(),
    ...engine.findings,
    ...ffmpeg.findings,
    ...ffprobe.findings,
    ...faces,
    cache,
    folder,
    ...modelFindings(inventory, mini),
  ];
  const facts = {
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cores: cpus().length,
    memory: { total: totalmem(), free: freemem() },
    engine: engine.facts,
    tools: { ffmpeg: ffmpeg.facts, ffprobe: ffprobe.facts },
    folders: { cache: cacheFolder(), models },
    models: [
      { name: 'mini', ready: mini, missing: [] },
      ...inventory.sets.map(({ set, ready, missing }) => ({ name: set.name, ready, missing })),
    ],
  };
  // What is well needs no remedy.
  const told = findings.map(({ remedy, ...rest }) => (rest.state === 'good' ? rest : { ...rest, remedy }));
  return { findings: told, facts };
}

function nodeFinding(): Finding {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const old = major < 20 || (major === 20 && minor < 19);
  return {
    ...{ state: old ? 'advice' : 'good', topic: 'Node', text: node },
    remedy: 'Install Node 20.19 or newer.',
  };
}

function machineFindings(): Finding[] {
  const [first] = cpus();
  const total = totalmem();
  return [
    {
      ...{ state: 'good', topic: 'machine' },
      text: `${process.platform} ${process.arch}, ${cpus().length} cores (${first?.model.trim() ?? 'unknown'})`,
    },
    {
      ...{ state: total < MUSETALK_MEMORY ? 'advice' : 'good', topic: 'memory' },
      text: `${bytes(total)}, ${bytes(freemem())} of them free`,
      remedy: `MuseTalk's networks want ${bytes(MUSETALK_MEMORY)}; take --decoder taesd and a small --batch-size.`,
    },
  ];
}

async function engineFindings(signal?: AbortSignal): Promise<Examination> {
  const report = await probeProviders(signal);
  const topic = 'ONNX Runtime';
  if (report.version === undefined) {
    const remedy = 'Install the package again: npm ci';
    const text = `does not load: ${report.why}`;
    return { findings: [{ state: 'bad', topic, text, remedy, code: 'ENGINE' }], facts: report };
  }
  const cpu = report.providers.find(({ name }) => name === 'cpu');
  const findings: Finding[] = report.providers.map(({ name, works, why }) => ({
    state: works ? 'good' : name === 'cpu' ? 'bad' : 'advice',
    topic: `  ${name}`,
    text: works ? 'runs graphs' : `does not work: ${why}`,
    code: 'ENGINE',
  }));
  const head: Finding = { state: cpu ? 'good' : 'bad', topic, text: report.version, code: 'ENGINE' };
  return { findings: [head, ...findings], facts: report };
}

async function toolFindings(name: ToolName): Promise<Examination> {
  try {
    const tool = await findTool(name);
    const text = `${tool.version} at ${tool.path} (${tool.source})`;
    const packaged =
      tool.source === 'npm package'
        ? ['the npm package is years old: use it for no files but your own, and install FFmpeg (ffmpeg.org)']
        : [];
    const advice = [...packaged, ...tool.warnings].join('; ');
    const state = advice ? 'advice' : 'good';
    return { findings: [{ state, topic: name, text, remedy: advice || undefined }], facts: tool };
  } catch (error) {
    if (!(error instanceof MuseTalkError)) throw error;
    const { message, hint, code } = error;
    return {
      findings: [{ state: 'bad', topic: name, text: message, remedy: hint, code }],
      facts: { error: message },
    };
  }
}

/** Face networks of npm packages: without them faces are found only by the official ones. */
async function faceFindings(): Promise<Finding[]> {
  try {
    await readMediapipeFiles();
    return [{ state: 'good', topic: 'face networks', text: 'built in (BlazeFace, FaceMesh)' }];
  } catch (error) {
    if (!(error instanceof MuseTalkError)) throw error;
    const { message, hint, code } = error;
    return [{ state: 'bad', topic: 'face networks', text: message, remedy: hint, code }];
  }
}

async function folderFinding(kind: 'cache' | 'models', path: string): Promise<Finding> {
  const existing = await nearestFolder(path);
  const disk = await statfs(existing).catch(() => undefined);
  const free = disk ? disk.bavail * disk.bsize : undefined;
  const writable = await access(existing, constants.W_OK).then(
    () => true,
    () => false,
  );
  const there = existing === path ? '' : ' (will be made)';
  const space = free === undefined ? '' : `, ${bytes(free)} free`;
  const topic = `${kind} folder`;
  if (!writable) {
    const variable = kind === 'cache' ? 'MUSETALK_CACHE' : 'MUSETALK_MODELS';
    const remedy = `Set ${variable} to a folder that can be written to.`;
    return { state: 'advice', topic, text: `${path} cannot be written to`, remedy };
  }
  const full = free !== undefined && free < LITTLE_SPACE;
  return {
    state: full ? 'advice' : 'good',
    topic,
    text: `${path}${there}${space}`,
    remedy: 'Free some space.',
  };
}

async function nearestFolder(path: string): Promise<string> {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  return there || dirname(path) === path ? path : nearestFolder(dirname(path));
}

/** The names of sets by which a dub can work; the others only make it better. */
const DUBBING = ['musetalk-1.5', 'musetalk-1.0'];

function modelFindings({ sets, networks }: Inventory, mini: boolean): Finding[] {
  const some = mini || sets.some(({ set, ready }) => ready && DUBBING.includes(set.name));
  const findings = sets.map(({ set, ready, missing }): Finding => {
    if (ready) return { state: 'good', topic: set.name, text: 'ready' };
    const needed = networksNamed(set.name)!.flatMap(({ files }) => files);
    const size = needed
      .filter(({ path }) => missing.includes(path))
      .reduce((sum, file) => sum + leastBytes(file), 0);
    const begun = networks.some(({ files }) =>
      files.some(({ file, state }) => state === 'partial' && missing.includes(file.path)),
    );
    const text = `lacks ${missing.join(', ')} (${bytes(size)}${begun ? ', begun' : ''})`;
    return { state: 'advice', topic: set.name, text, remedy: `musetalk models pull ${set.name}` };
  });
  if (mini) findings.unshift({ state: 'good', topic: 'mini', text: 'ready (part of this package)' });
  if (some) return findings;
  const text = 'no lip model is there';
  const remedy = 'musetalk models pull musetalk-1.5';
  return [...findings, { state: 'bad', topic: 'models', text, remedy, code: 'MODEL_MISSING' }];
}
