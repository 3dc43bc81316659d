/** From a schema of options to flags of the command line, and back to an object. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';
import type { OptionMeta } from '../options/dub.ts';

/** What JSON Schema and the schema's own notes say of one option. */
export interface Property extends Partial<OptionMeta> {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Property[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
}

/** `leftCheekWidth` → `left-cheek-width` */
function flagName(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The options of a schema in its order. */
export function propertiesOf(schema: z.ZodType): Record<string, Property> {
  const { properties } = z.toJSONSchema(schema, { io: 'input' }) as { properties?: Record<string, Property> };
  return properties ?? {};
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
 * @throws MuseTalkError BAD_OPTION that names each flag that is wrong, and what it may be.
 */
export function readFlags(command: Command, schema: z.ZodType): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  const values = command.opts<Record<string, unknown>>();
  const properties = propertiesOf(schema);
  for (const [name, property] of Object.entries(properties)) {
    if (command.getOptionValueSource(name) !== 'cli') continue;
    given[name] = isNumber(property) ? numberOf(String(values[name])) : values[name];
  }
  const result = schema.safeParse(given);
  if (result.success) return given;
  const problems = result.error.issues.map(({ path, message }) => {
    const name = String(path[0] ?? '');
    const problem = isNumber(properties[name] ?? {})
      ? `${values[name]} is not ${wanted(properties[name]!)}`
      : message;
    return `--${flagName(name)}: ${problem}`;
  });
  throw new MuseTalkError('BAD_OPTION', problems.join('; '), {
    hint: `See: musetalk help ${command.name()}`,
    facts: { problems },
  });
}

/** Upstream writes `--batch_size`; both spellings are taken. After `--` nothing is a flag. */
export function withHyphens(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  return args.map((arg, i) => {
    const [, flag, rest] = /^(--[a-z0-9_-]+)(=.*)?$/.exec(arg) ?? [];
    return flag === undefined || (end >= 0 && i >= end) ? arg : flag.replaceAll('_', '-') + (rest ?? '');
  });
}

/** The flag as help and docs write it: `--batch-size <number>`. */
export function flagText(name: string, property: Property): string {
  const long = `--${flagName(name)}`;
  return property.type === 'boolean' ? long : `${long} <${property.value ?? placeOf(property)}>`;
}

/** What limits the value: `px`, `0 … 200`, `default 10`, those that apply. */
export function limitsOf({ unit, minimum, maximum, enum: choices = [], default: usual }: Property): string[] {
  const parts: string[] = [];
  if (choices.length > MOST_IN_PLACE) parts.push(choices.join(' | '));
  if (unit !== undefined) parts.push(unit);
  const bounded = minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (bounded) parts.push(`${minimum} … ${maximum}`);
  if (usual !== undefined && usual !== false) parts.push(`default ${usual}`);
  return parts;
}

function flagOf(name: string, property: Property): Option {
  const { short, description = '', group } = property;
  const text = flagText(name, property);
  const option = new Option(short === undefined ? text : `-${short}, ${text}`);
  const limits = limitsOf(property);
  option.description = limits.length === 0 ? description : `${description} (${limits.join(', ')})`;
  if (property.enum) option.choices([...property.enum]);
  if (group !== undefined) option.helpGroup(`${group}:`);
  return option;
}

/** Choices that are written where the value goes; more of them are listed behind the description. */
const MOST_IN_PLACE = 5;

function placeOf(property: Property): string {
  if (property.enum) return property.enum.length > MOST_IN_PLACE ? 'which' : property.enum.join('|');
  return isNumber(property) ? 'number' : 'value';
}

function isNumber({ type }: Property): boolean {
  return type === 'integer' || type === 'number';
}

/** The number, or NaN for what the schema then refuses. */
function numberOf(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}

function wanted({ type, minimum, maximum, unit }: Property): string {
  const kind = type === 'integer' ? 'a whole number' : 'a number';
  const range = minimum !== undefined && maximum !== undefined ? ` from ${minimum} to ${maximum}` : '';
  return `${kind}${range}${unit === undefined ? '' : ` (${unit})`}`;
}
