import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';
import { dubSettings } from '../options/dub.ts';
import { addFlags, propertiesOf, readFlags, withHyphens } from './flags.ts';

const schema = z.strictObject({
  leftCheekWidth: z.int().min(0).max(256).default(90).meta({ unit: 'px', description: 'how wide' }),
  decoder: z.enum(['sd', 'taesd']).default('sd').meta({ description: 'which' }),
  output: z.string().optional().meta({ value: 'FILE', short: 'o', description: 'where to' }),
  quick: z.boolean().default(false).meta({ description: 'no waiting' }),
});

function parse(...args: string[]) {
  const command = addFlags(
    new Command('test').exitOverride().configureOutput({ writeErr: () => {} }),
    schema,
  );
  command.parse(withHyphens(args), { from: 'user' });
  return { command, read: () => readFlags(command, schema) };
}

test('flags say what they take, in what unit and range, and what they are by default', () => {
  const help = parse().command.helpInformation();
  assert.match(help, /--left-cheek-width <number> +how wide \(px, 0 … 256, default 90\)/);
  assert.match(help, /-o, --output <FILE> +where to\n/);
  assert.match(help, /--decoder <sd\|taesd> +which \(default sd\)/);
  assert.match(help, /--quick +no waiting\n/);
});

test('only what was given is read, so that the schema can fill in the rest', () => {
  assert.deepEqual(parse().read(), {});
  assert.deepEqual(parse('--left-cheek-width', '30', '--quick', '-o', 'a b').read(), {
    leftCheekWidth: 30,
    output: 'a b',
    quick: true,
  });
});

test("upstream's spelling with underscores works, and values are left as they are", () => {
  assert.deepEqual(parse('--left_cheek_width=12', '--output', 'my_file').read(), {
    leftCheekWidth: 12,
    output: 'my_file',
  });
  assert.deepEqual(withHyphens(['--a_b', 'c_d', '--', '--e_f']), ['--a-b', 'c_d', '--', '--e_f']);
});

for (const [args, words] of [
  [['--left-cheek-width', '300'], /--left-cheek-width: 300 is not a whole number from 0 to 256 \(px\)/],
  [['--left-cheek-width', '2.5'], /2.5 is not a whole number/],
  [['--left-cheek-width', 'wide'], /wide is not a whole number/],
  [['--left-cheek-width', ''], / is not a whole number/],
] as const)
  test(`${args.join(' ')} is refused by the flag's own name`, () => {
    assert.throws(
      parse(...args).read,
      (error) => error instanceof MuseTalkError && error.code === 'BAD_OPTION' && words.test(error.message),
    );
  });

test('every option of a dub has a description and a heading', () => {
  for (const [name, { description, group }] of Object.entries(propertiesOf(dubSettings)))
    assert.ok(description && group, name);
});
