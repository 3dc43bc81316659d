/** Faces and voices for tests of the page, made of the pictures and the speech that lie in the repository. */
import { join } from 'node:path';
import { make } from './media-fixtures.ts';
import { ROOT } from './sources.ts';

/** Files to drop on the page. */
export interface WebInputs {
  /** A picture that sways a little, two seconds. */
  readonly video: string;
  /** Two people beside each other. */
  readonly pair: string;
  /** Speech of one and a half seconds. */
  readonly voice: string;
}

const PORTRAIT = join(ROOT, 'assets', 'demo', 'portrait.png');
const ASTRONAUT = join(ROOT, 'test', 'fixtures', 'astronaut.jpg');
const SPEECH = join(ROOT, 'assets', 'demo', 'speech.flac');

/** The runner that stands in for a model. */
export const WEB_RUNNER = new URL('./web-runner.ts', import.meta.url).href;

/** Makes them in a folder. */
export async function webInputs(folder: string, { seconds = 1.5 } = {}): Promise<WebInputs> {
  const sway = "scale=660:-2,crop=640:480:x='10+8*sin(2*PI*t/2)':y='8+6*cos(2*PI*t/2)'";
  const square = (i: number) => `[${i}]scale=480:-2,crop=480:480:0:0[p${i}]`;
  return {
    video: await make(
      join(folder, 'portrait.mp4'),
      ...['-loop', '1', '-framerate', '25', '-i', ASTRONAUT, '-t', '2', '-vf', sway],
      ...['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p'],
    ),
    pair: await make(
      join(folder, 'two people.png'),
      ...['-i', PORTRAIT, '-i', ASTRONAUT, '-filter_complex', `${square(0)};${square(1)};[p0][p1]hstack`],
    ),
    voice: await make(
      join(folder, 'speech.wav'),
      '-ss',
      '0.4',
      '-i',
      SPEECH,
      '-t',
      String(seconds),
      '-ar',
      '16000',
    ),
  };
}
