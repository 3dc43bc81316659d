/** The sign of this page: a mouth that takes the shapes of speech. */

/** How a mouth stands: `open` 0 … 1 from shut to wide open, `wide` 0 … 1 from pursed to drawn apart. */
export interface MouthShape {
  readonly open: number;
  readonly wide: number;
}

/** The shapes of a short word, from rest to rest. */
export const WORD: readonly MouthShape[] = [
  { open: 0.02, wide: 0.72 },
  { open: 0.34, wide: 0.92 },
  { open: 0.86, wide: 0.6 },
  { open: 1, wide: 0.42 },
  { open: 0.5, wide: 0.3 },
  { open: 0.26, wide: 1 },
  { open: 0.04, wide: 0.8 },
];

/** A mouth; `speaking` moves it. */
export function Mouth({
  open = 0.3,
  wide = 0.75,
  speaking = false,
}: Partial<MouthShape> & { speaking?: boolean }) {
  const { outer, inner } = mouthPaths({ open, wide });
  return (
    <svg
      class={speaking ? 'mouth speaking' : 'mouth'}
      viewBox="0 0 120 88"
      aria-hidden="true"
      focusable="false"
    >
      <g>
        <path class="lips" d={outer} />
        <path class="gap" d={inner} />
      </g>
    </svg>
  );
}

/** The outlines of lips and of the gap between them, in a field of 120 × 88. */
function mouthPaths({ open, wide }: MouthShape): { outer: string; inner: string } {
  const half = 26 + 32 * wide;
  const middle = 36;
  const upper = 15 - 3 * open;
  const lower = 15 + 27 * open;
  const gap = 1.4 + 25 * open;
  const [left, right] = [60 - half, 60 + half];
  const bow = middle - upper;
  const outer = [
    `M${left} ${middle}`,
    `C${left + half * 0.35} ${middle - 3} ${60 - half * 0.4} ${bow - 4} ${60 - half * 0.2} ${bow - 3}`,
    `Q60 ${bow + 1} 60 ${bow + 2}`,
    `Q60 ${bow + 1} ${60 + half * 0.2} ${bow - 3}`,
    `C${60 + half * 0.4} ${bow - 4} ${right - half * 0.35} ${middle - 3} ${right} ${middle}`,
    `C${right - half * 0.3} ${middle + lower * 0.9} ${60 + half * 0.35} ${middle + lower + 2} 60 ${middle + lower + 2}`,
    `C${60 - half * 0.35} ${middle + lower + 2} ${left + half * 0.3} ${middle + lower * 0.9} ${left} ${middle}Z`,
  ].join('');
  const [from, to] = [left + 9, right - 9];
  const inner = [
    `M${from} ${middle}`,
    `C${from + half * 0.3} ${middle - 2.5 - 3 * open} ${60 - half * 0.2} ${middle - 2 - 3 * open} 60 ${middle - 1.5 - 2 * open}`,
    `C${60 + half * 0.2} ${middle - 2 - 3 * open} ${to - half * 0.3} ${middle - 2.5 - 3 * open} ${to} ${middle}`,
    `C${to - half * 0.25} ${middle + gap * 0.85} ${60 + half * 0.25} ${middle + gap} 60 ${middle + gap}`,
    `C${60 - half * 0.25} ${middle + gap} ${from + half * 0.25} ${middle + gap * 0.85} ${from} ${middle}Z`,
  ].join('');
  return { outer, inner };
}
