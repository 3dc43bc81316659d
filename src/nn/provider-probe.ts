/**
 * The process that tries one execution provider: a provider may print to the terminal by itself, or crash. Its
 * arguments are the provider's name, or nothing for a description of the engine; its answer is one message.
 */
import { add } from './ops/arithmetic.ts';
import { Engine } from './session.ts';
import { input } from './value.ts';

/** What the process answers. */
export type ProbeAnswer =
  | { version: string; providers: readonly string[] }
  | { works: boolean; seconds: number; why?: string };

async function probe(provider: string | undefined): Promise<ProbeAnswer> {
  const engine = new Engine();
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  try {
    if (provider === undefined) return await engine.describe();
    const x = input('x', [2]);
    const options = { providers: [provider], threads: 1, strict: provider !== 'cpu' };
    const session = await engine.load({ y: add(x, x) }, options);
    const { y } = await session.run({ x: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) } });
    const right = y?.data[0] === 2 && y.data[1] === 4;
    return { works: right, seconds: seconds(), ...(right ? {} : { why: 'it adds wrongly' }) };
  } catch (error) {
    return { works: false, seconds: seconds(), why: error instanceof Error ? error.message : String(error) };
  } finally {
    await engine.close();
  }
}

if (process.send) {
  const answer = await probe(process.argv[2]);
  process.send(answer, () => process.exit());
}
