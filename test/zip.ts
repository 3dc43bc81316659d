/** A zip of stored files, as small as the format allows: no checksums, no dates. */
export function zipOf(files: readonly (readonly [name: string, bytes: Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    const encoded = new TextEncoder().encode(name);
    const local = header(30, 0x04034b50, [
      [18, bytes.length],
      [22, bytes.length],
      [26, encoded.length],
    ]);
    const central = header(46, 0x02014b50, [
      [20, bytes.length],
      [24, bytes.length],
      [28, encoded.length],
      [42, offset],
    ]);
    parts.push(local, encoded, bytes);
    directory.push(central, encoded);
    offset += local.length + encoded.length + bytes.length;
  }
  const size = directory.reduce((total, { length }) => total + length, 0);
  const end = header(22, 0x06054b50, [
    [8, files.length | (files.length << 16)],
    [12, size],
    [16, offset],
  ]);
  return new Uint8Array(Buffer.concat([...parts, ...directory, end]));
}

function header(
  length: number,
  signature: number,
  fields: readonly (readonly [number, number])[],
): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signature, true);
  for (const [at, value] of fields) {
    if (at + 4 <= length) view.setUint32(at, value, true);
  }
  return bytes;
}
