/**
 * Makes a graph of values from a TensorFlow Lite model. TFLite keeps pictures as [1, H, W, C]; here every value of
 * four axes is [B, C, H, W], with a free batch, and is turned only where the order shows: before a reshape.
 */
import { MuseTalkError } from '../core/errors.ts';
import { float16ToFloat32 } from '../core/float16.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import { sizeOf, tensor } from '../core/tensor.ts';
import { add, clip, relu, sigmoid } from './ops/arithmetic.ts';
import { conv, maxPool, resizeBilinear } from './ops/conv.ts';
import { concat, pad, reshape, transpose } from './ops/shape.ts';
import type { TfliteModel, TfliteOperator, TfliteOptions } from './tflite.ts';
import { damaged } from './tflite.ts';
import type { Value } from './value.ts';
import { apply, constant, fixed } from './value.ts';

/**
 * The outputs of a model for a picture.
 *
 * image: [B, C, H, W] → the model's outputs in its order, their first axis B; those of four axes as [B, C, H, W].
 *
 * @throws MuseTalkError BAD_FILE where the file contradicts itself, WRONG_FILE where it needs what is not known
 * here, GRAPH where the picture does not fit.
 */
export function tfliteGraph(model: TfliteModel, image: Value): Value[] {
  const graph = new Builder(model, image);
  for (const operator of model.operators) graph.run(operator);
  return model.outputs.map((index) => graph.activation(index));
}

class Builder {
  readonly #model: TfliteModel;
  readonly #activations = new Map<number, Value>();
  readonly #constants = new Map<number, Tensor>();

  constructor(model: TfliteModel, image: Value) {
    this.#model = model;
    for (const [index, { constant: numbers }] of model.tensors.entries()) {
      if (numbers) this.#constants.set(index, numbers);
    }
    if (model.inputs.length !== 1) throw damaged(model.name, `it has ${model.inputs.length} inputs`);
    this.#activations.set(model.inputs[0]!, image);
  }

  activation(index: number): Value {
    const value = this.#activations.get(index);
    if (!value) throw damaged(this.#model.name, `tensor ${index} is used before it is made`);
    return value;
  }

  run(operator: TfliteOperator): void {
    if (operator.name === 'DEQUANTIZE') {
      this.#constants.set(operator.output, floats(this.#constant(operator.inputs[0]!), this.#model.name));
      return;
    }
    const y = activate(this.#apply(operator), operator.options.activation);
    this.#activations.set(operator.output, y);
  }

  #apply({ name, inputs, output, options }: TfliteOperator): Value {
    const x = this.activation(inputs[0]!);
    const shape = this.#model.tensors[output]!.shape;
    switch (name) {
      case 'CONV_2D':
        return this.#conv(x, this.#floats(inputs[1]!), inputs[2], options);
      case 'DEPTHWISE_CONV_2D':
        return this.#depthwise(x, this.#floats(inputs[1]!), inputs[2], options);
      case 'PRELU':
        return apply('PRelu', [x, constant(channelSlope(this.#floats(inputs[1]!), x))], x.shape);
      case 'ADD':
        return add(x, this.activation(inputs[1]!));
      case 'RELU':
        return relu(x);
      case 'LOGISTIC':
        return sigmoid(x);
      case 'MAX_POOL_2D':
        return this.#maxPool(x, options);
      case 'PAD':
        return this.#pad(x, this.#constant(inputs[1]!));
      case 'RESHAPE':
        return fromRows(reshape(toRows(x), [x.shape[0]!, ...shape.slice(1)]));
      case 'CONCATENATION': {
        const parts = inputs.map((index) => this.activation(index));
        const axis = options.axis < 0 ? options.axis + x.shape.length : options.axis;
        return concat(parts, x.shape.length === 4 ? [0, 2, 3, 1][axis]! : axis);
      }
      case 'RESIZE_BILINEAR':
        if (!options.halfPixelCentres && !options.alignCorners) {
          throw this.#unknown('RESIZE_BILINEAR in its legacy form');
        }
        return resizeBilinear(x, shape[1]!, shape[2]!, { alignCorners: options.alignCorners });
      default:
        throw damaged(this.#model.name, `${name} is out of place`);
    }
  }

  #constant(index: number): Tensor {
    const numbers = this.#constants.get(index);
    if (!numbers) throw damaged(this.#model.name, `tensor ${index} should hold weights`);
    return numbers;
  }

  #floats(index: number): FloatTensor {
    return floats(this.#constant(index), this.#model.name);
  }

  /** Weights [out, kh, kw, in]. */
  #conv(x: Value, weight: FloatTensor, bias: number | undefined, options: TfliteOptions): Value {
    this.#rank(weight, 4);
    return conv(
      x,
      constant(permuted(weight, [0, 3, 1, 2])),
      this.#bias(bias),
      this.#place(x, weight, options),
    );
  }

  /** Weights [1, kh, kw, out]; one group for each channel. */
  #depthwise(x: Value, weight: FloatTensor, bias: number | undefined, options: TfliteOptions): Value {
    this.#rank(weight, 4);
    const place = this.#place(x, weight, options);
    return conv(x, constant(permuted(weight, [3, 0, 1, 2])), this.#bias(bias), {
      ...place,
      groups: fixed(x, 1),
    });
  }

  #place(x: Value, weight: FloatTensor, { padding, stride, dilation }: TfliteOptions) {
    const sides = [0, 1].map((axis) =>
      padding === 'valid'
        ? [0, 0]
        : samePadding(fixed(x, 2 + axis), weight.shape[1 + axis]!, stride[axis]!, dilation[axis]!),
    );
    const [[top, bottom], [left, right]] = sides as [[number, number], [number, number]];
    return { stride, dilation, padding: [top, left, bottom, right] };
  }

  #bias(index: number | undefined): Value | undefined {
    return index === undefined ? undefined : constant(this.#floats(index));
  }

  #maxPool(x: Value, { padding, kernel, stride }: TfliteOptions): Value {
    const square = kernel[0] === kernel[1] && stride[0] === stride[1];
    const pads =
      padding === 'same' &&
      [2, 3].some((axis) => samePadding(fixed(x, axis), kernel[0], stride[0], 1).some((side) => side > 0));
    if (!square || pads) throw this.#unknown('a pooling that is not square or that pads');
    return maxPool(x, { kernel: kernel[0], stride: stride[0] });
  }

  /** Paddings [axes, 2], before and after, axes in the file's order. */
  #pad(x: Value, amounts: Tensor): Value {
    if (amounts.data.length !== 2 * x.shape.length || x.shape.length !== 4) {
      throw damaged(this.#model.name, 'a padding that does not fit');
    }
    const sides = Array.from(amounts.data as ArrayLike<number>, Number);
    const order = [0, 3, 1, 2];
    return pad(
      x,
      order.map((axis) => sides[2 * axis]!),
      order.map((axis) => sides[2 * axis + 1]!),
    );
  }

  #unknown(what: string): MuseTalkError {
    return new MuseTalkError('WRONG_FILE', `${this.#model.name} uses ${what}, which is not known here`);
  }

