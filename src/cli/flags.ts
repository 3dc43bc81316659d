/** From a schema of options to flags of the command line, and back to an object. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';
import type { OptionMeta } from '../options/dub.ts';

/** What JSON Schema says of one option. */
interface Property extends Partial<OptionMeta> {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Property[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
}

/** `leftCheekWidth` → `left-cheek-width` */
export function flagName(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Adds a flag for each option of the schema, in its order, under the headings that it names. */
export function addFlags(command: Command, schema: z.ZodType): Command {
  for (const [name, property] of Object.entries(propertiesOf(schema)))
    command.addOption(flagOf(name, property));
  return command;
}

/**
 * What the flags say, as the schema wants it; options that were not given are left out, so that the schema fills in
 * its own defaults.
 *
 * @throws MuseTalkError BAD_OPTION when a number is none.
 */
export function readFlags(command: Command, schema: z.ZodType): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  const values = command.opts<Record<string, unknown>>();
  for (const [name, property] of Object.entries(propertiesOf(schema))) {
    if (command.getOptionValueSource(name) !== 'cli') continue;
    given[name] = isNumber(property) ? numberOf(name, String(values[name])) : values[name];
  }
  return given;
}

/** Upstream writes `--batch_size`; both spellings are taken. */
export function withHyphens(args: readonly string[]): string[] {
  return args.map((arg) => {
    const [, flag, rest] = /^(--[a-z0-9_-]+)(=.*)?$/.exec(arg) ?? [];
    return flag === undefined ? arg : flag.replaceAll('_', '-') + (rest ?? '');
  });
}

function propertiesOf(schema: z.ZodType): Record<string, Property> {
  const { properties } = z.toJSONSchema(schema, { io: 'input' }) as { properties?: Record<string, Property> };
  return properties ?? {};
}

function flagOf(name: string, property: Property): Option {
  const { short, value, description = '', group } = property;
  const long = `--${flagName(name)}`;
  const flags = short === undefined ? long : `-${short}, ${long}`;
  const option = new Option(property.type === 'boolean' ? flags : `${flags} <${value ?? placeOf(property)}>`);
  option.description = `${description}${limitsOf(property)}`;
  if (property.enum) option.choices([...property.enum]);
  if (group !== undefined) option.helpGroup(`${group}:`);
  return option;
}

function placeOf(property: Property): string {
  return isNumber(property) ? 'number' : 'value';
}

/** ` (px, 0 … 200, default 10)` */
function limitsOf({ unit, minimum, maximum, default: usual }: Property): string {
  const parts: string[] = [];
  if (unit !== undefined) parts.push(unit);
  if (minimum !== undefined && maximum !== undefined) parts.push(`${minimum} … ${maximum}`);
  if (usual !== undefined && usual !== false) parts.push(`default ${usual}`);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

function isNumber({ type }: Property): boolean {
  return type === 'integer' || type === 'number';
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return number;
  throw new MuseTalkError('BAD_OPTION', `--${flagName(name)}: "${text}" is not a number`, {
    facts: { option: name, text },
  });
}
