/**
 * The rule `wr1` by which the golden data makes numbers from names, so that they need not be stored.
 *
 * Gives element i of the sequence called `name`: a uniform number in [−1, 1).
 */
export function wr1(name: string, seed = 0): (i: number) => number {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 16777619);
  const start = (hash ^ seed) >>> 0;
  return (i) => {
    let z = (start + Math.imul(i + 1, 0x9e3779b9)) >>> 0;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 31 - 1;
  };
}
