// The hostile set: what strangers send. Each must get an error that names it, leave nothing, and hold up nobody.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { make, moving, tone, wav, x264 } from '../../test/media-fixtures.ts';
import { childrenLeft, shortVideo, spokenWav, type TestService, testService } from '../../test/service.ts';

const closers: (() => unknown)[] = [];
let service: TestService;
let folder: string;
let video: string;
let sound: string;

before(async () => {
  const context = { after: (end: () => unknown) => closers.push(end) } as unknown as TestContext;
  service = await testService(context, { workers: 1, maxDuration: 600 });
  folder = await mkdtemp(join(tmpdir(), 'hostile-'));
  video = await service.upload(await shortVideo());
  sound = await service.upload(spokenWav());
});
after(async () => {
  for (const end of closers.reverse()) await end();
  await rm(folder, { recursive: true });
});

const text = (words: string) => Buffer.from(words);
const atom = (type: string, ...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8);
  head.write(type, 4);
  return Buffer.concat([head, body]);
};

/** Refused at the door, by their first bytes: none of them is ever shown to FFmpeg. */
const NO_MEDIA: Readonly<Record<string, Buffer>> = {
  'a playlist that points at a local file': text(
    '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile:///etc/passwd\n',
  ),
  'a playlist with subfile': text('#EXTM3U\n#EXTINF:1,\nsubfile,,start,0,end,64,,:///etc/passwd\n'),
  'a playlist of the network': text('#EXTM3U\n#EXTINF:10.0,\nhttp://169.254.169.254/latest/meta-data\n'),
  'a playlist that refers to itself': text('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n'),
  'a playlist behind a byte order mark': text(
    '\uFEFF#EXTM3U\n#EXTINF:10.0,\nconcat:/etc/passwd|/etc/hosts\n',
  ),
  'a concat script': text("ffconcat version 1.0\nfile '/etc/passwd'\n"),
  'a concat script without a head': text("file '/etc/passwd'\n"),
  'a DASH manifest': text(
    '<?xml version="1.0"?><MPD><Period><SegmentTemplate startNumber="-1"/></Period></MPD>',
  ),
  'a session description': text('v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n'),
  'a drawing': text('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
  'a web page': text('<!doctype html><script>alert(1)</script>'),
  'an archive': Buffer.concat([text('PK\x03\x04'), Buffer.alloc(100)]),
  'a program': Buffer.concat([text('\x7fELF'), Buffer.alloc(100)]),
  text: text('hello'),
  zeros: Buffer.alloc(5000),
};

for (const [name, bytes] of Object.entries(NO_MEDIA))
  test(`${name}, sent as a video, is refused at the door`, async () => {
    const traces = await service.traces();
    const { error } = await service.json(422, '/v1/uploads?name=video.mp4', {
      method: 'PUT',
      body: new Uint8Array(bytes),
    });
    assert.equal(error.code, 'WRONG_FILE');
    assert.deepEqual(await service.traces(), traces);
  });

function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(data.length);
    head.write(type, 4);
    return Buffer.concat([head, data, crc(Buffer.concat([Buffer.from(type), data]))]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(64))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function crc(data: Buffer): Buffer {
  let value = 0xffffffff;
  for (const byte of data) {
    value ^= byte;
    for (let k = 0; k < 8; k++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  const out = Buffer.alloc(4);
  out.writeUInt32BE((value ^ 0xffffffff) >>> 0);
  return out;
}

/** A GIF whose frames are one pixel and cost nothing to write, and very many. */
function gifOfFrames(count: number, width: number, height: number): Buffer {
  const head = Buffer.from('GIF89a\0\0\0\0\x80\0\0\0\0\0\xff\xff\xff', 'latin1');
  head.writeUInt16LE(width, 6);
  head.writeUInt16LE(height, 8);
  const frame = Buffer.from('\x21\xf9\x04\0\x01\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0', 'latin1');
  return Buffer.concat([head, ...Array<Buffer>(count).fill(frame), Buffer.from(';')]);
}

/** A FLAC that says it holds days of sound. */
function endlessFlac(): Buffer {
  const info = Buffer.alloc(34);
  info.writeUInt16BE(4096, 0);
  info.writeUInt16BE(4096, 2);
  // 20 bits of rate (44100), 3 of channels − 1, 5 of bits − 1, 36 of samples.
  info.writeBigUInt64BE((44100n << 44n) | (1n << 41n) | (15n << 36n) | 0xfffffffffn, 10);
  return Buffer.concat([Buffer.from('fLaC'), Buffer.from([0x80, 0, 0, 34]), info, Buffer.alloc(64)]);
}

async function patched(change: (bytes: Buffer) => void): Promise<Buffer> {
  const bytes = Buffer.from(await shortVideo());
  change(bytes);
  return bytes;
}

/** Writes a size into the track and sample headers of an MP4. */
function resize(bytes: Buffer, width: number, height: number): void {
  const entry = bytes.indexOf('avc1');
  bytes.writeUInt16BE(width, entry + 28);
  bytes.writeUInt16BE(height, entry + 30);
  const track = bytes.indexOf('tkhd');
  bytes.writeUInt32BE((width * 65536) >>> 0, track + 80);
  bytes.writeUInt32BE((height * 65536) >>> 0, track + 84);
}

function floats(...values: number[]): Buffer {
  const data = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) data.writeFloatLE(value, i * 4);
  return data;
}

/** An Ogg Opus file of one page that says it ends after days. */
function endlessOpus(): Buffer {
  const head = Buffer.from('OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0', 'latin1');
  const tags = Buffer.from('OpusTags\0\0\0\0\0\0\0\0', 'latin1');
  const silence = Buffer.from([0xf8, 0xff, 0xfe]);
  return Buffer.concat([
    oggPage(2, 0n, 0, head),
    oggPage(0, 0n, 1, tags),
    oggPage(4, 48000n * 864000n, 2, silence),
  ]);
}

function oggPage(kind: number, position: bigint, number: number, packet: Buffer): Buffer {
  const page = Buffer.alloc(28 + packet.length);
  page.write('OggS', 0, 'latin1');
  page[5] = kind;
  page.writeBigUInt64LE(position, 6);
  page.writeUInt32LE(7, 14);
  page.writeUInt32LE(number, 18);
  page[26] = 1;
  page[27] = packet.length;
  packet.copy(page, 28);
  let sum = 0;
  for (const byte of page) {
    sum ^= byte << 24;
    for (let k = 0; k < 8; k++) sum = sum & 0x80000000 ? (sum << 1) ^ 0x04c11db7 : sum << 1;
  }
  page.writeUInt32LE(sum >>> 0, 22);
  return page;
}

/** The canvas of an animated WebP, as large as the format knows, with nothing on it. */
function hugeWebp(): Buffer {
  const canvas = Buffer.from([0x02, 0, 0, 0, 0xff, 0x3f, 0, 0xff, 0x3f, 0]);
  const chunks = Buffer.concat([riffChunk('VP8X', canvas), riffChunk('ANIM', Buffer.alloc(6))]);
  return riffChunk('RIFF', Buffer.concat([Buffer.from('WEBP'), chunks]));
}

function riffChunk(name: string, data: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(name, 0, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data]);
}

/** A job of it ends within its limits: refused by name, or dubbed. What is not listed under `codes` is a fault. */
interface Hostile {
  readonly as: 'video' | 'sound';
  readonly bytes: () => Promise<Buffer> | Buffer;
  readonly codes: readonly string[];
}

const MEDIA: Readonly<Record<string, Hostile>> = {
  'a video cut in its middle': {
    as: 'video',
    bytes: async () => (await shortVideo()).subarray(0, 2000),
    codes: ['BAD_FILE', 'WRONG_FILE'],
  },
  'a video without its index': {
    ...{ as: 'video', codes: ['BAD_FILE', 'WRONG_FILE'] },
    bytes: async () => {
      const bytes = await shortVideo();
      return bytes.subarray(0, bytes.lastIndexOf('moov') - 4);
    },
  },
  'a video that is nothing but a head': {
    as: 'video',
    bytes: () => atom('ftyp', text('isom\0\0\x02\0isomiso2avc1mp41')),
    codes: ['BAD_FILE', 'WRONG_FILE'],
  },
  'a picture of 16384 × 16384 in 90 bytes': {
    as: 'video',
    bytes: () => png(16384, 16384),
    codes: ['TOO_LARGE'],
  },
  'a picture of 65535 × 65535': {
    as: 'video',
    bytes: () => png(65535, 65535),
    codes: ['TOO_LARGE', 'BAD_FILE'],
  },
  'a picture of 0 × 0': { as: 'video', bytes: () => png(0, 0), codes: ['BAD_FILE', 'WRONG_FILE'] },
  'a GIF of very many large frames': {
    as: 'video',
    bytes: () => gifOfFrames(150_000, 4000, 4000),
    codes: ['TOO_LARGE', 'BAD_FILE'],
  },
  'a video that says it is 65535 × 65535': {
    as: 'video',
    bytes: () => patched((bytes) => resize(bytes, 65535, 65535)),
    codes: ['TOO_LARGE', 'BAD_FILE', 'done'],
  },
  'a video that says it is 0 × 0': {
    as: 'video',
    bytes: () => patched((bytes) => resize(bytes, 0, 0)),
    codes: ['WRONG_FILE', 'BAD_FILE', 'done'],
  },
  'a video of 10^9 frames a second': {
    ...{ as: 'video', codes: ['BAD_FILE', 'TOO_LARGE', 'done'] },
    bytes: () => patched((bytes) => bytes.writeUInt32BE(1_000_000_000, bytes.indexOf('mdhd') + 16)),
  },
  'a video of 0 frames a second': {
    ...{ as: 'video', codes: ['BAD_FILE', 'TOO_LARGE', 'WRONG_FILE', 'done'] },
    bytes: () => patched((bytes) => bytes.writeUInt32BE(0, bytes.indexOf('mdhd') + 16)),
  },
  'an AVI whose subtitle is a playlist': {
    ...{ as: 'video', codes: ['BAD_FILE', 'WRONG_FILE'] },
    bytes: () =>
      Buffer.concat([
        text('RIFF\xff\xff\0\0AVI LIST\x10\0\0\0hdrl'),
        text('GAB2\0\x02\0#EXTM3U\nfile:///etc/passwd'),
      ]),
  },
  'a WebP whose canvas has 268 million pixels': {
    as: 'video',
    bytes: hugeWebp,
    codes: ['TOO_LARGE', 'BAD_FILE', 'WRONG_FILE'],
  },
  'an hour of one black 8K picture in little': {
    ...{ as: 'video', codes: ['TOO_LARGE'] },
    bytes: async () => {
      const black = [
        '-f',
        'lavfi',
        '-i',
        'color=black:s=7680x4320:r=1/600:d=3600',
        '-c:v',
        'mjpeg',
        '-q:v',
        '31',
      ];
      return readFile(await make(join(folder, 'black.mkv'), ...black));
    },
  },
  'ten days of silence in an Opus file of 150 bytes': {
    as: 'sound',
    bytes: endlessOpus,
    codes: ['TOO_LARGE', 'BAD_FILE'],
  },
  'days of silence in a FLAC of 100 bytes': {
    as: 'sound',
    bytes: endlessFlac,
    codes: ['TOO_LARGE', 'BAD_FILE'],
  },
  'a sound of no samples': {
    as: 'sound',
    bytes: () => wav(Buffer.alloc(0)),
    codes: ['NO_SOUND', 'BAD_FILE', 'done'],
  },
  'a sound whose head promises 2^31 samples': {
    ...{ as: 'sound', codes: ['TOO_LARGE', 'done'] },
    bytes: () => {
      const bytes = wav(Buffer.alloc(3200));
      bytes.writeUInt32LE(0xffffffff, 40);
      return bytes;
    },
  },
  'a sound of 255 channels': {
    as: 'sound',
    bytes: () => wav(Buffer.alloc(255 * 2 * 50), { channels: 255 }),
    codes: ['TOO_LARGE', 'BAD_FILE', 'NO_SOUND'],
  },
  'a sound of 64 channels': {
    as: 'sound',
    bytes: () => wav(Buffer.alloc(64 * 2 * 1600), { channels: 64 }),
    codes: ['TOO_LARGE', 'BAD_FILE', 'done'],
  },
  'a sound of 0 hertz': {
    as: 'sound',
    bytes: () => wav(Buffer.alloc(3200), { rate: 0 }),
    codes: ['NO_SOUND', 'BAD_FILE'],
  },
  'a sound of NaN and infinities': {
    ...{ as: 'sound', codes: ['done'] },
    bytes: () =>
      wav(floats(...Array<number>(1600).fill(Number.NaN), Infinity, -Infinity, 1e38), {
        format: 3,
        bits: 32,
      }),
  },
  'a picture, sent as the sound': { as: 'sound', bytes: () => png(8, 8), codes: ['NO_SOUND', 'BAD_FILE'] },
};

for (const [name, { as, bytes, codes }] of Object.entries(MEDIA))
  test(`${name} ends in ${codes.join(' or ')}, in bounded time and memory`, async () => {
    const traces = await service.traces();
    const memory = process.memoryUsage().rss;
    const start = performance.now();
    const sent = await service.ask('/v1/uploads?name=x.mp4', {
      method: 'PUT',
      body: new Uint8Array(await bytes()),
    });
    const upload = (await sent.json()) as { id: string; error?: { code: string } };
    if (upload.error) assert.ok(codes.includes(upload.error.code), upload.error.code);
    else {
      const asked = await service.ask('/v1/dubs', {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
        body: JSON.stringify(as === 'video' ? { video: upload.id, sound } : { video, sound: upload.id }),
      });
      const dub = (await asked.json()) as { id: string; error: { code: string; message: string } | null };
      const code =
        asked.status === 201 ? ((await service.ended(dub.id)).error?.code ?? 'done') : dub.error!.code;
      assert.ok(codes.includes(code), `${code}: ${dub.error?.message}`);
      assert.ok(asked.status === 201 || !dub.error!.message.includes(service.folder), 'no path is told');
      if (asked.status === 201) {
        const kept = as === 'video' ? sound : video; // deleting the dub removes both of its uploads
        await service.json(204, `/v1/dubs/${dub.id}`, { method: 'DELETE' });
        const again = await service.upload(kept === sound ? spokenWav() : await shortVideo());
        if (kept === sound) sound = again;
        else video = again;
      } else await service.json(204, `/v1/uploads/${upload.id}`, { method: 'DELETE' });
    }
    assert.ok(performance.now() - start < 60_000);
    assert.ok(process.memoryUsage().rss - memory < 400e6, `${process.memoryUsage().rss - memory} bytes more`);
    assert.equal((await service.traces()).length, traces.length);
    assert.deepEqual(await childrenLeft(), []);
  });

test('after all that, an honest job is done as before', async () => {
  const path = await make(
    join(folder, 'h.mp4'),
    ...moving({ seconds: 0.4 }),
    ...tone({ seconds: 0.4 }),
    ...x264,
  );
  const own = await service.upload(await readFile(path));
  const { id } = await service.post(201, '/v1/dubs', { video: own, sound: own });
  assert.equal((await service.ended(id)).status, 'COMPLETED');
});

test('hundreds of readers that follow a job, or read nothing of it, cost little and hold up nobody', async () => {
  const count = process.env.MUSETALK_FULL === '1' ? 500 : 100;
  const slow = await service.upload(spokenWav('frames=400 delay=20'));
  const { id } = await service.post(201, '/v1/dubs', { video, sound: slow });
  const memory = process.memoryUsage().rss;
  const stop = new AbortController();
  const streams = await Promise.all(
    Array.from({ length: count }, () => service.ask(`/v1/dubs/${id}/events`, { signal: stop.signal })),
  );
  for (const { status } of streams) assert.equal(status, 200);
  assert.equal(service.service.events.open, count);
  const start = performance.now();
  await service.json(200, '/healthz');
  assert.ok(performance.now() - start < 3000);
  assert.ok(process.memoryUsage().rss - memory < 300e6);
  stop.abort();
  await service.json(204, `/v1/dubs/${id}`, { method: 'DELETE' });
  for (let i = 0; i < 100 && service.service.events.open > 0; i++)
    await new Promise((done) => setTimeout(done, 20));
  assert.equal(service.service.events.open, 0);
});

test('objects of this process were not changed by anything that came', () => {
  assert.deepEqual(Object.keys(Object.prototype), []);
});
