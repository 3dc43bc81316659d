/** The options of a dub as the service describes them, made ready to be drawn. */
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api.ts';

/** One option: what a field needs to draw itself. */
export interface OptionSpec {
  readonly name: string;
  readonly group: string;
  readonly description: string;
  readonly unit: string | undefined;
  readonly kind: 'number' | 'choice' | 'switch' | 'text';
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly choices: readonly string[];
  readonly standard: string | number | boolean | undefined;
}

interface Property {
  readonly type?: string;
  readonly anyOf?: readonly Property[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: string | number | boolean;
  readonly description?: string;
  readonly group?: string;
  readonly unit?: string;
}

/** The options in the description of the API, by their names; those without a group are words of other services. */
export function optionsIn(description: unknown): Map<string, OptionSpec> {
  // biome-ignore lint/suspicious/noExplicitAny: a document from outside; what is missing ends in an empty map
  const properties = (description as any)?.paths?.['/v1/dubs']?.post?.requestBody?.content?.[
    'application/json'
  ]?.schema?.properties?.options?.properties as Record<string, Property> | undefined;
  const entries = Object.entries(properties ?? {}).filter(([name, { group }]) => group || name === 'model');
  return new Map(entries.map(([name, property]) => [name, specOf(name, property)]));
}

function specOf(name: string, property: Property): OptionSpec {
  const { type, minimum, maximum, description = '', unit, group = 'Model' } = property;
  const kind = property.enum
    ? 'choice'
    : type === 'boolean'
      ? 'switch'
      : type === 'integer' || type === 'number'
        ? 'number'
        : 'text';
  return {
    ...{ name, group, description, unit, kind, min: minimum, max: maximum },
    ...{ choices: property.enum ?? [], standard: property.default },
  };
}

let asked: Promise<Map<string, OptionSpec>> | undefined;

/** The options, asked for once. */
export function useOptions(): ReadonlyMap<string, OptionSpec> {
  const [options, setOptions] = useState<ReadonlyMap<string, OptionSpec>>(new Map());
  useEffect(() => {
    asked ??= api.description().then(optionsIn);
    asked.then(setOptions, () => {
      asked = undefined;
    });
  }, []);
  return options;
}
