// Says which exported names of src/ have no docblock: the sentence that tells what a thing gives, its shapes and units.
// Run: npm run docblocks
import { sourcesUnder, textOf } from '../test/sources.ts';

const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|class|interface|type) ([\w$]+)/;

const missing = sourcesUnder('src').flatMap((file) =>
  undocumented(textOf(file)).map((line) => `${file}:${line}`),
);
for (const place of missing) console.log(`${place} is exported without a docblock`);
if (missing.length > 0) process.exitCode = 1;
else console.log('Every exported name has a docblock.');

/** `LINE NAME` of each exported declaration that no docblock precedes; overloads share the first one's. */
function undocumented(text: string): string[] {
  const lines = text.split('\n');
  const seen = new Set<string>();
  return lines.flatMap((line, i) => {
    const name = DECLARATION.exec(line)?.[1];
    if (name === undefined || seen.has(name)) return [];
    seen.add(name);
    return endsDocblock(lines, i - 1) ? [] : [`${i + 1} ${name}`];
  });
}

/** Whether the comment that ends in this line, or above remarks to the linter, is a docblock. */
function endsDocblock(lines: readonly string[], end: number): boolean {
  let line = end;
  while (lines[line]?.startsWith('// biome-ignore')) line--;
  if (!lines[line]?.trimEnd().endsWith('*/')) return false;
  while (line > 0 && !lines[line]!.startsWith('/*')) line--;
  return lines[line]!.startsWith('/**');
}