  #rank(weight: FloatTensor, rank: number): void {
    if (weight.shape.length !== rank) throw damaged(this.#model.name, `weights of shape [${weight.shape}]`);
  }
}

/**
 * TensorFlow's "SAME": as many outputs as ⌈size / stride⌉, the odd pixel of padding behind.
 *
 * Returns [before, after].
 */
export function samePadding(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
): [number, number] {
  const covered = (Math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1;
  const total = Math.max(covered - size, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

function activate(x: Value, activation: TfliteOptions['activation']): Value {
  if (activation === 'none') return x;
  return activation === 'relu' ? relu(x) : clip(x, 0, 6);
}

function toRows(x: Value): Value {
  return x.shape.length === 4 ? transpose(x, [0, 2, 3, 1]) : x;
}

function fromRows(x: Value): Value {
  return x.shape.length === 4 ? transpose(x, [0, 3, 1, 2]) : x;
}

/** Slopes [1, 1, C] as [C, 1, 1], so that they meet the channels. */
function channelSlope(slopes: FloatTensor, x: Value): FloatTensor {
  const channels = fixed(x, 1);
  return slopes.data.length === channels
    ? tensor([channels, 1, 1], slopes.data)
    : permuted(slopes, [2, 0, 1]);
}

function floats(numbers: Tensor, file: string): FloatTensor {
  if (numbers.dtype === 'float32') return numbers as FloatTensor;
  if (numbers.dtype !== 'float16') throw damaged(file, `weights of type ${numbers.dtype}`);
  return tensor(numbers.shape, float16ToFloat32(numbers.data as Uint16Array));
}

/** The numbers with their axes in another order: axis i of the result is axis `order[i]`. */
function permuted({ shape, data }: FloatTensor, order: readonly number[]): FloatTensor {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const to = order.map((axis) => shape[axis]!);
  const result = new Float32Array(data.length);
  const position = to.map(() => 0);
  for (let i = 0; i < result.length; i++) {
    let from = 0;
    for (let axis = 0; axis < to.length; axis++) from += position[axis]! * strides[order[axis]!]!;
    result[i] = data[from]!;
    for (let axis = to.length - 1; axis >= 0 && ++position[axis]! === to[axis]; axis--) position[axis] = 0;
  }
  return tensor(to, result);
}
