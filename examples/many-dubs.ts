// One face says several sounds; the networks are loaded once.
// Run: npx tsx examples/many-dubs.ts face.mp4 one.wav two.wav
import { basename } from 'node:path';
import { dub, dubSettings, openFinder, openLipModel } from 'musetalk';

const [video = 'face.mp4', ...sounds] = process.argv.slice(2);
const settings = dubSettings.parse({ model: process.env.MODEL ?? 'auto', models: process.env.MODELS });

const model = await openLipModel(settings);
const finder = await openFinder(settings);
try {
  for (const sound of sounds) {
    const output = `${basename(sound)}.mp4`;
    const { frameCount, seconds } = await dub({ video, sound, output, overwrite: true }, { model, finder });
    console.log(`${output}: ${frameCount} frames, drawn in ${seconds.draw?.toFixed(1)} s`);
  }
} finally {
  await finder.close();
  await model.close();
}
