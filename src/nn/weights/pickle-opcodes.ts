import { quoted } from './checkpoint-error.ts';
import type { PickleMachine } from './pickle.ts';
import { isTuple } from './pickle-objects.ts';

const NEWEST_PROTOCOL = 5;

/** What one opcode does. */
export type Operation = (machine: PickleMachine) => void;

/** What each opcode does to the machine, by its byte. STOP is not among them: it ends the run. */
export const OPERATIONS: readonly (Operation | undefined)[] = tableOf({
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
