import { badFile, quoted } from './checkpoint-error.ts';
import { ByteCursor } from './pickle-bytes.ts';
import { isList, PickleGlobal, PickleObject } from './pickle-objects.ts';
import { OPERATIONS } from './pickle-opcodes.ts';
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

/** What a pickle holds. */
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

/** The state of one run, and what opcodes do to it. */
export class PickleMachine {
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

const STOP = '.'.charCodeAt(0);

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
