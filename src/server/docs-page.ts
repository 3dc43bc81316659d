/** The description of the API as one page to read: no script, nothing from elsewhere. */
import { createHash } from 'node:crypto';
import type { Description, JsonSchema, Operation } from './openapi.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: #1d1d22; --soft: #6a6a76; --line: #d9d9e0; --back: #fcfcfd; --mark: #5b3df0; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf1; --soft: #a0a0ad; --line: #33333c; --back: #141418; --mark: #a898ff; } }
body { max-width: 52rem; margin: 3rem auto; padding: 0 1.25rem; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--back); }
h1 { font-size: 2rem; margin: 0 0 .5rem; } h2 { margin: 3rem 0 .5rem; font-size: 1.25rem; }
a { color: var(--mark); } p { margin: .4rem 0; } .soft { color: var(--soft); }
details { border-top: 1px solid var(--line); padding: .7rem 0; } summary { cursor: pointer; }
code { font: .9em ui-monospace, monospace; } b.method { display: inline-block; min-width: 4.2rem; color: var(--mark); font-weight: 600; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .92em; }
td { padding: .3rem .8rem .3rem 0; vertical-align: top; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
`;

/** The page, and the policy under which a browser shows it. */
export function docsPage(api: Description): { html: string; policy: string } {
  const tags = new Map<string, string[]>();
  for (const [path, operations] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags[0] ?? 'Other';
      tags.set(tag, [...(tags.get(tag) ?? []), operationHtml(method, path, operation)]);
    }
  const sections = [...tags].map(([tag, parts]) => `<h2>${escaped(tag)}</h2>${parts.join('')}`).join('');
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(api.info.title)} API</title>
<style>${STYLE}</style></head><body><h1>${escaped(api.info.title)} API</h1>
<p>${escaped(api.info.description)}</p>
<p class="soft">Version ${escaped(api.info.version)}. The same for programs: <a href="/openapi.json">openapi.json</a>.
Errors are JSON: <code>{"error": {"code", "message", "hint"}}</code>.</p>${sections}</body></html>`;
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
  return `<details><summary><b class="method">${method.toUpperCase()}</b> <code>${escaped(path)}</code> <span class="soft">${escaped(summary)}</span></summary>
${description ? `<p>${escaped(description)}</p>` : ''}
${rows.length + (body ? 1 : 0) > 0 ? `<table>${rows.join('')}${body ? propertyRows(body) : ''}</table>` : ''}
<table>${answers}</table></details>`;
}

function propertyRows(schema: JsonSchema, prefix = ''): string {
  const properties = (schema.properties ?? {}) as Record<string, JsonSchema>;
  return Object.entries(properties)
    .map(([name, property]) => {
      const full = prefix + name;
      const about = [
        property.description,
        property.default === undefined ? '' : `Default ${JSON.stringify(property.default)}.`,
      ];
      return (
        row(full, 'body', typeOf(property), about.filter(Boolean).join(' ')) +
        propertyRows(property, `${full}.`)
      );
    })
    .join('');
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum) return (schema.enum as unknown[]).join(' | ');
  const choices = (schema.anyOf ?? schema.oneOf) as JsonSchema[] | undefined;
  if (choices) return choices.map(typeOf).join(' | ');
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
