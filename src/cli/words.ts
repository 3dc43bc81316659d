/** Numbers as people read them. */

/** `3.40 GB`, `151 MB`, `748 bytes`; powers of ten, as disks and downloads are counted. */
export function bytes(count: number): string {
  if (count < 1000) return `${count} bytes`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = count / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${units[unit]}`;
}

/** Seconds as a clock shows them: `0:51`, `12:03`, `1:00:00`. */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const parts = [Math.floor((whole % 3600) / 60), whole % 60];
  if (whole >= 3600) parts.unshift(Math.floor(whole / 3600));
  return parts.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** `12.3 fps`, `4.20 MB/s` */
export function rate(perSecond: number, unit: 'frames' | 'bytes'): string {
  if (unit === 'bytes') return `${bytes(Math.round(perSecond))}/s`;
  return `${perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toPrecision(3)} fps`;
}

/** Seconds in words: `0.42 s`, `12.3 s`, `4:05`. */
export function duration(seconds: number): string {
  if (seconds >= 120) return clock(seconds);
  return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
}

/** Rows with their columns in line, two spaces apart. */
export function table(rows: readonly (readonly string[])[], indent = ''): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map(
      (row) =>
        indent + row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}
