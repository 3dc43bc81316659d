/**
 * Writes the graph behind some values as an ONNX model, byte by byte: the protobuf wire format needs no more
 * than varints and length-prefixed fields, and the eight messages used here are named beside their numbers.
 *
 * Format: onnx/onnx.proto, IR version 10, operator set 20.
 */
import { MuseTalkError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { onnxType } from './ops/arithmetic.ts';
import type { Attribute, FileRange, Node, Shape, Value } from './value.ts';
import { nodesOf } from './value.ts';

const IR_VERSION = 10;
const OPSET = 20;
const MICROSOFT = 'com.microsoft.';

/** What a graph takes or gives under a name. */
export interface Port {
  readonly dtype: Value['dtype'];
  readonly shape: Shape;
}

/** A graph written out, and what goes in and comes out of it. */
export interface OnnxModel {
  /** The ModelProto. */
  readonly bytes: Uint8Array;
  readonly inputs: ReadonlyMap<string, Port>;
  readonly outputs: ReadonlyMap<string, Port>;
}

/** What is put beside a graph when it is written. */
export interface WriteOptions {
  /** The name, relative to the model's own folder, under which a file of weights will be found. */
  locate?: (file: FileRange) => string;
}

/**
 * The ONNX model that computes `outputs`.
 *
 * Constants in memory go into the model, constants in files become external data. Constants that still have to
 * be loaded must be resolved first (see `loadConstants`).
 *
 * @throws MuseTalkError GRAPH for two inputs of one name that differ, ENGINE when the model passes 2 GB.
 */
export function writeOnnx(
  outputs: Readonly<Record<string, Value>>,
  { locate }: WriteOptions = {},
): OnnxModel {
  const nodes = nodesOf(Object.values(outputs));
  const names = new Names(outputs);
  const graph = new Message();
  for (const node of nodes) graph.message(1, nodeProto(node, names)); // node
  graph.string(2, 'musetalk'); // name
  const inputs = new Map<string, Port>();
  for (const value of leavesOf(nodes, Object.values(outputs))) {
    if (value.source.kind === 'constant') graph.message(5, initializer(value, names.of(value), locate));
    else if (value.source.kind === 'input') addInput(inputs, value.source.name, value);
  }
  for (const [name, port] of inputs) graph.message(11, valueInfo(name, port)); // input
  for (const [name, value] of Object.entries(outputs)) graph.message(12, valueInfo(name, value)); // output
  return {
    bytes: modelProto(graph),
    inputs,
    outputs: new Map(Object.entries(outputs).map(([name, { dtype, shape }]) => [name, { dtype, shape }])),
  };
}

/** The inputs and constants that the nodes (or the outputs themselves) use, each once. */
export function leavesOf(nodes: readonly Node[], outputs: readonly Value[]): Set<Value> {
  const leaves = new Set<Value>();
  for (const value of [...nodes.flatMap((node) => node.inputs), ...outputs]) {
    if (value && value.source.kind !== 'node') leaves.add(value);
  }
  return leaves;
}

function addInput(inputs: Map<string, Port>, name: string, value: Value): void {
  const before = inputs.get(name);
  if (before && String(before.shape) !== String(value.shape)) {
    throw new MuseTalkError('GRAPH', `two inputs are called ${name}, [${before.shape}] and [${value.shape}]`);
  }
  inputs.set(name, { dtype: value.dtype, shape: value.shape });
}

/** Gives every value its name: outputs the wanted one, the rest short ones in order of use. */
class Names {
  readonly #names = new Map<Value, string>();
  readonly #taken = new Set<string>();
  #next = 0;

  constructor(outputs: Readonly<Record<string, Value>>) {
    for (const [name, value] of Object.entries(outputs)) {
      this.#taken.add(name);
      // A value that is two outputs, or an input at once, needs a node of its own (see `identities`).
      if (value.source.kind === 'node' && !this.#names.has(value)) this.#names.set(value, name);
      else throw new MuseTalkError('GRAPH', `output ${name} must be the result of an operator of its own`);
    }
  }

  of(value: Value | undefined): string {
    if (value === undefined) return '';
    if (value.source.kind === 'input') return value.source.name;
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const wanted = value.source.kind === 'constant' ? value.source.name : undefined;
    const name = wanted !== undefined && !this.#taken.has(wanted) ? wanted : `_${this.#next++}`;
    this.#taken.add(name);
    this.#names.set(value, name);
    return name;
  }
}

function modelProto(graph: Message): Uint8Array {
  const model = new Message();
  model.int(1, IR_VERSION); // ir_version
  model.string(2, 'musetalk'); // producer_name
  model.message(7, graph); // graph
  for (const [domain, version] of [
    ['', OPSET],
    ['com.microsoft', 1],
  ] as const) {
    const opset = new Message();
    opset.string(1, domain);
    opset.int(2, version);
    model.message(8, opset); // opset_import
  }
  return model.bytes();
}

function nodeProto(node: Node, names: Names): Message {
  const message = new Message();
  const microsoft = node.op.startsWith(MICROSOFT);
  for (const value of node.inputs) message.string(1, names.of(value)); // input
  for (const value of node.outputs) message.string(2, names.of(value)); // output
  message.string(4, opType(node.op)); // op_type
  for (const [name, value] of Object.entries(node.attributes))
    message.message(5, attributeProto(name, value));
  if (microsoft) message.string(7, 'com.microsoft'); // domain
  return message;
}

function opType(op: string): string {
  if (op.startsWith(MICROSOFT)) return op.slice(MICROSOFT.length);
  // Only the gradients know the difference.
  return op === 'StopGradient' ? 'Identity' : op;
}

function attributeProto(name: string, value: Attribute): Message {
  const message = new Message();
  message.string(1, name);
  if (typeof value === 'number') {
    message.int(3, value); // i
    message.int(20, 2); // type INT
  } else if (typeof value === 'string') {
    message.string(4, value); // s
    message.int(20, 3); // type STRING
  } else if ('float' in value) {
    message.float(2, value.float); // f
    message.int(20, 1); // type FLOAT
  } else {
    for (const item of value) message.int(8, item); // ints
    message.int(20, 7); // type INTS
  }
  return message;
}

function valueInfo(name: string, { dtype, shape }: Port): Message {
  const dims = new Message();
  for (const size of shape) {
    const dim = new Message();
    if (typeof size === 'number') dim.int(1, size);
    else dim.string(2, size);
    dims.message(1, dim);
  }
  const tensorType = new Message();
  tensorType.int(1, onnxType(dtype)); // elem_type
  tensorType.message(2, dims); // shape
  const type = new Message();
  type.message(1, tensorType); // tensor_type
  const info = new Message();
  info.string(1, name);
  info.message(2, type);
  return info;
}

function initializer(value: Value, name: string, locate: WriteOptions['locate']): Message {
  const message = new Message();
  for (const size of value.shape) message.int(1, size as number); // dims
  message.int(2, onnxType(value.dtype)); // data_type
  message.string(8, name);
  const data = value.source.kind === 'constant' ? value.source.data : undefined;
  if (data && 'tensor' in data) {
    message.raw(9, bytesOf(data.tensor)); // raw_data
  } else if (data && 'file' in data && locate) {
    const { file } = data;
    const entries = { location: locate(file), offset: String(file.offset), length: String(file.length) };
    for (const [key, text] of Object.entries(entries)) {
      const entry = new Message();
      entry.string(1, key);
      entry.string(2, text);
      message.message(13, entry); // external_data
    }
    message.int(14, 1); // data_location EXTERNAL
  } else {
    throw new MuseTalkError('GRAPH', `the numbers of ${name} are not in memory`);
  }
  return message;
}

/** The bytes of a tensor as ONNX wants them: little endian, C order. */
function bytesOf(tensor: Tensor): Uint8Array {
  const { data } = tensor;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

const text = new TextEncoder();

/** A protobuf message under construction: a list of pieces and their total length. */
class Message {
  readonly #pieces: Uint8Array[] = [];
  length = 0;

  int(field: number, value: number): void {
    this.#tag(field, 0);
    this.#varint(value);
  }

  float(field: number, value: number): void {
    this.#tag(field, 5);
    this.#push(new Uint8Array(Float32Array.of(value).buffer));
  }

  string(field: number, value: string): void {
    this.raw(field, text.encode(value));
  }

  raw(field: number, bytes: Uint8Array): void {
    this.#tag(field, 2);
    this.#varint(bytes.length);
    this.#push(bytes);
  }

  message(field: number, message: Message): void {
    this.#tag(field, 2);
    this.#varint(message.length);
    for (const piece of message.#pieces) this.#push(piece);
  }

  bytes(): Uint8Array {
    if (this.length >= 2 ** 31) {
      throw new MuseTalkError('ENGINE', `a model of ${this.length} bytes passes the 2 GB that ONNX allows`, {
        hint: 'Leave the weights in their file instead of loading them into memory.',
      });
    }
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  /** Negative numbers are written as 64-bit two's complement, as protobuf's int64. */
  #varint(value: number): void {
    if (value >= 0 && value < 128) {
      this.#push(Uint8Array.of(value));
      return;
    }
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    do {
      const low = Number(rest & 127n);
      rest >>= 7n;
      bytes.push(rest > 0n ? low | 128 : low);
    } while (rest > 0n);
    this.#push(Uint8Array.from(bytes));
  }

  #push(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.length += bytes.length;
  }
}
