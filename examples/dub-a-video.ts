// A video, picture or folder of pictures says a sound.
// Run: npx tsx examples/dub-a-video.ts face.mp4 speech.wav out.mp4
import { dub, MuseTalkError } from 'musetalk';

const [video = 'face.mp4', sound = 'speech.wav', output = 'out.mp4'] = process.argv.slice(2);

try {
  const report = await dub(
    { video, sound, output, overwrite: true },
    { onProgress: ({ stage, done, total }) => process.stderr.write(`\r${stage} ${done}/${total}   `) },
  );
  console.log(`\n${report.output}: ${report.frameCount} frames, ${report.duration.toFixed(2)} s`);
} catch (error) {
  if (!(error instanceof MuseTalkError)) throw error;
  console.error(`\n${error.message}. ${error.hint ?? ''}`); // `error.code` tells programs what went wrong
  process.exitCode = 1;
}
