/**
 * Reads FlatBuffers: a table points to a list of offsets (the vtable), one for each field, 0 where the field is
 * absent and has its default. Everything is little endian, and positions are relative to where they are written.
 *
 * Nothing is believed: a position outside the bytes makes `DataView` throw a RangeError, which the reader of a
 * format turns into an error that names the file.
 */
export class FlatTable {
  readonly #view: DataView;
  readonly #start: number;
  readonly #fields: number;
  readonly #vtable: number;

  constructor(view: DataView, start: number) {
    this.#view = view;
    this.#start = start;
    this.#vtable = start - view.getInt32(start, true);
    this.#fields = (view.getUint16(this.#vtable, true) - 4) / 2;
  }

  /** The table that the first four bytes point to. */
  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  /** A signed byte: `byte` and the enumerations of most formats. */
  int8(field: number, missing = 0): number {
    const at = this.#position(field);
    return at === undefined ? missing : this.#view.getInt8(at);
  }

  int32(field: number, missing = 0): number {
    const at = this.#position(field);
    return at === undefined ? missing : this.#view.getInt32(at, true);
  }

  uint32(field: number, missing = 0): number {
    const at = this.#position(field);
    return at === undefined ? missing : this.#view.getUint32(at, true);
  }

  table(field: number): FlatTable | undefined {
    const at = this.#position(field);
    return at === undefined ? undefined : new FlatTable(this.#view, this.#follow(at));
  }

  /** A vector of bytes, not copied; `undefined` where absent. */
  bytes(field: number): Uint8Array | undefined {
    const vector = this.#vector(field, 1);
    if (!vector) return undefined;
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + vector.start, vector.length);
  }

  /** A vector of 32-bit integers; empty where absent. */
  int32s(field: number): number[] {
    const vector = this.#vector(field, 4);
    if (!vector) return [];
    return Array.from({ length: vector.length }, (_, i) => this.#view.getInt32(vector.start + 4 * i, true));
  }

  /** A vector of tables; empty where absent. */
  tables(field: number): FlatTable[] {
    const vector = this.#vector(field, 4);
    if (!vector) return [];
    return Array.from(
      { length: vector.length },
      (_, i) => new FlatTable(this.#view, this.#follow(vector.start + 4 * i)),
    );
  }

  #position(field: number): number | undefined {
    if (field >= this.#fields) return undefined;
    const offset = this.#view.getUint16(this.#vtable + 4 + 2 * field, true);
    return offset === 0 ? undefined : this.#start + offset;
  }

  #follow(at: number): number {
    return at + this.#view.getUint32(at, true);
  }

  #vector(field: number, size: number): { start: number; length: number } | undefined {
    const at = this.#position(field);
    if (at === undefined) return undefined;
    const start = this.#follow(at) + 4;
    const length = this.#view.getUint32(start - 4, true);
    // Before any array of that length is made: a damaged length may be four thousand million.
    if (start + length * size > this.#view.byteLength) {
      throw new RangeError(`a list of ${length} at ${start} ends outside the ${this.#view.byteLength} bytes`);
    }
    return { start, length };
  }
}
