/**
 * The two 16-bit floats, held as their bits in a `Uint16Array`.
 *
 * float16 (IEEE 754 binary16): 1 sign, 5 exponent, 10 fraction bits, with subnormals.
 * bfloat16: the upper half of a float32. Both widen to float32 exactly; narrowing rounds to nearest, ties to even.
 */

/** The float32 bits of every float16; made at first use (256 KB). */
let wideBits: Uint32Array | undefined;

function tableOfWideBits(): Uint32Array {
  wideBits ??= Uint32Array.from({ length: 0x10000 }, (_, half) => widenedBits(half));
  return wideBits;
}

/** float16 bits → float32 values, exactly; a NaN keeps its payload. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const table = tableOfWideBits();
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = table[bits[i]!]!;
  return new Float32Array(wide.buffer);
}

/** float32 values → float16 bits. From 65520 on the result is infinite, below 2⁻²⁴ a subnormal or zero. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = narrowedBits(wide[i]!);
  return bits;
}

/** bfloat16 bits → float32 values, exactly. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i]! << 16;
  return new Float32Array(wide.buffer);
}

/** float32 values → bfloat16 bits. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const x = wide[i]!;
    // Adding to a NaN could carry into an infinity, so a NaN is cut and made quiet instead.
    const notANumber = (x & 0x7fffffff) > 0x7f800000;
    bits[i] = notANumber ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
  return bits;
}

function widenedBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // A subnormal fraction × 2⁻²⁴ is a normal float32: shift its leading one up to the implicit place.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

function narrowedBits(x: number): number {
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff);
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 lies half way to 65536
  if (magnitude >= 0x38800000) {
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  if (magnitude < 0x33000000) return sign; // below half of the smallest subnormal
  const shift = 126 - (magnitude >>> 23);
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const cut = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (cut + (rest > half || (rest === half && (cut & 1) === 1) ? 1 : 0));
}
