import { badFile, quoted } from './checkpoint-error.ts';
import { ByteCursor } from './pickle-bytes.ts';
import { isList, isTuple, PickleGlobal, PickleObject } from './pickle-objects.ts';
import { refuseActing } from './pickle-safety.ts';

/*
 * The pickle machine: reads what Python's pickle module wrote, and runs nothing. A pickle is a program for a
 * stack machine; here a class is only a name, and making an object only notes its description, except for the
 * few classes that `PickleClasses` knows. Opcodes: Python's Lib/pickletools.py.
 */

/** Meaning of the classes that are known to a reader. */
export interface PickleClasses {
  /** What calling `type` with `args` gives, or `undefined` when it is not known. */
  construct(type: PickleGlobal, args: readonly unknown[]): unknown;
  /** Gives `object` its state (`__setstate__`); false when it is not an object of a known class. */
  build(object: unknown, state: unknown): boolean;
  /** The outside object of a persistent id, or `undefined` when there are none. */
  persistent(id: unknown): unknown;
}

export interface PickleResult {
  readonly value: unknown;
  /** Position after the STOP. */
  readonly end: number;
}

/**
 * Work that one pickle may ask for, roughly its opcodes weighted by the memory they take: enough for some hours
 * of saved coordinates, little enough to stay in memory.
 */
const BUDGET = 32_000_000;
const NEWEST_PROTOCOL = 5;
/** Longest integer, in bytes. Python writes any length, but reading one takes the square of its length. */
const LONGEST_INTEGER = 1024;

/**
 * Reads the pickle that starts at `start`.
 *
 * @param path names the file in messages.
 * @throws PickleEnds when `bytes` end before the pickle does, MuseTalkError `BAD_FILE` when it is broken or names
 * something that can act.
 */
export function runPickle(path: string, bytes: Uint8Array, classes: PickleClasses, start = 0): PickleResult {
  return new PickleMachine(path, new ByteCursor(bytes, start), classes).run();
}

class PickleMachine {
  readonly path: string;
  readonly cursor: ByteCursor;
  readonly classes: PickleClasses;
  private readonly stack: unknown[] = [];
  /** Heights of the stack at the open MARKs. */
  private readonly marks: number[] = [];
  /** The memo, as far as it is filled in order, which is nearly always the whole of it. */
  private readonly memo: unknown[] = [];
  private readonly scatteredMemo = new Map<number, unknown>();
  private budget = BUDGET;

  constructor(path: string, cursor: ByteCursor, classes: PickleClasses) {
    this.path = path;
    this.cursor = cursor;
    this.classes = classes;
  }

  run(): PickleResult {
    for (;;) {
      const position = this.cursor.position;
      const opcode = this.cursor.byte();
      if (opcode === STOP) return { value: this.pop(), end: this.cursor.position };
      this.spend(1);
      const operation = OPERATIONS[opcode];
      if (operation === undefined) {
        throw this.broken(`unknown opcode 0x${opcode.toString(16).padStart(2, '0')} at byte ${position}`);
      }
      operation(this);
    }
  }

  /** Counts work and memory; heavier things cost more. */
  spend(cost: number): void {
    this.budget -= cost;
    if (this.budget < 0) throw this.broken('it describes more objects than any checkpoint has');
  }

