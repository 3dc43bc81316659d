/**
 * The encoder of Whisper, which hears for the UNet: 30 seconds of mel to one row each 20 ms. Whisper-tiny has
 * width 384, 4 layers, 6 heads and 8,208,384 parameters.
 *
 * Names are Hugging Face's without their prefix; {@link whisperName} translates OpenAI's.
 * B batch, T positions (half the columns of the mel), C width.
 */
import { conv1d, layerNorm, linear } from '../nn/layers.ts';
import { add, gelu } from '../nn/ops/arithmetic.ts';
import { concat, transpose, unsqueeze } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { multiHeadAttention } from './blocks/attention.ts';

/** Sizes of a Whisper encoder. */
export interface WhisperConfig {
  /** Bands of the mel. */
  mels: number;
  /** Positions out; the mel has twice as many columns. */
  positions: number;
  width: number;
  layers: number;
  heads: number;
  /** Width inside each layer's MLP. */
  mlp: number;
}

/** Whisper-tiny. */
export const WHISPER_TINY: WhisperConfig = {
  mels: 80,
  positions: 1500,
  width: 384,
  layers: 4,
  heads: 6,
  mlp: 1536,
};

/** Width of a head in every published Whisper. */
const HEAD_WIDTH = 64;

const OPENAI_NAMES = [
  [/^positional_embedding$/, 'embed_positions.weight'],
  [/^blocks\./, 'layers.'],
  [/\.attn_ln\./, '.self_attn_layer_norm.'],
  [/\.attn\.query\./, '.self_attn.q_proj.'],
  [/\.attn\.key\./, '.self_attn.k_proj.'],
  [/\.attn\.value\./, '.self_attn.v_proj.'],
  [/\.attn\.out\./, '.self_attn.out_proj.'],
  [/\.mlp_ln\./, '.final_layer_norm.'],
  [/\.mlp\.0\./, '.fc1.'],
  [/\.mlp\.2\./, '.fc2.'],
  [/^ln_post\./, 'layer_norm.'],
] as const;

/**
 * The name by which this network asks for a tensor of a whole Whisper's file, OpenAI's (`encoder.…`, with or
 * without `model_state_dict/` before it) or Hugging Face's (`model.encoder.…`). Names of the decoder stay as they are.
 */
export function whisperName(name: string): string {
  const inside = name.replace(/^(model_state_dict\/)?(model\.)?encoder\./, '');
  if (inside === name) return name;
  return OPENAI_NAMES.reduce((all, [openai, current]) => all.replace(openai, current), inside);
}

/**
 * The sizes of an encoder, from the shapes of its tensors under the names that {@link whisperName} gives.
 *
 * @returns undefined when a tensor that shows them is missing.
 */
export function whisperConfigOf(
  shapeOf: (name: string) => readonly number[] | undefined,
): WhisperConfig | undefined {
  const [first, table, mlp] = ['conv1.weight', 'embed_positions.weight', 'layers.0.fc1.weight'].map(shapeOf);
  if (!first || !table || !mlp) return undefined;
  let layers = 1;
  while (shapeOf(`layers.${layers}.fc1.weight`)) layers++;
  const width = first[0]!;
  return { mels: first[1]!, positions: table[0]!, width, layers, heads: width / HEAD_WIDTH, mlp: mlp[0]! };
}

/**
 * All states of the encoder, each [B, T, C]: before the layers, after each of them, and after the final norm.
 *
 * mel: [B, 80, 2 T]
 */
export function whisperStates(w: Weights, mel: Value, config: WhisperConfig = WHISPER_TINY): Value[] {
  const { width: out, positions, layers } = config;
  let h = gelu(conv1d(w.at('conv1'), mel, { out, kernel: 3, padding: 1 })); // [B, C, 2 T]
  h = gelu(conv1d(w.at('conv2'), h, { out, kernel: 3, stride: 2, padding: 1 })); // [B, C, T]
  h = add(transpose(h, [0, 2, 1]), w.get('embed_positions.weight', [positions, out])); // [B, T, C]
  const states = [h];
  for (let i = 0; i < layers; i++) {
    h = encoderLayer(w.at('layers', i), h, config);
    states.push(h);
  }
  return [...states, layerNorm(w.at('layer_norm'), h)];
}

/**
 * The states that condition the UNet, stacked per position: before the layers and after each, the last of them
 * normalised in 1.5 and raw in 1.0.
 *
 * mel: [B, 80, 3000] → [B, 1500, 5, 384]
 */
export function whisperEncoder(
  w: Weights,
  mel: Value,
  config: WhisperConfig = WHISPER_TINY,
  { version = '1.5' }: { version?: '1.0' | '1.5' } = {},
): Value {
  const states = whisperStates(w, mel, config);
  const stacked =
    version === '1.5' ? [...states.slice(0, config.layers), states.at(-1)!] : states.slice(0, -1);
  return concat(
    stacked.map((state) => unsqueeze(state, [2])),
    2,
  );
}

/** x + attention(LN(x)), then + MLP(LN(·)); no mask. [B, T, C] → [B, T, C] */
function encoderLayer(w: Weights, x: Value, { heads, mlp }: WhisperConfig): Value {
  const out = fixed(x, 2);
  const h = add(selfAttention(w.at('self_attn'), layerNorm(w.at('self_attn_layer_norm'), x), { heads }), x);
  const inner = gelu(linear(w.at('fc1'), layerNorm(w.at('final_layer_norm'), h), { out: mlp }));
  return add(linear(w.at('fc2'), inner, { out }), h);
}

/** Keys alone have no bias. */
function selfAttention(w: Weights, x: Value, { heads }: { heads: number }): Value {
  const out = fixed(x, 2);
  const q = linear(w.at('q_proj'), x, { out });
  const k = linear(w.at('k_proj'), x, { out, bias: false });
  const v = linear(w.at('v_proj'), x, { out });
  return linear(w.at('out_proj'), multiHeadAttention(q, k, v, { heads }), { out });
}
