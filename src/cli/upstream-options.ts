/** Options of the original's programs that are said in another way here, or need not be said. */
export const UPSTREAM_OPTIONS: Readonly<Record<string, string>> = {
  '--inference-config': 'Give the task file as the argument of run: musetalk run tasks.yaml',
  '--output-vid-name': 'Name the output with -o.',
  '--unet-model-path': 'Give the folder of the UNet with --model, or all networks with --models.',
  '--unet-config': 'It is found beside the UNet: give their folder with --model.',
  '--whisper-dir': 'It is looked for as whisper/ in the folder of --models.',
  '--vae-type': 'It is looked for as sd-vae/ or sd-vae-ft-mse/ in the folder of --models.',
  '--use-float16': 'Leave it out: half precision brings nothing on a processor.',
  '--gpu-id': 'Leave it out; musetalk doctor says what the networks can run on.',
  '--ffmpeg-path': 'Set the environment variable FFMPEG_PATH.',
  '--use-saved-coord': 'Give the file with --coords.',
  '--saved-coord': 'Name the file to write with --save-coords.',
  '--skip-save-images': 'Leave it out: frames are kept only where --frames names a folder.',
  '--outfile': 'Name the output with -o.',
  '--audio': 'Give video and sound as arguments: musetalk dub face.mp4 speech.wav -o out.mp4',
};