  broken(what: string): Error {
    return badFile(this.path, `the pickle in the file is broken: ${what}`);
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  pop(): unknown {
    this.checkNotEmpty();
    return this.stack.pop();
  }

  top(): unknown {
    this.checkNotEmpty();
    return this.stack[this.stack.length - 1];
  }

  mark(): void {
    this.marks.push(this.stack.length);
  }

  hasMarkOnTop(): boolean {
    return this.marks[this.marks.length - 1] === this.stack.length;
  }

  /** Everything above the last MARK, which is taken away as well. */
  popToMark(): unknown[] {
    const start = this.marks.pop();
    if (start === undefined) throw this.broken('it closes a group that it never opened');
    const items = this.stack.slice(start);
    this.stack.length = start;
    this.spend(items.length);
    return items;
  }

  memoize(index: number): void {
    this.spend(1);
    if (index <= this.memo.length) {
      this.memo[index] = this.top();
      this.scatteredMemo.delete(index);
    } else {
      this.spend(8);
      this.scatteredMemo.set(index, this.top());
    }
  }

  memoizeNext(): void {
    this.memoize(this.memo.length + this.scatteredMemo.size);
  }

  recall(index: number): void {
    if (index < this.memo.length) this.push(this.memo[index]);
    else if (this.scatteredMemo.has(index)) this.push(this.scatteredMemo.get(index));
    else throw this.broken(`it recalls memo entry ${index}, which was never stored`);
  }

  pushGlobal(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.broken('a class without a name');
    const global = new PickleGlobal(module, name);
    refuseActing(this.path, global);
    this.spend(8);
    this.push(global);
  }

  /** REDUCE, NEWOBJ, INST and OBJ all say: make an object of this class from these arguments. */
  construct(type: unknown, args: unknown): void {
    if (!Array.isArray(args)) throw this.broken('arguments that are not a tuple');
    this.spend(8 + sizeWithin(args));
    if (type instanceof PickleGlobal) {
      this.push(this.classes.construct(type, args) ?? new PickleObject(type, args));
    } else if (type instanceof PickleObject) {
      this.push(new PickleObject(type, args));
    } else {
      throw this.broken('it makes an object of something that is not a class');
    }
  }

  build(object: unknown, state: unknown): void {
    this.spend(8 + sizeWithin(state));
    if (this.classes.build(object, state)) return;
    // The state of a dict is attributes beside its keys (`_metadata` of a state dict): not wanted.
    if (object instanceof PickleObject) object.state = state;
    else if (!(object instanceof Map)) throw this.broken('it gives a state to something that has none');
  }

  append(target: unknown, items: readonly unknown[]): void {
    // What is appended to an opaque list is not kept: nothing reads it.
    if (target instanceof PickleObject) return;
    if (!isList(target)) throw this.broken('it appends to something that is not a list');
    for (const item of items) target.push(item);
  }

  setItems(target: unknown, items: readonly unknown[]): void {
    if (items.length % 2 !== 0) throw this.broken('a key without a value');
    this.spend(2 * items.length);
    if (target instanceof PickleObject) return;
    if (!(target instanceof Map)) throw this.broken('it sets a key of something that is not a dict');
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
  }

  addItems(target: unknown, items: readonly unknown[]): void {
    this.spend(4 * items.length);
    if (target instanceof PickleObject) return;
    if (!(target instanceof Set)) throw this.broken('it adds to something that is not a set');
    for (const item of items) target.add(item);
  }

  pushTuple(items: unknown[]): void {
    this.spend(3);
    this.push(Object.freeze(items));
  }

  pushBytes(length: number): void {
    this.spend(8);
    this.push(this.cursor.bytes(length));
  }

  pushInteger(length: number): void {
    if (length > LONGEST_INTEGER) throw this.broken(`an integer of ${length} bytes`);
    this.push(this.cursor.longInteger(length));
  }

  pushPersistent(id: unknown): void {
    const found = this.classes.persistent(id);
    if (found === undefined) throw this.broken(`unknown persistent id ${quoted(id)}`);
    this.push(found);
  }

  private checkNotEmpty(): void {
    const floor = this.marks[this.marks.length - 1] ?? 0;
    if (this.stack.length <= floor) throw this.broken('it takes from an empty stack');
  }
}

type Operation = (machine: PickleMachine) => void;

const STOP = '.'.charCodeAt(0);

/** One row per opcode: what it does to the machine. */
const OPERATIONS: readonly (Operation | undefined)[] = tableOf({
  // Framing and stack
  '\x80': (m) => checkProtocol(m, m.cursor.byte()),
  '\x95': (m) => m.cursor.uint64(),
  '(': (m) => m.mark(),
  '0': (m) => (m.hasMarkOnTop() ? m.popToMark() : m.pop()),
  '1': (m) => m.popToMark(),
  '2': (m) => m.push(m.top()),
  // Constants and numbers
  N: (m) => m.push(null),
  '\x88': (m) => m.push(true),
  '\x89': (m) => m.push(false),
  I: (m) => m.push(decimalOrBoolean(m, m.cursor.line())),
  L: (m) => m.push(decimal(m, m.cursor.line().replace(/L$/, ''))),
  J: (m) => m.push(m.cursor.int32()),
  K: (m) => m.push(m.cursor.byte()),
  M: (m) => m.push(m.cursor.uint16()),
  '\x8a': (m) => m.pushInteger(m.cursor.byte()),
  '\x8b': (m) => m.pushInteger(m.cursor.uint32()),
  F: (m) => m.push(float(m, m.cursor.line())),
  G: (m) => m.push(m.cursor.float64BigEndian()),
  // Texts and bytes. The strings of Python 2 are bytes: read as Latin-1 they keep them all.
  S: (m) => m.push(unquoted(m, m.cursor.line())),
  T: (m) => m.push(m.cursor.latin1(m.cursor.uint32())),
  U: (m) => m.push(m.cursor.latin1(m.cursor.byte())),
  V: (m) => m.push(unescapedUnicode(m.cursor.line())),
  X: (m) => m.push(m.cursor.utf8(m.cursor.uint32())),
  '\x8c': (m) => m.push(m.cursor.utf8(m.cursor.byte())),
  '\x8d': (m) => m.push(m.cursor.utf8(m.cursor.uint64())),
  B: (m) => m.pushBytes(m.cursor.uint32()),
  C: (m) => m.pushBytes(m.cursor.byte()),
  '\x8e': (m) => m.pushBytes(m.cursor.uint64()),
  '\x96': (m) => m.pushBytes(m.cursor.uint64()),
  // Containers
  ']': (m) => pushContainer(m, []),
  a: (m) => popInto(m, 1, (target, items) => m.append(target, items)),
  e: (m) => popGroupInto(m, (target, items) => m.append(target, items)),
  l: (m) => pushContainer(m, m.popToMark()),
  ')': (m) => m.pushTuple([]),
  t: (m) => m.pushTuple(m.popToMark()),
  '\x85': (m) => m.pushTuple(popSome(m, 1)),
  '\x86': (m) => m.pushTuple(popSome(m, 2)),
  '\x87': (m) => m.pushTuple(popSome(m, 3)),
  '}': (m) => pushContainer(m, new Map()),
  d: (m) => {
    const items = m.popToMark();
    pushContainer(m, new Map());
    m.setItems(m.top(), items);
  },
  s: (m) => popInto(m, 2, (target, items) => m.setItems(target, items)),
  u: (m) => popGroupInto(m, (target, items) => m.setItems(target, items)),
  '\x8f': (m) => pushContainer(m, new Set()),
  '\x90': (m) => popGroupInto(m, (target, items) => m.addItems(target, items)),
  '\x91': (m) => {
    const items = m.popToMark();
    pushContainer(m, new Set());
    m.addItems(m.top(), items);
  },
  // Memo
  g: (m) => m.recall(memoIndex(m, m.cursor.line())),
  h: (m) => m.recall(m.cursor.byte()),
  j: (m) => m.recall(m.cursor.uint32()),
  p: (m) => m.memoize(memoIndex(m, m.cursor.line())),
  q: (m) => m.memoize(m.cursor.byte()),
  r: (m) => m.memoize(m.cursor.uint32()),
  '\x94': (m) => m.memoizeNext(),
  // Objects
  c: (m) => m.pushGlobal(m.cursor.line(), m.cursor.line()),
  '\x93': (m) => {
    const [module, name] = popSome(m, 2);
    m.pushGlobal(module, name);
  },
  R: (m) => {
    const [type, args] = popSome(m, 2);
    if (!isTuple(args)) throw m.broken('arguments that are not a tuple');
    m.construct(type, args);
  },
  b: (m) => popInto(m, 1, (object, [state]) => m.build(object, state)),
  '\x81': (m) => {
    const [type, args] = popSome(m, 2);
    m.construct(type, args);
  },
  '\x92': (m) => {
    const [type, args] = popSome(m, 3);
    m.construct(type, args);
  },
  i: (m) => {
    m.pushGlobal(m.cursor.line(), m.cursor.line());
    const type = m.pop();
    m.construct(type, m.popToMark());
  },
  o: (m) => {
    const [type, ...args] = m.popToMark();
    m.construct(type, args);
  },
  P: (m) => m.pushPersistent(m.cursor.line()),
  Q: (m) => m.pushPersistent(m.pop()),
  // Codes and buffers that stand outside the pickle
  '\x82': (m) => refuseOutside(m, 'extension codes'),
  '\x83': (m) => refuseOutside(m, 'extension codes'),
  '\x84': (m) => refuseOutside(m, 'extension codes'),
  '\x97': (m) => refuseOutside(m, 'buffers outside the pickle'),
  '\x98': (m) => refuseOutside(m, 'buffers outside the pickle'),
});

function tableOf(rows: Readonly<Record<string, Operation>>): (Operation | undefined)[] {
  const table: (Operation | undefined)[] = new Array(256).fill(undefined);
  for (const [character, operation] of Object.entries(rows)) table[character.charCodeAt(0)] = operation;
  return table;
}

function checkProtocol(m: PickleMachine, protocol: number): void {
  if (protocol > NEWEST_PROTOCOL) throw m.broken(`unknown pickle protocol ${protocol}`);
}

function refuseOutside(m: PickleMachine, what: string): never {
  throw m.broken(`it needs ${what}, which no checkpoint has`);
}

/** The last `count` values, oldest first. */
function popSome(m: PickleMachine, count: number): unknown[] {
  const items: unknown[] = new Array(count);
  for (let i = count - 1; i >= 0; i--) items[i] = m.pop();
  return items;
}

/** Takes `count` values and lets `put` store them in what lies below, which stays. */
function popInto(m: PickleMachine, count: number, put: (target: unknown, items: unknown[]) => void): void {
  const items = popSome(m, count);
  put(m.top(), items);
}

function popGroupInto(m: PickleMachine, put: (target: unknown, items: unknown[]) => void): void {
  const items = m.popToMark();
  put(m.top(), items);
}

function pushContainer(m: PickleMachine, container: unknown[] | Map<unknown, unknown> | Set<unknown>): void {
  m.spend(Array.isArray(container) ? 4 : 32);
  m.push(container);
}

function decimal(m: PickleMachine, text: string): number | bigint {
  if (text.length > 1000 || !/^\s*[-+]?\d+\s*$/.test(text)) throw m.broken(`${quoted(text)} is no integer`);
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text.replace('+', ''));
}

