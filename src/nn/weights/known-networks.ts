import type { TensorEntry } from './checkpoint.ts';

/** A network that people may confuse with another one, told by names that only it has. */
interface KnownNetwork {
  readonly what: string;
  /** The first must be there; the others too, so that a common first name does not mislead. */
  readonly names: readonly string[];
  /** Tells versions apart by the shape of the first tensor. */
  readonly version?: (shape: readonly number[]) => string | undefined;
}

const WHISPER_SIZES: Readonly<Record<number, string>> = {
  384: 'tiny',
  512: 'base',
  768: 'small',
  1024: 'medium',
  1280: 'large',
};

const UNET_INPUTS: Readonly<Record<number, string>> = {
  4: 'of Stable Diffusion, made from text',
  8: 'with 8 input channels, as MuseTalk has it',
  9: 'of Stable Diffusion for inpainting',
  13: 'of LatentSync',
};

const NETWORKS: readonly KnownNetwork[] = [
  {
    what: 'a diffusion UNet',
    names: ['conv_in.weight', 'time_embedding.linear_1.weight', 'mid_block.resnets.0.conv1.weight'],
    version: (shape) => UNET_INPUTS[shape[1]!],
  },
  {
    what: 'an image autoencoder (VAE)',
    names: ['encoder.conv_in.weight', 'decoder.conv_in.weight', 'post_quant_conv.weight'],
  },
  {
    what: 'Whisper in the layout of Hugging Face',
    names: ['model.encoder.conv1.weight', 'model.encoder.embed_positions.weight'],
    version: (shape) => WHISPER_SIZES[shape[0]!],
  },
  {
    what: 'Whisper in the layout of Hugging Face',
    names: ['encoder.conv1.weight', 'encoder.embed_positions.weight'],
    version: (shape) => WHISPER_SIZES[shape[0]!],
  },
  {
    what: 'Whisper in the layout of OpenAI',
    names: ['encoder.conv1.weight', 'encoder.positional_embedding'],
    version: (shape) => WHISPER_SIZES[shape[0]!],
  },
  {
    what: 'BiSeNet face parsing',
    names: ['cp.resnet.conv1.weight', 'ffm.convblk.conv.weight', 'conv_out.conv_out.weight'],
  },
  { what: 'a ResNet classifier', names: ['layer1.0.conv1.weight', 'fc.weight'] },
  {
    what: 'the S3FD face detector',
    names: ['conv1_1.weight', 'conv3_3_norm_mbox_conf.weight', 'fc6.weight'],
  },
  {
    what: 'the RTMPose landmark network (DWPose)',
    names: ['backbone.stem.0.conv.weight', 'head.cls_x.weight', 'head.cls_y.weight'],
  },
  {
    what: 'a SyncNet of LatentSync',
    names: ['audio_encoder.conv_in.weight', 'visual_encoder.conv_in.weight'],
  },
  { what: 'a VGG classifier', names: ['features.0.weight', 'classifier.0.weight'] },
  {
    what: 'a whole Stable Diffusion model in its first layout',
    names: ['model.diffusion_model.input_blocks.0.0.weight', 'first_stage_model.encoder.conv_in.weight'],
  },
  {
    what: 'a CLIP text encoder',
    names: ['text_model.embeddings.token_embedding.weight', 'text_model.final_layer_norm.weight'],
  },
];

/** What a set of weights looks like, as it follows "this is": `'Whisper in the layout of OpenAI (tiny)'`. */
export function recognise(entries: ReadonlyMap<string, TensorEntry>): string | undefined {
  const known = NETWORKS.find(({ names }) => names.every((name) => entries.has(name)));
  if (known === undefined) return undefined;
  const version = known.version?.(entries.get(known.names[0]!)!.shape);
  return version === undefined ? known.what : `${known.what} (${version})`;
}
