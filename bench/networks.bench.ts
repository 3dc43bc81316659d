// Times the networks at full size with seeded weights, each loaded from a file as in use: seconds to load, and
// seconds a picture (or 30 seconds of sound), best of several runs, on the clock and per processor. The autoencoder
// runs plain and with fast convolutions in turn, so that their ratio holds on a busy machine.
// Run: node --import tsx bench/networks.bench.ts [part of a name] [threads]
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import type { Tensor } from '../src/core/tensor.ts';
import { sizeOf } from '../src/core/tensor.ts';
import { faceClasses } from '../src/networks/bisenet.ts';
import { faceToLatents, latentsToFace, latentsToFaceTiny } from '../src/networks/faces.ts';
import { rtmposeWithFlip } from '../src/networks/rtmpose.ts';
import { s3fd, s3fdInput } from '../src/networks/s3fd.ts';
import { unet } from '../src/networks/unet.ts';
import { whisperEncoder } from '../src/networks/whisper-encoder.ts';
import { withFastConvolutions } from '../src/nn/fast-convolutions.ts';
import { fnv1a, seededUniform } from '../src/nn/seeded-weights.ts';
import type { Session } from '../src/nn/session.ts';
import { Engine } from '../src/nn/session.ts';
import type { Value } from '../src/nn/value.ts';
import { input } from '../src/nn/value.ts';
import { frozen } from '../src/nn/weights/frozen.ts';
import { openCheckpoint } from '../src/nn/weights/open-checkpoint.ts';
import { Weights } from '../src/nn/weights.ts';
import { writeSeededCheckpoint } from '../test/seeded-checkpoint.ts';

interface Bench {
  name: string;
  /** Pictures fed at once. */
  batch: number;
  inputs: Record<string, Value>;
  build(w: Weights, inputs: Record<string, Value>): Record<string, Value>;
  /** Whether it is also timed with fast convolutions. */
  fast?: boolean;
}

const bytes = (height: number, width: number) => input('x', ['B', height, width, 3], 'uint8');

const BENCHES: readonly Bench[] = [
  unetBench(1),
  unetBench(4),
  bench('autoencoder, decoder', input('x', ['B', 4, 32, 32]), latentsToFace, { fast: true }),
  bench('autoencoder, masked and whole face', bytes(256, 256), faceToLatents, { fast: true }),
  bench('tiny decoder', input('x', ['B', 4, 32, 32]), latentsToFaceTiny),
  bench('Whisper encoder, 30 s', input('x', ['B', 80, 3000]), whisperEncoder),
  bench('S3FD, 720p', bytes(720, 1280), (w, x) => s3fd(w, s3fdInput(x))),
  bench('RTMPose, with its mirror image', bytes(384, 288), rtmposeWithFlip),
  bench('BiSeNet', bytes(512, 512), faceClasses),
];

function unetBench(batch: number): Bench {
  return {
    name: `UNet, batch ${batch}`,
    batch,
    inputs: { x: input('x', ['B', 8, 32, 32]), condition: input('condition', ['B', 50, 384]) },
    build: (w, { x, condition }) => ({ sample: unet(w, x!, condition!) }),
  };
}

function bench(
  name: string,
  x: Value,
  network: (w: Weights, x: Value) => Value | object,
  { fast = false } = {},
): Bench {
  const named = (result: Value | object) =>
    ('source' in result ? { result } : result) as Record<string, Value>;
  const outputs = (result: Record<string, Value>) =>
    Object.fromEntries(Object.entries(result).map(([output, value]) => [`${output}_out`, value]));
  return { name, batch: 1, inputs: { x }, fast, build: (w, { x: y }) => outputs(named(network(w, y!))) };
}

/** What was measured of one network. Times are in seconds; those of runs are for one picture. */
export interface NetworkTimes {
  readonly name: string;
  /** From the graph to the first moment it can run. */
  readonly load: number;
  /** Best run on the clock. */
  readonly wall: number;
  /** Best run in processor time of all threads: comparable even where other programs run. */
  readonly processor: number;
}

/** Times the networks whose names hold `only`. */
export async function* timeNetworks({
  only = '',
  threads = availableParallelism(),
  runs = 5,
} = {}): AsyncGenerator<NetworkTimes> {
  for (const one of BENCHES.filter(({ name }) => name.includes(only))) {
    const build = (w: Weights) => one.build(w, one.inputs);
    const { path, cacheFolder, remove } = await writeSeededCheckpoint(build);
    const engine = new Engine();
    const checkpoint = await openCheckpoint(path);
    try {
      const plain = build(new Weights(frozen(checkpoint)));
      const graphs = [
        { name: one.name, outputs: plain },
        ...(one.fast ? [{ name: `${one.name}, fast`, outputs: withFastConvolutions(plain) }] : []),
      ];
      const contenders: Contender[] = [];
      for (const { name, outputs } of graphs) {
        const start = performance.now();
        const session = await engine.load(outputs, { cacheFolder, threads, spinning: false });
        const load = (performance.now() - start) / 1000;
        contenders.push({ name, session, load, wall: Number.POSITIVE_INFINITY, processor: Infinity });
      }
      await race(contenders, feedsOf(one), { runs, batch: one.batch });
      for (const { session, ...times } of contenders) yield times;
    } finally {
      await engine.close();
      await checkpoint.close();
      await remove();
    }
  }
}

interface Contender {
  name: string;
  session: Session;
  load: number;
  wall: number;
  processor: number;
}

/** Runs each in turn, so that a slow minute strikes all of them. */
async function race(
  contenders: Contender[],
  feeds: Record<string, Tensor>,
  { runs, batch }: { runs: number; batch: number },
): Promise<void> {
  for (const { session } of contenders) await session.run(feeds);
  for (let i = 0; i < runs; i++) {
    for (const contender of contenders) {
      const [start, before] = [performance.now(), process.cpuUsage()];
      await contender.session.run(feeds);
      const { user, system } = process.cpuUsage(before);
      contender.wall = Math.min(contender.wall, (performance.now() - start) / 1000 / batch);
      contender.processor = Math.min(contender.processor, (user + system) / 1e6 / batch);
    }
  }
}

function feedsOf({ inputs, batch }: Bench): Record<string, Tensor> {
  const feeds = Object.entries(inputs).map(([name, { dtype, shape }]) => {
    const sizes = shape.map((size) => (size === 'B' ? batch : Number(size)));
    const number = (_: unknown, i: number) => seededUniform(fnv1a(name), i);
    const length = sizeOf(sizes);
    const data =
      dtype === 'uint8'
        ? Uint8Array.from({ length }, (_, i) => 127.5 + 127.5 * number(_, i))
        : Float32Array.from({ length }, number);
    return [name, { dtype, shape: sizes, data } as Tensor] as const;
  });
  return Object.fromEntries(feeds);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [only, threads] = process.argv.slice(2);
  for await (const { name, load, wall, processor } of timeNetworks({
    ...(only && { only }),
    ...(threads && { threads: Number(threads) }),
  })) {
    const columns = [
      `load ${load.toFixed(1).padStart(5)} s`,
      `run ${wall.toFixed(2).padStart(6)} s`,
      `processor time ${processor.toFixed(2).padStart(6)} s`,
    ];
    console.log(`${name.padEnd(42)} ${columns.join('   ')}`);
  }
}
