/**
 * Reads TensorFlow Lite files (`.tflite`, a FlatBuffer with the mark `TFL3`): the tensors and the operators of
 * the first graph, as plain records. `tflite-graph.ts` makes a graph of them.
 *
 * Field numbers follow the order of declaration in TensorFlow's `lite/schema/schema.fbs`.
 */
import { MuseTalkError } from '../core/errors.ts';
import { type DType, sizeOf, type Tensor } from '../core/tensor.ts';
import { FlatTable } from './flatbuffer.ts';

/** The operators that can be read, by their number in `BuiltinOperator`. */
const OPERATORS = {
  0: 'ADD',
  2: 'CONCATENATION',
  3: 'CONV_2D',
  4: 'DEPTHWISE_CONV_2D',
  6: 'DEQUANTIZE',
  14: 'LOGISTIC',
  17: 'MAX_POOL_2D',
  19: 'RELU',
  22: 'RESHAPE',
  23: 'RESIZE_BILINEAR',
  34: 'PAD',
  54: 'PRELU',
} as const;

/** The operators that are read, by TFLite's names. */
export type TfliteOperatorName = (typeof OPERATORS)[keyof typeof OPERATORS];

/** `TensorType` of the schema. */
const DTYPES: Readonly<Record<number, DType>> = { 0: 'float32', 1: 'float16', 2: 'int32' };

/** A tensor: an activation, or a constant where `constant` is given. Pictures are [1, H, W, C]. */
export interface TfliteTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly constant: Tensor | undefined;
}

/** An application of an operator; numbers refer to {@link TfliteModel.tensors}. */
export interface TfliteOperator {
  readonly name: TfliteOperatorName;
  readonly inputs: readonly number[];
  readonly output: number;
  readonly options: TfliteOptions;
}

/** What the operators may be told; each uses its part. */
export interface TfliteOptions {
  readonly padding: 'same' | 'valid';
  /** Down and across, as the others. */
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Of a pooling; convolutions have theirs in the shape of the weights. */
  readonly kernel: readonly [number, number];
  readonly activation: 'none' | 'relu' | 'relu6';
  /** Of a concatenation, counted in the file's order of axes. */
  readonly axis: number;
  readonly alignCorners: boolean;
  readonly halfPixelCentres: boolean;
}

