import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { collect, colourOf, colours, make, moving, scratch, x264 } from '../../test/media-fixtures.ts';
import { image } from '../image/image.ts';
import { readImage, sortPictures } from './image-files.ts';
import { openVideo } from './open-video.ts';
import { writeFrames, writeImage } from './write-frames.ts';

const limit = { timeout: 60_000 };

test('pictures are sorted by number when all have one, else by name', () => {
  assert.deepEqual(sortPictures(['10.png', '9.png', '1.png']), ['1.png', '9.png', '10.png']);
  assert.deepEqual(sortPictures(['shot2_10.png', 'shot2_9.png']), ['shot2_9.png', 'shot2_10.png']);
  assert.deepEqual(sortPictures(['10.png', '9.png', 'cover.png']), ['10.png', '9.png', 'cover.png']);
  assert.deepEqual(sortPictures(['b.jpg', 'a.jpg', 'B.jpg']), ['B.jpg', 'a.jpg', 'b.jpg']);
});

test('frames written as PNG files come back as a folder, byte for byte', limit, async (t) => {
  const folder = join(await scratch(t), 'new', 'frames');
  assert.equal(await writeFrames(folder, colours(12, 33, 21)), 12);
  assert.deepEqual((await readdir(folder)).sort().at(-1), '00000011.png');
  assert.equal(await writeFrames(folder, colours(1, 33, 21), { first: 12 }), 1);
  await writeFile(join(folder, 'notes.txt'), 'not a picture');
  const source = await openVideo(folder);
  assert.deepEqual(
    [source.kind, source.width, source.height, source.frameCount, source.fps],
    ['folder', 33, 21, 13, { num: 25, den: 1 }],
  );
  const frames = await collect(source.frames(3, 5));
  assert.deepEqual(
    frames.map(({ index, time }) => [index, time]),
    [
      [3, 0.12],
      [4, 0.16],
    ],
  );
  for (const { data, index } of frames) assert.deepEqual([...data.subarray(0, 3)], colourOf(index));
  assert.deepEqual((await openVideo(folder, { fps: '30000/1001' })).fps, { num: 30000, den: 1001 });
});

test('every kind of picture is read as RGB: PNG, JPEG, WebP, TIFF, BMP', limit, async (t) => {
  const folder = await scratch(t);
  const plain = sharp({ create: { width: 40, height: 30, channels: 3, background: '#20c040' } });
  for (const kind of ['png', 'webp', 'tiff', 'jpeg'] as const) {
    const path = join(folder, `a.${kind}`);
    await plain.clone()[kind]({ quality: 100 }).toFile(path);
    const picture = await readImage(path);
    assert.deepEqual([picture.width, picture.height, picture.channels], [40, 30, 3]);
    assert.ok(
      [0x20, 0xc0, 0x40].every((v, c) => Math.abs(v - picture.data[c]!) <= 2),
      kind,
    );
  }
  const bmp = await make(join(folder, 'a.bmp'), '-i', join(folder, 'a.png'));
  assert.deepEqual([...(await readImage(bmp)).data.subarray(0, 3)], [0x20, 0xc0, 0x40]);
  assert.equal((await collect((await openVideo(bmp)).frames())).length, 1);
});

test('grey, 16 bits, a palette, CMYK and transparency all become RGB', limit, async (t) => {
  const folder = await scratch(t);
  const at = (name: string) => join(folder, name);
  const grey = sharp({ create: { width: 8, height: 8, channels: 3, background: '#808080' } });
  await grey.clone().greyscale().png().toFile(at('grey.png'));
  await grey.clone().toColourspace('rgb16').png().toFile(at('deep.png'));
  await grey.clone().png({ palette: true }).toFile(at('palette.png'));
  await grey.clone().toColourspace('cmyk').jpeg({ quality: 100 }).toFile(at('cmyk.jpg'));
  for (const name of ['grey.png', 'deep.png', 'palette.png', 'cmyk.jpg']) {
    const { data } = await readImage(at(name));
    assert.equal(data.length, 8 * 8 * 3, name);
    assert.ok(
      data.every((v) => Math.abs(v - 128) <= (name === 'cmyk.jpg' ? 16 : 1)),
      `${name}: ${data.subarray(0, 3)}`,
    );
  }
  await sharp({
    create: { width: 8, height: 8, channels: 4, background: { r: 200, g: 100, b: 50, alpha: 0.5 } },
  })
    .png()
    .toFile(at('alpha.png'));
  const source = await openVideo(at('alpha.png'));
  assert.match(source.warnings.join(), /transparent/);
  const [frame] = await collect(source.frames());
  assert.ok(
    [100, 50, 25].every((v, c) => Math.abs(v - frame!.data[c]!) <= 1),
    `${frame!.data.subarray(0, 3)}`,
  );
});

test('a photograph is turned upright by its EXIF', limit, async (t) => {
  const path = join(await scratch(t), 'photo.jpg');
  const left = image(40, 20, 3);
  for (let y = 0; y < 20; y++) for (let x = 0; x < 20; x++) left.data[3 * (y * 40 + x)] = 255;
  await sharp(left.data, { raw: { width: 40, height: 20, channels: 3 } })
    .jpeg()
    .withMetadata({ orientation: 6 })
    .toFile(path);
  const source = await openVideo(path);
  assert.deepEqual([source.width, source.height], [20, 40]);
  const [frame] = await collect(source.frames());
  assert.ok(frame!.data[3 * (10 * 20 + 10)]! > 200, 'the red half is above');
  assert.ok(frame!.data[3 * (30 * 20 + 10)]! < 60);
});

test('pictures of different sizes, damaged ones and none at all are refused', limit, async (t) => {
  const folder = await scratch(t);
  await assert.rejects(openVideo(folder), { code: 'NOT_FOUND', message: /holds no pictures/ });
  await writeImage(join(folder, '1.png'), image(10, 10, 3));
  await writeImage(join(folder, '2.png'), image(10, 12, 3));
  await assert.rejects(openVideo(folder), {
    code: 'WRONG_FILE',
    message: /2\.png has 10×12 pixels, but .*1\.png has 10×10/,
  });
  await writeFile(join(folder, '2.png'), '#EXTM3U\n');
  await assert.rejects(openVideo(folder), { code: 'WRONG_FILE', message: /playlist/ });

  const other = join(folder, 'other');
  await mkdir(other);
  await writeImage(join(other, 'whole.png'), {
    ...image(64, 64, 3),
    data: Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => i * i),
  });
  const whole = await readFile(join(other, 'whole.png'));
  await writeFile(join(other, 'cut.png'), whole.subarray(0, whole.length / 2));
  await assert.rejects(readImage(join(other, 'cut.png')), { code: 'BAD_FILE', message: /cannot be decoded/ });
  await make(join(other, 'v.mp4'), ...moving({ seconds: 0.1 }), ...x264);
  await assert.rejects(readImage(join(other, 'v.mp4')), { code: 'WRONG_FILE', message: /not a picture/ });
});

test('a picture that declares a gigabyte is refused from its header', limit, async (t) => {
  const path = join(await scratch(t), 'bomb.png');
  await writeFile(path, bomb(30000, 30000));
  const before = process.memoryUsage().rss;
  await assert.rejects(openVideo(path), { code: 'TOO_LARGE', message: /900000000 pixels/ });
  assert.ok(process.memoryUsage().rss - before < 100e6);
});

/** A PNG of a few bytes that declares many pixels. */
function bomb(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const chunks = [
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(100))),
    chunk('IEND', Buffer.alloc(0)),
  ];
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
