/**
 * AdamW for four numbers at a time: the loop of `adamStep` as a WebAssembly module, which is put together here,
 * instruction by instruction. What it moves lies in the module's own memory, where ONNX Runtime reads and writes too.
 *
 * Format: WebAssembly Core Specification 2.0, chapter 5 (binary format) and the table of vector instructions there.
 */

/** The vectors of one optimiser, all of one length. */
export interface AdamState {
  readonly parameters: Float32Array;
  /** Mean gradient. */
  readonly first: Float32Array;
  /** Mean square of the gradient. */
  readonly second: Float32Array;
  /** Average of the parameters over time, when one is kept. */
  readonly average: Float32Array | undefined;
}

/** The vectors of an optimiser in one memory, and the loops over them. */
export interface AdamMemory {
  readonly state: AdamState;
  readonly gradient: Float32Array;
  readonly kernel: AdamKernel;
}

/** The loops of a step of AdamW over the vectors of a memory. */
export interface AdamKernel {
  /** The L2 norm of the gradient, summed in double precision. */
  norm(): number;
  /** Moves parameters, means and average. */
  step(factors: AdamFactors): void;
}

/** The numbers of a step that are the same for all parameters; see `adamStep`. */
export interface AdamFactors {
  readonly factor: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly rate: number;
  readonly spread: number;
  readonly eps: number;
  readonly kept: number;
  /** Decay of the average. */
  readonly decay: number;
}

