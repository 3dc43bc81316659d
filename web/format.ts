/** Numbers as people read them. */
import { languageTag } from './texts/texts.ts';

/** Seconds as `0:07.3` or `1:02:05.0`. */
export function clock(seconds: number, digits = 1): string {
  const whole = Math.max(0, seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = (whole % 60).toFixed(digits).padStart(digits === 0 ? 2 : digits + 3, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** A span of time in one or two units: `8 s`, `3 min`, `2 h 10 min`. */
export function span(seconds: number): string {
  const unit = (value: number, name: 'second' | 'minute' | 'hour') =>
    new Intl.NumberFormat(languageTag(), { style: 'unit', unit: name, unitDisplay: 'short' }).format(value);
  if (seconds < 90) return unit(Math.max(1, Math.round(seconds)), 'second');
  if (seconds < 5400) return unit(Math.round(seconds / 60), 'minute');
  const minutes = Math.round(seconds / 60);
  return `${unit(Math.floor(minutes / 60), 'hour')} ${unit(minutes % 60, 'minute')}`;
}

/** Bytes in the unit that keeps the number short. */
export function size(bytes: number): string {
  const names = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
  const power = bytes < 1 ? 0 : Math.min(names.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  const maximumFractionDigits = value < 10 && power > 0 ? 1 : 0;
  const unit = { style: 'unit', unit: names[power]!, unitDisplay: 'short' } as const;
  return new Intl.NumberFormat(languageTag(), { ...unit, maximumFractionDigits }).format(value);
}

/** A share of 0 … 1 as a percentage. */
export function percent(share: number): string {
  return new Intl.NumberFormat(languageTag(), { style: 'percent' }).format(share);
}

/** A number with at most `digits` digits after the point. */
export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(languageTag(), { maximumFractionDigits: digits }).format(value);
}

/** Day and time of an ISO date, the day left out when it is today. */
export function moment(iso: string): string {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  const day = today ? {} : ({ day: 'numeric', month: 'short' } as const);
  return new Intl.DateTimeFormat(languageTag(), { ...day, hour: '2-digit', minute: '2-digit' }).format(date);
}
