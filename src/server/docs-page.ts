/** The description of the API as one page to read: no script, nothing from elsewhere. */
import { createHash } from 'node:crypto';
import type { Description, JsonSchema, Operation } from './openapi.ts';

/** The colours and the voice of the service's own page, without its typefaces, whose names change with each build. */
const STYLE = `
:root { color-scheme: light dark; --paper: #f4f1f2; --surface: #fffdfd; --ink: #211a1e; --soft: #685d63; --line: #ddd6d9; --accent: #bd2450; --wash: #f9e6eb; }
@media (prefers-color-scheme: dark) { :root { --paper: #151013; --surface: #1f181c; --ink: #f3edf0; --soft: #b0a4ab; --line: #352b31; --accent: #ff7a98; --wash: #3a1822; } }
body { max-width: 60rem; margin: clamp(1.5rem, 5vw, 4rem) auto; padding: 0 1.25rem; font: 16px/1.55 "Hanken Grotesk", system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 2.3rem; line-height: 1.15; letter-spacing: -.02em; margin: 0 0 .6rem; } h2 { margin: 2.6rem 0 .8rem; font-size: 1.3rem; letter-spacing: -.01em; }
a { color: inherit; text-underline-offset: 3px; } p { margin: .5rem 0; max-width: 46rem; } .soft { color: var(--soft); }
code, pre { font: .86em/1.6 ui-monospace, "Cascadia Mono", monospace; }
pre, section { border-radius: 18px; background: var(--surface); box-shadow: inset 0 0 0 1px var(--line); }
pre { margin: 1.4rem 0 0; padding: 1rem 1.3rem; overflow-x: auto; }
details + details { border-top: 1px solid var(--line); } details { padding: 0 1.3rem; } details[open] { padding-bottom: 1rem; }
summary { display: grid; grid-template-columns: 4.6rem minmax(15rem, auto) 1fr; gap: .1rem 1rem; align-items: baseline; padding: .75rem 0; cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; } summary:hover code { color: var(--accent); }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 6px; }
b.method { justify-self: start; padding: .1rem .55rem; border-radius: 99px; background: var(--wash); color: var(--accent); font-size: .72rem; font-weight: 650; letter-spacing: .03em; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 .8rem; font-size: .9em; }
td { padding: .35rem .9rem .35rem 0; vertical-align: top; border-top: 1px solid var(--line); color: var(--soft); overflow-wrap: anywhere; } td:first-child { color: var(--ink); }
@media (max-width: 44rem) { summary { grid-template-columns: 4.6rem 1fr; } summary span { grid-column: 2; } td { display: block; padding: 0; border: 0; } tr { display: block; padding: .5rem 0; border-top: 1px solid var(--line); } }
`;

const EXAMPLE = `video=$(curl -sT face.mp4 $SERVICE/v1/uploads | jq -r .id)
sound=$(curl -sT speech.wav $SERVICE/v1/uploads | jq -r .id)
curl $SERVICE/v1/dubs --json '{"video": "'$video'", "sound": "'$sound'"}'`;

/** The page, and the policy under which a browser shows it. */
export function docsPage(api: Description): { html: string; policy: string } {
  const tags = new Map<string, string[]>();
  for (const [path, operations] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags[0] ?? 'Other';
      tags.set(tag, [...(tags.get(tag) ?? []), operationHtml(method, path, operation)]);
    }
  const sections = [...tags]
    .map(([tag, parts]) => `<h2>${escaped(tag)}</h2><section>${parts.join('')}</section>`)
    .join('');
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(api.info.title)} API</title>
<style>${STYLE}</style></head><body><h1>${escaped(api.info.title)} API</h1>
<p>${escaped(api.info.description)}</p>
<p class="soft">Version ${escaped(api.info.version)}. The same for programs: <a href="/openapi.json">openapi.json</a>.
Errors are JSON: <code>{"error": {"code", "message", "hint"}}</code>.</p>
<pre>${escaped(EXAMPLE)}</pre>${sections}</body></html>`;
  const hash = createHash('sha256').update(STYLE).digest('base64');
  return {
    html,
    policy: `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };
}

function operationHtml(method: string, path: string, operation: Operation): string {
  const { summary, description, parameters, requestBody, responses } = operation;
  const rows = parameters.map(({ name, in: where, description: about, schema }) =>
    row(name, where, typeOf(schema), about ?? ''),
  );
  const body = requestBody?.content['application/json']?.schema;
  const answers = Object.entries(responses as Record<string, { description: string }>)
    .map(([status, answer]) => row(status, '', '', answer.description))
    .join('');
  return `<details><summary><b class="method">${method.toUpperCase()}</b><code>${escaped(path)}</code><span class="soft">${escaped(summary)}</span></summary>
${description ? `<p>${escaped(description)}</p>` : ''}
${rows.length + (body ? 1 : 0) > 0 ? `<table>${rows.join('')}${body ? propertyRows(body) : ''}</table>` : ''}
<table>${answers}</table></details>`;
}

function propertyRows(schema: JsonSchema, prefix = ''): string {
  return Object.entries(propertiesOf(schema))
    .map(([name, choices]) => {
      const full = prefix + name;
      const [first] = choices;
      const about = [
        choices.find(({ description }) => description)?.description,
        first!.default === undefined ? '' : `Default ${JSON.stringify(first!.default)}.`,
      ];
      const inner = choices.map((choice) => (choice.items as JsonSchema | undefined) ?? choice);
      const mark = choices.some(({ items }) => items) ? '[].' : '.';
      return (
        row(full, 'body', anyTypeOf(choices), about.filter(Boolean).join(' ')) +
        propertyRows({ anyOf: inner }, `${full}${mark}`)
      );
    })
    .join('');
}

/** The fields of an object, or of all objects that a value may be, each with what it may be in them. */
function propertiesOf(schema: JsonSchema): Record<string, JsonSchema[]> {
  const choices = choicesOf(schema);
  if (!choices)
    return Object.fromEntries(
      Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).map(([name, property]) => [
        name,
        [property],
      ]),
    );
  const all: Record<string, JsonSchema[]> = {};
  for (const fields of choices.map(propertiesOf))
    for (const [name, properties] of Object.entries(fields))
      all[name] = [...(all[name] ?? []), ...properties];
  return all;
}

function choicesOf(schema: JsonSchema): JsonSchema[] | undefined {
  return (schema.anyOf ?? schema.oneOf) as JsonSchema[] | undefined;
}

function anyTypeOf(choices: readonly JsonSchema[]): string {
  return [...new Set(choices.map(typeOf))].join(' | ');
}

function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum) return (schema.enum as unknown[]).join(' | ');
  const choices = choicesOf(schema);
  if (choices) return anyTypeOf(choices);
  if (schema.type === 'array' && schema.items) {
    const inner = typeOf(schema.items as JsonSchema);
    return inner.includes(' ') ? `(${inner})[]` : `${inner}[]`;
  }
  const { minimum, maximum } = schema;
  const range = minimum !== undefined && maximum !== undefined ? ` ${minimum} … ${maximum}` : '';
  return `${schema.type ?? 'any'}${range}`;
}

function row(...cells: string[]): string {
  return `<tr>${cells.map((cell, i) => `<td>${i === 0 ? `<code>${escaped(cell)}</code>` : escaped(cell)}</td>`).join('')}</tr>`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
