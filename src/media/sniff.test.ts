import assert from 'node:assert/strict';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratch, wav } from '../../test/media-fixtures.ts';
import { kindOf, sniff } from './sniff.ts';

test('kinds are told by their first bytes', () => {
  const cases: [string, string | undefined][] = [
    ['\0\0\0\x18ftypmp42', 'mov'],
    ['\0\0\0\x08wide\0\0\0\0mdat', 'mov'],
    ['\x1a\x45\xdf\xa3\x01\0', 'matroska'],
    ['RIFF\0\0\0\0AVI LIST', 'avi'],
    ['RIFF\0\0\0\0WAVEfmt ', 'wav'],
    ['RIFF\0\0\0\0WEBPVP8 ', 'webp_pipe'],
    ['ID3\x04', 'mp3'],
    ['\xff\xfb\x90\x64', 'mp3'],
    ['\xff\xf1\x50\x80', 'aac'],
    ['\xff\xd8\xff\xe0', 'jpeg_pipe'],
    ['fLaC\0', 'flac'],
    ['OggS\0', 'ogg'],
    ['GIF89a', 'gif'],
    [`${`G${'\0'.repeat(187)}`.repeat(3)}`, 'mpegts'],
    ['\xff\xff\xff\xff', undefined],
    ['RIFF\0\0\0\0JUNK', undefined],
    ['', undefined],
  ];
  for (const [bytes, demuxer] of cases)
    assert.equal(kindOf(Buffer.from(bytes, 'latin1'))?.demuxer, demuxer, JSON.stringify(bytes.slice(0, 16)));
});

test('scripts that open other files are refused under any name', async (t) => {
  const folder = await scratch(t);
  const cases: [string, RegExp][] = [
    ['#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n', /playlist/],
    ['\uFEFF#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n', /playlist/],
    ['ffconcat version 1.0\nfile /etc/passwd\n', /concatenation/],
    ["# a comment\nfile '/etc/passwd'\n", /concatenation/],
    ['v=0\no=- 0 0 IN IP4 127.0.0.1\n', /SDP/],
    ['<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">', /manifest/],
    ['<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', /SVG/],
    ['<!DOCTYPE html><html>', /web page/],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:', /LFS/],
    ['just some words', /is text/],
    ['\x7fELF\x02\x01\x01', /no media file/],
  ];
  for (const [text, words] of cases) {
    const path = join(folder, 'video.mp4');
    await writeFile(path, text);
    await assert.rejects(sniff(path), { code: 'WRONG_FILE', message: words });
  }
});

test('what cannot be read is named', async (t) => {
  const folder = await scratch(t);
  await writeFile(join(folder, 'empty.mp4'), '');
  await writeFile(join(folder, 'sound.wav'), wav(Buffer.alloc(4000)));
  await symlink(join(folder, 'nowhere'), join(folder, 'broken.mp4'));
  await assert.rejects(sniff(join(folder, 'empty.mp4')), { code: 'BAD_FILE', message: /is empty/ });
  await assert.rejects(sniff(join(folder, 'none.mp4')), { code: 'NOT_FOUND', message: /does not exist/ });
  await assert.rejects(sniff(join(folder, 'broken.mp4')), { code: 'NOT_FOUND' });
  await assert.rejects(sniff(`${folder}/a\0b.mp4`), { code: 'NOT_FOUND', message: /zero byte/ });
  await assert.rejects(sniff(join(folder, 'x'.repeat(4096))), { code: 'NOT_FOUND', message: /too long/ });
  await assert.rejects(sniff(folder), { code: 'WRONG_FILE', message: /is a folder/ });
  await assert.rejects(sniff('/dev/zero'), { code: 'WRONG_FILE', message: /no regular file/ });
  await assert.rejects(sniff(join(folder, 'sound.wav'), { bytes: 1000 }), { code: 'TOO_LARGE' });
});
