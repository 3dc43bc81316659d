/*
 * What a pickle can hold beside numbers and texts. Lists are arrays, tuples frozen arrays, dicts are Maps (a key
 * like "__proto__" is a key like any other), sets are Sets, bytes are Uint8Arrays.
 */

/** A class or function that a pickle names. It is only a name: nothing is ever looked up or called. */
export class PickleGlobal {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }

  /** `torch._utils._rebuild_tensor_v2` */
  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object of a class that means nothing here, kept as it was described. */
export class PickleObject {
  /** The class or function, or another opaque object that gave it. */
  readonly type: PickleGlobal | PickleObject;
  readonly args: readonly unknown[];
  /** What `__setstate__` would have got. */
  state: unknown = undefined;

  constructor(type: PickleGlobal | PickleObject, args: readonly unknown[]) {
    this.type = type;
    this.args = args;
  }

  /** The path of its class, for messages. */
  get className(): string {
    let type = this.type;
    while (type instanceof PickleObject) type = type.type;
    return type.path;
  }
}

/** A list, as opposed to a tuple, can still grow. */
export function isList(value: unknown): value is unknown[] {
  return Array.isArray(value) && !Object.isFrozen(value);
}

/** Whether a value of a pickle was a tuple; lists are not frozen. */
export function isTuple(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && Object.isFrozen(value);
}

/**
 * A value from a pickle as a short text for names and messages. Containers are not spelled out: one list that
 * holds itself, or another twice at sixty levels, would never end.
 */
export function plainText(value: unknown): string {
  if (value instanceof PickleGlobal) return value.path;
  if (value instanceof PickleObject) return `(${value.className})`;
  if (isTuple(value) && value.length <= 8 && !value.some(Array.isArray)) {
    return `(${value.map(plainText).join(', ')})`;
  }
  return typeof value === 'object' && value !== null ? '(object)' : String(value);
}