/** A network as a `.tflite` file holds it. */
export interface TfliteModel {
  /** How errors call the file. */
  readonly name: string;
  readonly tensors: readonly TfliteTensor[];
  /** In an order in which they can run. */
  readonly operators: readonly TfliteOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/**
 * Reads a file that lies in memory.
 *
 * @throws MuseTalkError WRONG_FILE when it is no TFLite file, or has operators that are not known here; BAD_FILE
 * when it is damaged.
 */
export function readTflite(bytes: Uint8Array, name: string): TfliteModel {
  if (String.fromCharCode(...bytes.subarray(4, 8)) !== 'TFL3') {
    throw new MuseTalkError('WRONG_FILE', `${name} is not a TensorFlow Lite file`, {
      hint: 'Install the package again that it comes from.',
    });
  }
  try {
    return readModel(FlatTable.root(bytes), name);
  } catch (cause) {
    // DataView and the list reader throw RangeError for every position that leads out of the file.
    if (cause instanceof RangeError) throw damaged(name, cause.message, cause);
    throw cause;
  }
}

/** An error that says what in the file contradicts itself. */
export function damaged(name: string, what: string, cause?: unknown): MuseTalkError {
  return new MuseTalkError('BAD_FILE', `${name} is damaged: ${what}`, {
    hint: 'Install the package again that it comes from.',
    cause,
  });
}

function readModel(model: FlatTable, name: string): TfliteModel {
  const codes = model.tables(1).map((code) => Math.max(code.int8(0), code.int32(3)));
  const graph = model.tables(2)[0];
  if (!graph) throw damaged(name, 'it holds no graph');
  const buffers = model.tables(4);
  const tensors = graph.tables(0).map((tensor) => readTensor(tensor, buffers, name));
  const operators = graph.tables(3).map((operator) => readOperator(operator, codes, name));

  const inputs = graph.int32s(1);
  const outputs = graph.int32s(2);
  const used = [...inputs, ...outputs, ...operators.flatMap((o) => [...o.inputs, o.output])];
  if (used.some((index) => index < 0 || index >= tensors.length)) {
    throw damaged(name, 'an operator names a tensor that does not exist');
  }
  return { name, tensors, operators, inputs, outputs };
}

function readTensor(table: FlatTable, buffers: readonly FlatTable[], name: string): TfliteTensor {
  const dtype = DTYPES[table.int8(1)];
  if (!dtype) {
    throw new MuseTalkError('WRONG_FILE', `${name} holds tensors of type ${table.int8(1)}, not known here`);
  }
  const shape = table.int32s(0);
  if (shape.length > 6 || shape.some((size) => size < 1)) throw damaged(name, `a tensor of shape [${shape}]`);
  const buffer = buffers[table.uint32(2)];
  if (!buffer) throw damaged(name, 'a tensor has no buffer');
  const bytes = buffer.bytes(0);
  return { dtype, shape, constant: bytes && constantOf(dtype, shape, bytes, name) };
}

function constantOf(dtype: DType, shape: number[], bytes: Uint8Array, name: string): Tensor {
  const width = dtype === 'float16' ? 2 : 4;
  if (bytes.length !== sizeOf(shape) * width) {
    throw damaged(name, `${bytes.length} bytes for a ${dtype} tensor of shape [${shape}]`);
  }
  const { buffer } = bytes.slice();
  if (dtype === 'float16') return { dtype, shape, data: new Uint16Array(buffer) };
  if (dtype === 'int32') return { dtype, shape, data: new Int32Array(buffer) };
  return { dtype: 'float32', shape, data: new Float32Array(buffer) };
}

function readOperator(table: FlatTable, codes: readonly number[], file: string): TfliteOperator {
  const code = codes[table.uint32(0)];
  const name = OPERATORS[code as keyof typeof OPERATORS] as TfliteOperatorName | undefined;
  if (!name) {
    throw new MuseTalkError('WRONG_FILE', `${file} uses operator ${code}, which is not known here`);
  }
  const inputs = table.int32s(1).filter((index) => index !== -1); // −1 stands for an absent bias
  const outputs = table.int32s(2);
  if (outputs.length !== 1 || inputs.length < MINIMUM_INPUTS[name] || inputs.length > 64) {
    throw damaged(file, `${name} with ${inputs.length} inputs and ${outputs.length} outputs`);
  }
  return { name, inputs, output: outputs[0]!, options: readOptions(name, table.table(4)) };
}

const MINIMUM_INPUTS: Readonly<Record<TfliteOperatorName, number>> = {
  ADD: 2,
  CONCATENATION: 1,
  CONV_2D: 2,
  DEPTHWISE_CONV_2D: 2,
  DEQUANTIZE: 1,
  LOGISTIC: 1,
  MAX_POOL_2D: 1,
  RELU: 1,
  RESHAPE: 1,
  RESIZE_BILINEAR: 2,
  PAD: 2,
  PRELU: 2,
};

/** Where each operator's options table holds what; a missing place is a missing option. */
interface OptionFields {
  readonly geometry?: true;
  readonly activation?: number;
  readonly dilation?: number;
  readonly kernel?: number;
  readonly axis?: number;
}

const OPTION_FIELDS: Partial<Record<TfliteOperatorName, OptionFields>> = {
  ADD: { activation: 0 },
  CONCATENATION: { axis: 0, activation: 1 },
  CONV_2D: { geometry: true, activation: 3, dilation: 4 },
  DEPTHWISE_CONV_2D: { geometry: true, activation: 4, dilation: 5 },
  MAX_POOL_2D: { geometry: true, kernel: 3, activation: 5 },
};

function readOptions(name: TfliteOperatorName, table: FlatTable | undefined): TfliteOptions {
  const fields = OPTION_FIELDS[name] ?? {};
  // The schema writes width before height everywhere.
  const pair = (first: number | undefined): [number, number] =>
    first === undefined || !table ? [1, 1] : [table.int32(first + 1, 1), table.int32(first, 1)];
  const activation = fields.activation === undefined ? 0 : (table?.int8(fields.activation) ?? 0);
  return {
    padding: fields.geometry && table?.int8(0) === 1 ? 'valid' : 'same',
    stride: pair(fields.geometry && 1),
    dilation: pair(fields.dilation),
    kernel: pair(fields.kernel),
    activation: activation === 1 ? 'relu' : activation === 3 ? 'relu6' : 'none',
    axis: fields.axis === undefined ? 0 : (table?.int32(fields.axis) ?? 0),
    alignCorners: name === 'RESIZE_BILINEAR' && table?.int8(2) === 1,
    halfPixelCentres: name === 'RESIZE_BILINEAR' && table?.int8(3) === 1,
  };
}