function decimalOrBoolean(m: PickleMachine, text: string): number | bigint | boolean {
  if (text === '00') return false;
  if (text === '01') return true;
  return decimal(m, text);
}

function float(m: PickleMachine, text: string): number {
  const infinity = /^([-+]?)inf$/i.exec(text);
  if (infinity !== null) return infinity[1] === '-' ? -Infinity : Infinity;
  if (/^[-+]?nan$/i.test(text)) return NaN;
  if (!/^[-+]?[\d.]+(e[-+]?\d+)?$/i.test(text)) throw m.broken(`${quoted(text)} is no number`);
  return Number(text);
}

function memoIndex(m: PickleMachine, text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw m.broken(`${quoted(text)} is no memo index`);
  return Number(text);
}

/** A string as Python 2 prints it: in quotes, with escapes. */
function unquoted(m: PickleMachine, text: string): string {
  const inner = /^(['"])(.*)\1$/s.exec(text)?.[2];
  if (inner === undefined) throw m.broken('a string without quotes');
  return inner.replace(/\\(x[\da-f]{2}|[0-7]{1,3}|.)/gis, (_, code: string) => {
    if (/^x./i.test(code)) return String.fromCharCode(parseInt(code.slice(1), 16));
    if (/^[0-7]/.test(code)) return String.fromCharCode(parseInt(code, 8) & 0xff);
    return { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', f: '\f', v: '\v' }[code] ?? code;
  });
}

function unescapedUnicode(text: string): string {
  return text.replace(/\\u([\da-f]{4})|\\U(00[\da-f]{6})/gi, (whole, short, long) => {
    const point = parseInt(short ?? long, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

/**
 * What lies in the members of a tuple. Making an object may copy them, and the memo can offer the same large
 * list a million times.
 */
function sizeWithin(tuple: unknown): number {
  if (!Array.isArray(tuple)) return 0;
  return tuple.reduce((total: number, member) => {
    if (Array.isArray(member)) return total + member.length;
    if (member instanceof Map || member instanceof Set) return total + 4 * member.size;
    if (typeof member === 'string' || member instanceof Uint8Array) return total + member.length / 4;
    return total;
  }, tuple.length);
}
