/**
 * The nearest integer; a half goes to the even neighbour, as in IEEE 754's default mode and numpy's `rint`.
 * (JavaScript's `Math.round` sends halves upward.)
 */
export function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}
