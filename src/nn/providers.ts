/** Finds out which execution providers of ONNX Runtime work on this machine. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ProbeAnswer } from './provider-probe.ts';

/** An execution provider that this build of ONNX Runtime knows. */
export interface Provider {
  readonly name: string;
  /** It loaded a small graph, ran all of it by itself and gave the right numbers. */
  readonly works: boolean;
  /** Why it does not. */
  readonly why: string | undefined;
}

/** What ONNX Runtime is here. */
export interface EngineReport {
  /** Undefined when it could not even be loaded; `why` then says the reason. */
  readonly version: string | undefined;
  readonly why: string | undefined;
  readonly providers: readonly Provider[];
}

/** Seconds that a provider may take to start: compiling shaders is slow the first time. */
const PATIENCE = 60;

/** Tries every provider with a graph, each in a process of its own. */
export async function probeProviders(signal?: AbortSignal): Promise<EngineReport> {
  const described = await ask([], signal);
  if (!('version' in described)) return { version: undefined, why: described.why, providers: [] };
  const providers = await Promise.all(
    described.providers.map(async (name): Promise<Provider> => {
      const answer = await ask([name], signal);
      if (!('works' in answer)) return { name, works: false, why: 'it gave no answer' };
      return { name, works: answer.works, why: answer.works ? undefined : shortened(answer.why ?? '') };
    }),
  );
  return { version: described.version, why: undefined, providers };
}

function ask(args: readonly string[], signal: AbortSignal | undefined): Promise<ProbeAnswer> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = fork(programPath(), args, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const failed = (why: string) => resolve({ works: false, seconds: 0, why });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      failed(`nothing came of it in ${PATIENCE} seconds`);
    }, PATIENCE * 1000);
    const abort = () => {
      child.kill('SIGKILL');
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
    child.once('message', (answer) => resolve(answer as ProbeAnswer));
    child.once('error', (error) => failed(error.message));
    child.once('exit', (code, killedBy) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      failed(killedBy ? `the process crashed (${killedBy})` : `the process ended with code ${code}`);
    });
  });
}

/** The sources run as they are, the built package as JavaScript. */
function programPath(): string {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./provider-probe.${ending}`, import.meta.url));
}

/** The engine's own words are for its developers; the usual ones are told in plain ones. */
const PLAIN: readonly [sign: RegExp, words: string][] = [
  [/Failed to load shared library/, "the provider's library, or one that it needs, is not installed"],
  [/RequestAdapterStatus/, 'no graphics adapter was found'],
];

/** The engine's messages without source files, templates and line breaks. */
function shortened(why: string): string {
  const plain = PLAIN.find(([sign]) => sign.test(why));
  if (plain) return plain[1];
  const text = why
    .replace(/^ONNX Runtime failed: (Error: )?/, '')
    .replace(/\/onnxruntime_src\/\S+:\d+ /, '')
    .replace(/\s+/g, ' ');
  return text.length > 160 ? `${text.slice(0, 160)} …` : text;
}
