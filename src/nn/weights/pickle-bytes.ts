/** The bytes ended before the pickle did. `needed` is the position that they would have to reach. */
export class PickleEnds extends Error {
  readonly needed: number;

  constructor(needed: number) {
    super(`the pickle goes on to byte ${needed} at least`);
    this.needed = needed;
  }
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Reads numbers and texts one after another, as pickles hold them: little endian unless its name says otherwise. */
export class ByteCursor {
  private readonly all: Uint8Array;
  private readonly view: DataView;
  position: number;

  constructor(bytes: Uint8Array, start: number) {
    this.all = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = start;
  }

  byte(): number {
    return this.all[this.advance(1)]!;
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  int32(): number {
    return this.view.getInt32(this.advance(4), true);
  }

  /** As a double: exact up to 2⁵³, and anything beyond is longer than any file. */
  uint64(): number {
    return Number(this.view.getBigUint64(this.advance(8), true));
  }

  float64BigEndian(): number {
    return this.view.getFloat64(this.advance(8), false);
  }

  /** A two's complement integer; a bigint only where a number cannot hold it. */
  longInteger(length: number): number | bigint {
    const bytes = this.all.subarray(this.advance(length), this.position);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    const signed = BigInt.asIntN(8 * length, value);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  }

  /** A view of the next bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const start = this.advance(length);
    return this.all.subarray(start, start + length);
  }

  utf8(length: number): string {
    return UTF8.decode(this.bytes(length));
  }

  latin1(length: number): string {
    return latin1Text(this.bytes(length));
  }

  /** The text up to the next line feed, which is passed over. */
  line(): string {
    const end = this.all.indexOf(0x0a, this.position);
    if (end < 0) throw new PickleEnds(this.all.length + 1);
    const text = this.utf8(end - this.position);
    this.position = end + 1;
    return text;
  }

  /** Moves on and gives the position before. */
  private advance(length: number): number {
    const start = this.position;
    if (start + length > this.all.length) throw new PickleEnds(start + length);
    this.position = start + length;
    return start;
  }
}

/** One character per byte. */
export function latin1Text(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 8192)
    parts.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return parts.join('');
}

/** The bytes of a text whose characters are all below 256, as Python's Latin-1 codec gives them. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
