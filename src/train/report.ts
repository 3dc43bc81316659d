/** The report of a training: one HTML file without anything outside it, with curves and pictures of held-back clips. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { image } from '../image/image.ts';
import { paste } from '../image/paste.ts';
import { encodeJpeg } from '../media/picture-bytes.ts';

/** A part of a training with a loop of its own. */
export interface ReportedPart {
  readonly title: string;
  /** Holds `log.jsonl` and `pictures/`. */
  readonly folder: string;
}

/** What a report tells beside curves and pictures. */
export interface ReportOptions {
  readonly title: string;
  readonly parts: readonly ReportedPart[];
  /** Settings and sizes, name and value. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Of the pictures, from the left. */
  readonly columns: string;
}

/** Pixels between the pictures of a sheet. */
const GAP = 4;
/** Sheets in the report: the first, and the newest. */
const SHEETS = 5;

/** Keeps a sheet for the report: a row for each sample, with pictures of one size side by side. */
export async function keepPictures(
  folder: string,
  update: number,
  rows: readonly (readonly Image[])[],
): Promise<void> {
  const [first] = rows[0]!;
  const { width, height } = first!;
  const columns = Math.max(...rows.map((row) => row.length));
  const sheet = image(columns * (width + GAP) - GAP, rows.length * (height + GAP) - GAP, 3);
  sheet.data.fill(255);
  for (const [y, row] of rows.entries())
    for (const [x, picture] of row.entries()) paste(sheet, picture, x * (width + GAP), y * (height + GAP));
  const place = join(folder, 'pictures');
  await mkdir(place, { recursive: true });
  await writeFile(join(place, `${update}.jpg`), await encodeJpeg(sheet, 90));
  const [, ...others] = await sheetsIn(folder);
  for (const old of others.slice(0, -(SHEETS - 1))) await rm(join(place, `${old}.jpg`), { force: true });
}

async function sheetsIn(folder: string): Promise<number[]> {
  const names = await readdir(join(folder, 'pictures')).catch(() => [] as string[]);
  return names
    .flatMap((name) => (/^\d+\.jpg$/.test(name) ? [Number.parseInt(name, 10)] : []))
    .sort((a, b) => a - b);
}

/** Writes `report.html`; whole or not at all. */
export async function writeReport(
  path: string,
  { title, parts, facts, columns }: ReportOptions,
): Promise<void> {
  const sections = await Promise.all(parts.map((part) => sectionOf(part, columns)));
  const rows = facts.map(([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(value)}</td></tr>`);
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<h1>${escaped(title)}</h1>
<table>${rows.join('')}</table>
${sections.join('\n')}
</html>
`;
  await writeFile(`${path}.part`, html);
  await rename(`${path}.part`, path);
}

const STYLE = `
:root { color-scheme: light dark; --line: #2563eb; --held: #d97706; --faint: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 500; padding-right: 1.5rem; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-size: 13px; } svg { width: 100%; height: auto; }
svg text { font-size: 11px; fill: currentColor; opacity: .7; } .held { color: var(--held); }
img { max-width: 100%; height: auto; display: block; margin: .3rem 0 1rem; }`;

/** Values by update. */
type Curve = readonly (readonly [update: number, value: number])[];

interface Log {
  readonly learned: ReadonlyMap<string, Curve>;
  readonly heldBack: ReadonlyMap<string, Curve>;
}

async function sectionOf({ title, folder }: ReportedPart, columns: string): Promise<string> {
  const { learned, heldBack } = await readLog(folder);
  if (learned.size + heldBack.size === 0) return '';
  const names = [...new Set([...learned.keys(), ...heldBack.keys()])];
  const charts = names.map((name) => chartOf(name, learned.get(name) ?? [], heldBack.get(name) ?? []));
  const sheets = (await sheetsIn(folder)).toReversed();
  const pictures = await Promise.all(
    sheets.map(async (update) => {
      const bytes = await readFile(join(folder, 'pictures', `${update}.jpg`));
      const alt = `${columns}, after ${update} updates`;
      return `<figcaption>After ${update} updates: ${escaped(columns)}</figcaption>
<img alt="${escaped(alt)}" src="data:image/jpeg;base64,${bytes.toString('base64')}">`;
    }),
  );
  return `<h2>${escaped(title)}</h2>
<p>Blue: what is learned from. <span class="held">Orange: clips that are held back.</span></p>
<div class="curves">${charts.join('\n')}</div>
${pictures.join('\n')}`;
}

async function readLog(folder: string): Promise<Log> {
  const text = await readFile(join(folder, 'log.jsonl'), 'utf8').catch(() => '');
  const [learned, heldBack] = [new Map<string, [number, number][]>(), new Map<string, [number, number][]>()];
  for (const line of text.split('\n').filter(Boolean)) {
    const { update, validation, secondsPerUpdate, ...values } = JSON.parse(line);
    const curves = validation ? heldBack : learned;
    for (const [name, value] of Object.entries((validation ?? values) as Record<string, number>))
      curves.set(name, [...(curves.get(name) ?? []), [update, value]]);
  }
  return { learned, heldBack };
}

const WIDTH = 320;
const HEIGHT = 150;
const EDGE = { left: 44, right: 8, top: 8, bottom: 20 };

function chartOf(name: string, learned: Curve, heldBack: Curve): string {
  const all = [...learned, ...heldBack].filter(([, value]) => Number.isFinite(value));
  if (all.length === 0) return '';
  const last = Math.max(...all.map(([update]) => update), 1);
  const [lowest, highest] = [Math.min(...all.map(([, v]) => v)), Math.max(...all.map(([, v]) => v))];
  const range = highest - lowest || Math.abs(highest) || 1;
  const x = (update: number) => EDGE.left + (update / last) * (WIDTH - EDGE.left - EDGE.right);
  const y = (value: number) =>
    HEIGHT - EDGE.bottom - ((value - lowest) / range) * (HEIGHT - EDGE.top - EDGE.bottom);
  const points = (curve: Curve) => curve.map(([u, v]) => `${x(u).toFixed(1)},${y(v).toFixed(1)}`);
  const dots = points(heldBack).map((at) => {
    const [cx, cy] = at.split(',');
    return `<circle cx="${cx}" cy="${cy}" r="2.5" fill="var(--held)"/>`;
  });
  return `<figure><figcaption>${escaped(name)}: ${shown(all.at(-1)![1])}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(name)} over the updates">
<path d="M${EDGE.left} ${EDGE.top}V${HEIGHT - EDGE.bottom}H${WIDTH - EDGE.right}" fill="none" stroke="var(--faint)"/>
<text x="${EDGE.left - 4}" y="${EDGE.top + 8}" text-anchor="end">${shown(highest)}</text>
<text x="${EDGE.left - 4}" y="${HEIGHT - EDGE.bottom}" text-anchor="end">${shown(lowest)}</text>
<text x="${EDGE.left}" y="${HEIGHT - 6}">0</text>
<text x="${WIDTH - EDGE.right}" y="${HEIGHT - 6}" text-anchor="end">${last}</text>
<polyline points="${points(learned).join(' ')}" fill="none" stroke="var(--line)" stroke-width="1.5"/>
<polyline points="${points(heldBack).join(' ')}" fill="none" stroke="var(--held)" stroke-width="1"/>
${dots.join('')}</svg></figure>`;
}

function shown(value: number): string {
  return value === 0 ? '0' : Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toPrecision(3);
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
