/** A filter that slides over its input, one window at a time: pure functions, in double precision. */

export type Operation = "conv" | "max" | "avg";

/** Numbers (channels, height, width). */
export interface Volume {
  values: Float64Array;
  channels: number;
  height: number;
  width: number;
}

export interface Setup {
  input: Volume;
  kernel: Volume;
  bias: number;
  stride: number;
  padding: number;
  dilation: number;
  operation: Operation;
}

/** What one input channel adds to an output cell. */
export interface ChannelTerm {
  patch: Float64Array;
  kernel: Float64Array;
  products: Float64Array;
  added: number;
}

export function volumeOf(kernel: readonly (readonly (readonly number[])[])[]): Volume {
  const [first] = kernel;
  return {
    values: Float64Array.from(kernel.flat(2)),
    channels: kernel.length,
    height: first?.length ?? 0,
    width: first?.[0]?.length ?? 0,
  };
}

export function listsOf({ values, channels, height, width }: Volume): number[][][] {
  const row = (c: number, i: number) =>
    Array.from(values.subarray((c * height + i) * width, (c * height + i + 1) * width));
  return Array.from({ length: channels }, (_, c) => Array.from({ length: height }, (__, i) => row(c, i)));
}

/** Rows and columns that a window reaches over, the gaps of a dilation included. */
export function extents({ kernel, dilation }: Pick<Setup, "kernel" | "dilation">): [number, number] {
  return [dilation * (kernel.height - 1) + 1, dilation * (kernel.width - 1) + 1];
}

/** Rows and columns of the output; under 1 where the window does not fit. */
export function outputSides(setup: Omit<Setup, "bias" | "operation">): [number, number] {
  const { input, padding, stride } = setup;
  const [high, wide] = extents(setup);
  return [
    Math.floor((input.height + 2 * padding - high) / stride) + 1,
    Math.floor((input.width + 2 * padding - wide) / stride) + 1,
  ];
}

/** Why the window cannot slide over the input, in Python's words (sliding.py); empty where it can. */
export function problemOf(setup: Setup): string {
  const { input, kernel, padding, dilation, operation } = setup;
  const [size, window] = [`${input.height} × ${input.width}`, `${kernel.height} × ${kernel.width}`];
  if (operation === "avg" && dilation > 1) {
    return `Average pooling has no dilation; it is ${dilation}, expected 1.`;
  }
  const half = Math.floor(Math.min(kernel.height, kernel.width) / 2);
  if (operation !== "conv" && padding > half) {
    return `The padding is ${padding}; a pooling takes at most half of its window of ${window}: ${half}.`;
  }
  if (Math.min(...outputSides(setup)) > 0) return "";
  const dilated = dilation > 1 ? `, ${extents(setup).join(" × ")} with its dilation` : "";
  const padded = [input.height + 2 * padding, input.width + 2 * padding].join(" × ");
  const around = padding > 0 ? `, ${padded} with its padding` : "";
  return (
    `The kernel of ${window}${dilated} is larger than the input of ${size}${around}. ` +
    "Choose a smaller kernel or more padding."
  );
}

/** The number at a row and column of the input; outside of it is the padding. */
export function cellAt(
  { input, operation }: Pick<Setup, "input" | "operation">,
  channel: number,
  row: number,
  column: number,
) {
  const { values, height, width } = input;
  const isInside = row >= 0 && row < height && column >= 0 && column < width;
  if (isInside) return values[(channel * height + row) * width + column]!;
  return operation === "max" ? Number.NEGATIVE_INFINITY : 0;
}

/** Top and left of the window behind an output cell; negative in the padding. */
export function cornerOf({ stride, padding }: Pick<Setup, "stride" | "padding">, row: number, column: number) {
  return [row * stride - padding, column * stride - padding] as const;
}

export function tapsAt(setup: Setup, channel: number, row: number, column: number): Float64Array {
  const { kernel, dilation } = setup;
  const [top, left] = cornerOf(setup, row, column);
  const patch = new Float64Array(kernel.height * kernel.width);
  for (let i = 0, at = 0; i < kernel.height; i += 1) {
    for (let j = 0; j < kernel.width; j += 1, at += 1) {
      patch[at] = cellAt(setup, channel, top + i * dilation, left + j * dilation);
    }
  }
  return patch;
}

/** Of a pooling the products are the patch itself, and what is added is its largest number or its mean. */
export function termAt(setup: Setup, channel: number, row: number, column: number): ChannelTerm {
  const patch = tapsAt(setup, channel, row, column);
  const size = patch.length;
  const kernel = setup.kernel.values.subarray(channel * size, (channel + 1) * size);
  if (setup.operation !== "conv") {
    const total = setup.operation === "max" ? Math.max(...patch) : patch.reduce((sum, value) => sum + value, 0) / size;
    return { patch, kernel, products: patch, added: total };
  }
  const products = patch.map((value, at) => value * kernel[at]!);
  return { patch, kernel, products, added: products.reduce((sum, value) => sum + value, 0) };
}

/** What each channel adds; of a pooling, what each has by itself. */
export function termsAt(setup: Setup, row: number, column: number): ChannelTerm[] {
  return Array.from({ length: setup.input.channels }, (_, channel) => termAt(setup, channel, row, column));
}

/** The number of an output cell; `channel` counts for a pooling alone. */
export function valueAt(setup: Setup, channel: number, row: number, column: number): number {
  if (setup.operation !== "conv") return termAt(setup, channel, row, column).added;
  let sum = setup.bias;
  for (let c = 0; c < setup.input.channels; c += 1) sum += termAt(setup, c, row, column).added;
  return sum;
}

/** The whole output, row by row; `channel` counts for a pooling alone. */
export function outputOf(setup: Setup, channel = 0): Float64Array {
  const [rows, columns] = outputSides(setup);
  return Float64Array.from({ length: rows * columns }, (_, at) =>
    valueAt(setup, channel, Math.floor(at / columns), at % columns),
  );
}

/** A kernel with another height and width, its middle where it was: cut, or with zeros around it. */
export function resizedKernel(kernel: Volume, size: number): Volume {
  const values = new Float64Array(kernel.channels * size * size);
  const [down, across] = [Math.floor((kernel.height - size) / 2), Math.floor((kernel.width - size) / 2)];
  for (let at = 0; at < values.length; at += 1) {
    const [i, j] = [(Math.floor(at / size) % size) + down, (at % size) + across];
    if (i < 0 || j < 0 || i >= kernel.height || j >= kernel.width) continue;
    const channel = Math.floor(at / (size * size));
    values[at] = kernel.values[(channel * kernel.height + i) * kernel.width + j]!;
  }
  return { values, channels: kernel.channels, height: size, width: size };
}

/** The output row and column whose window is nearest to having a cell of the input in its middle. */
export function outputNear(setup: Setup, row: number, column: number): [number, number] {
  const [sides, reach] = [outputSides(setup), extents(setup)];
  const near = (at: number, axis: 0 | 1) => {
    const step = Math.round((at + setup.padding - (reach[axis] - 1) / 2) / setup.stride);
    return Math.min(sides[axis] - 1, Math.max(0, step));
  };
  return [near(row, 0), near(column, 1)];
}