/** As much of the engine's own types as is used: TypeScript knows them of browsers alone. */
declare const WebAssembly: {
  Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

const PAGE = 2 ** 16;
/** A memory addressed by 32 bits. */
const MOST_PAGES = 2 ** 16 - 1;

/**
 * Vectors of `length` zeros, a multiple of 8, for an optimiser with or without an average; `undefined` where they are
 * larger than a memory can be.
 */
export function adamMemory(length: number, { average }: { average: boolean }): AdamMemory | undefined {
  const bytes = 4 * length;
  const pages = Math.ceil(((average ? 5 : 4) * bytes) / PAGE);
  if (pages > MOST_PAGES) return undefined;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const vector = (place: number) => new Float32Array(memory.buffer, place * bytes, length);
  const module = new WebAssembly.Module(moduleBytes());
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { norm, step } = exports as {
    norm(gradient: number, end: number): number;
    step(...numbers: number[]): void;
  };
  const [parameters, first, second, gradient] = [0, 1, 2, 3].map((place) => place * bytes) as [
    number,
    number,
    number,
    number,
  ];
  // Without an average the parameters are their own.
  const last = average ? 4 * bytes : parameters;
  return {
    state: {
      parameters: vector(0),
      first: vector(1),
      second: vector(2),
      average: average ? vector(4) : undefined,
    },
    gradient: vector(3),
    kernel: {
      norm: () => Math.sqrt(norm(gradient, gradient + bytes)),
      step: ({ factor, beta1, beta2, rate, spread, eps, kept, decay }) => {
        const factors = [factor, beta1, 1 - beta1, beta2, 1 - beta2, rate, spread, eps, kept, decay];
        step(parameters, first, second, gradient, last, parameters + bytes, ...factors);
      },
    },
  };
}

type Code = readonly number[];

/** An unsigned number, seven bits a byte. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 127;
    rest >>>= 7;
    bytes.push(rest > 0 ? low | 128 : low);
  } while (rest > 0);
  return bytes;
}

function vectorOf(items: readonly Code[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

function section(id: number, content: Code): number[] {
  return [id, ...leb(content.length), ...content];
}

function name(text: string): number[] {
  return vectorOf([...text].map((letter) => [letter.charCodeAt(0)]));
}

/** Types of values. */
const [I32, F32, F64, V128] = [0x7f, 0x7d, 0x7c, 0x7b];

const get = (local: number): Code => [0x20, ...leb(local)];
const set = (local: number): Code => [0x21, ...leb(local)];
const tee = (local: number): Code => [0x22, ...leb(local)];
const vector = (instruction: number): Code => [0xfd, ...leb(instruction)];
/** Sixteen bytes from an address, and some bytes behind it. */
const load = (behind = 0): Code => [...vector(0), 4, ...leb(behind)];
const store: Code = [...vector(11), 4, 0];

const F32X4 = {
  splat: vector(19),
  sqrt: vector(227),
  add: vector(228),
  sub: vector(229),
  mul: vector(230),
  div: vector(231),
};
const F64X2 = {
  add: vector(240),
  mul: vector(242),
  /** The first two of four floats as doubles. */
  promote: vector(95),
  lane: (index: number): Code => [...vector(33), index],
};
/** The last two of four floats in the place of the first. */
const upper: Code = [...vector(13), ...[8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]];

/** A loop over addresses, from local `at` in steps of `bytes` to local `end`, with others moved along. */
function overAddresses(
  at: number,
  end: number,
  bytes: number,
  along: readonly number[],
  body: Code,
): number[] {
  const advance = (local: number): Code => [...get(local), 0x41, ...leb(bytes), 0x6a, ...set(local)];
  return [
    ...[0x02, 0x40, ...get(at), ...get(end), 0x46, 0x0d, 0], // block; leave it where there is nothing to do
    ...[0x03, 0x40, ...body, ...[at, ...along].flatMap(advance)], // loop
    ...[...get(at), ...get(end), 0x47, 0x0d, 0, 0x0b, 0x0b], // once more as long as there is something
  ];
}

/** Parameters: address of the gradient, end of it. Result: the sum of squares. */
function normCode(): number[] {
  const [at, end, x] = [0, 1, 2];
  const sums = [3, 4, 5, 6];
  const addSquares = (sum: number, half: Code): Code => [
    ...[...get(sum), ...half, ...F64X2.promote, ...tee(x)],
    ...[...get(x), ...F64X2.mul, ...F64X2.add, ...set(sum)],
  ];
  const four = (behind: number, low: number, high: number): Code => [
    ...addSquares(low, [...get(at), ...load(behind)]),
    ...addSquares(high, [...get(at), ...load(behind), ...get(at), ...load(behind), ...upper]),
  ];
  return [
    ...overAddresses(at, end, 32, [], [...four(0, sums[0]!, sums[1]!), ...four(16, sums[2]!, sums[3]!)]),
    ...get(sums[0]!),
    ...sums.slice(1).flatMap((sum) => [...get(sum), ...F64X2.add]),
    ...tee(x),
    ...[...F64X2.lane(0), ...get(x), ...F64X2.lane(1), 0xa0], // f64.add
  ];
}

/** How many numbers a step takes beside the addresses. */
const FACTORS = 10;

/**
 * Parameters: addresses of parameters, means, mean squares, gradient and average, end of the parameters; then the
 * factors.
 */
function stepCode(): number[] {
  const [p, m, v, g, a, end] = [0, 1, 2, 3, 4, 5] as const;
  const given = 6;
  const wide = given + FACTORS; // each factor four times
  const [factor, beta1, rest1, beta2, rest2, rate, spread, eps, kept, decay] = Array.from(
    { length: FACTORS },
    (_, i) => get(wide + i),
  ) as Code[];
  const [slope, mean, squares, moved] = [0, 1, 2, 3].map((i) => wide + FACTORS + i) as number[];
  const at = (address: number): Code => [...get(address), ...load()];
  const times = (x: Code, y: Code): Code => [...x, ...y, ...F32X4.mul];
  const plus = (x: Code, y: Code): Code => [...x, ...y, ...F32X4.add];
  const minus = (x: Code, y: Code): Code => [...x, ...y, ...F32X4.sub];
  const put = (address: number, value: Code, local: number): Code => [
    ...[...get(address), ...value, ...tee(local), ...store],
  ];
  const deviation = plus(times([...get(squares!), ...F32X4.sqrt], spread!), eps!);
  const stride: Code = [...times(rate!, get(mean!)), ...deviation, ...F32X4.div];
  const body: Code = [
    ...[...times(at(g), factor!), ...set(slope!)],
    ...put(m, plus(times(beta1!, at(m)), times(rest1!, get(slope!))), mean!),
    ...put(v, plus(times(beta2!, at(v)), times(rest2!, times(get(slope!), get(slope!)))), squares!),
    ...put(p, minus(times(at(p), kept!), stride), moved!),
    ...put(a, plus(get(moved!), times(decay!, minus(at(a), get(moved!)))), slope!),
  ];
  const splats = Array.from({ length: FACTORS }, (_, i) => [
    ...[...get(given + i), ...F32X4.splat, ...set(wide + i)],
  ]);
  return [...splats.flat(), ...overAddresses(p, end, 16, [m, v, g, a], body)];
}

/** A module that takes a memory and gives `norm` and `step`. */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const type = (from: Code, to: Code): Code => [0x60, ...leb(from.length), ...from, ...leb(to.length), ...to];
  const factors: number[] = Array(FACTORS).fill(F32);
  const body = (locals: number, code: Code): number[] => {
    const bytes = [1, ...leb(locals), V128!, ...code, 0x0b];
    return [...leb(bytes.length), ...bytes];
  };
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, vectorOf([type([I32!, I32!], [F64!]), type([...Array(6).fill(I32), ...factors], [])])),
    ...section(2, vectorOf([[...name('env'), ...name('memory'), 2, 0, 1]])), // a memory of a page at least
    ...section(3, vectorOf([[0], [1]])), // the types of both functions
    ...section(
      7,
      vectorOf([
        [...name('norm'), 0, 0],
        [...name('step'), 0, 1],
      ]),
    ),
    ...section(10, vectorOf([body(5, normCode()), body(FACTORS + 4, stepCode())])),
  ]);
}
