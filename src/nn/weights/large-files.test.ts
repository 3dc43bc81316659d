import assert from 'node:assert/strict';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openCheckpoint } from './open-checkpoint.ts';

// Files over 4 GB, made of holes: they take some kilobytes of the disk.

const GIGABYTE = 2 ** 30;

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'musetalk-large-'));
});
after(() => rm(folder, { recursive: true }));

test('a zip of 5 GB is read at 64-bit positions, one tensor at a time', async () => {
  const path = join(folder, 'large.pt');
  const elements = (5 * GIGABYTE) / 4;
  const records = [
    { name: 'large/data.pkl', size: 0, content: pickleOf(elements) },
    { name: 'large/data/0', size: 4 * elements, content: undefined },
    { name: 'large/data/1', size: 8, content: new Uint8Array(Float32Array.of(1.5, -2).buffer) },
  ];
  await writeSparseZip64(path, records);

  const before = process.memoryUsage.rss();
  const checkpoint = await openCheckpoint(path);
  const { location, inPlace } = checkpoint.entries.get('small')!;
  assert.ok(inPlace && location.offset > 5 * GIGABYTE, String(location.offset));
  assert.deepEqual([...(await checkpoint.readFloat('small')).data], [1.5, -2]);
  assert.equal(checkpoint.entries.get('large')?.location.length, 5 * GIGABYTE);
  assert.ok(process.memoryUsage.rss() - before < 100 * 2 ** 20, 'more was read than was asked for');
  await checkpoint.close();
});

test('a safetensors file of 5 GB is read at 64-bit positions', async () => {
  const path = join(folder, 'large.safetensors');
  const size = 5 * GIGABYTE;
  const header = JSON.stringify({
    large: { dtype: 'U8', shape: [size], data_offsets: [0, size] },
    small: { dtype: 'F32', shape: [2], data_offsets: [size, size + 8] },
  });
  const file = await open(path, 'w');
  const start = new Uint8Array(8);
  new DataView(start.buffer).setBigUint64(0, BigInt(header.length), true);
  await file.write(start, 0, 8, 0);
  await file.write(header, 8);
  await file.write(new Uint8Array(Float32Array.of(1.5, -2).buffer), 0, 8, 8 + header.length + size);
  await file.close();

  const checkpoint = await openCheckpoint(path);
  assert.deepEqual([...(await checkpoint.readFloat('small')).data], [1.5, -2]);
  await checkpoint.close();
});

interface Record {
  readonly name: string;
  readonly size: number;
  /** `undefined` is a hole of `size` bytes. */
  readonly content: Uint8Array | undefined;
}

/** A zip whose directory holds every size and position in its 64-bit fields. */
async function writeSparseZip64(path: string, records: readonly Record[]): Promise<void> {
  const file = await open(path, 'w');
  const directory: Buffer[] = [];
  let position = 0;
  for (const { name, size, content } of records) {
    const length = content?.length ?? size;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(name.length, 26);
    await file.write(Buffer.concat([local, Buffer.from(name)]), 0, 30 + name.length, position);
    if (content !== undefined) await file.write(content, 0, content.length, position + 30 + name.length);
    directory.push(entry64(name, length, position));
    position += 30 + name.length + length;
  }
  const entries = Buffer.concat(directory);
  await file.write(
    Buffer.concat([entries, end64(records.length, entries.length, position)]),
    0,
    undefined,
    position,
  );
  await file.close();
}

function entry64(name: string, size: number, position: number): Buffer {
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50);
  entry.fill(0xff, 20, 28);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt16LE(28, 30);
  entry.fill(0xff, 42, 46);
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(1);
  extra.writeUInt16LE(24, 2);
  for (const [i, value] of [size, size, position].entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  return Buffer.concat([entry, Buffer.from(name), extra]);
}

function end64(count: number, size: number, position: number): Buffer {
  const end = Buffer.alloc(56 + 20 + 22);
  end.writeUInt32LE(0x06064b50);
  for (const [at, value] of [
    [4, 44],
    [24, count],
    [32, count],
    [40, size],
    [48, position],
  ] as const) {
    end.writeBigUInt64LE(BigInt(value), at);
  }
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(BigInt(position + size), 64);
  end.writeUInt32LE(0x06054b50, 76);
  end.fill(0xff, 84, 96);
  return end;
}

/** A dict of a tensor that fills storage 0 and one of two numbers in storage 1. */
function pickleOf(elements: number): Uint8Array {
  const int = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return `J${bytes.toString('latin1')}`;
  };
  const text = (value: string) => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
  const tensor = (key: string, count: number) =>
    `ctorch._utils\n_rebuild_tensor_v2\n((${text('storage')}ctorch\nFloatStorage\n${text(key)}${text('cpu')}` +
    `${int(count)}tQ${int(0)}${int(count)}\x85${int(1)}\x85\x89NtR`;
  const program = `\x80\x02}(${text('large')}${tensor('0', elements)}${text('small')}${tensor('1', 2)}u.`;
  return new Uint8Array(Buffer.from(program, 'latin1'));
}
