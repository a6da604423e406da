/** The sum of a cell as it was sent, and its numbers as pictures: pure functions. */
import { table } from "../_maps/colormaps";
import { pack, palette, TOP_LEVEL } from "../_maps/paint";
import { number } from "../_shared/format";
import type { BaseState, Data, Numbers } from "../_shared/view";

export interface CellSumState extends BaseState {
  heading: string;
  hint: string;
  steppable: boolean;
}

export interface Term {
  input: number;
  patch: Numbers;
  kernel: Numbers;
  products: Float32Array;
  added: number;
}

export interface Sum {
  height: number;
  width: number;
  terms: Term[];
  /** Input channels that are not among the terms, and what they add together. */
  others: number;
  rest: number;
  bias: number;
  value: number;
  /** The layer whose kernel it is. */
  convolution: string;
  steps: [name: string, after: number][];
  notes: string[];
}

/** Null: a push without a cell. */
export function sumOf({ arrays, content }: Data): Sum | null {
  const { patches, kernels, added, inputs } = arrays;
  if (!patches || !kernels || !added || !inputs) return null;
  const [, height = 1, width = 1] = patches.shape;
  const size = height * width;
  const terms = Array.from(added.data, (sum, at) => {
    const [patch, kernel] = [patches, kernels].map(({ data }) => data.subarray(at * size, (at + 1) * size)) as [
      Numbers,
      Numbers,
    ];
    const products = Float32Array.from(patch, (value, i) => value * kernel[i]!);
    return { input: inputs.data[at]!, patch, kernel, products, added: sum };
  });
  return { height, width, terms, ...(content as Omit<Sum, "height" | "width" | "terms">) };
}

/** Signed values as colours: white is 0, and both ends are the largest magnitude. */
export function signedPixels(values: Numbers, limit: number): Uint8ClampedArray<ArrayBuffer> {
  const colours = palette(table("blue-red"));
  const pixels = new Uint32Array(values.length);
  for (const [at, value] of values.entries()) {
    const share = limit > 0 ? (value / limit + 1) / 2 : 0.5;
    const level = Math.round(Math.min(1, Math.max(0, share)) * TOP_LEVEL);
    pixels[at] = Number.isFinite(value) ? colours[level]! : pack(255, 0, 255);
  }
  return new Uint8ClampedArray(pixels.buffer);
}

export function largestOf(values: Numbers): number {
  let most = 0;
  for (const value of values) if (Math.abs(value) > most && Number.isFinite(value)) most = Math.abs(value);
  return most;
}

/** "0.25 + 1.00 − 3.50 + 0.12 (90 other channels) = −2.13", and what follows. */
export function sentenceOf({ terms, bias, others, rest, value, steps }: Sum): string {
  const convolved = steps.length > 0 ? bias + terms.reduce((sum, { added }) => sum + added, rest) : value;
  const addends = [...terms.map(({ added }) => added), ...(others > 0 ? [rest] : [])];
  const text = addends.map((addend) => `${addend < 0 ? "−" : "+"} ${number(Math.abs(addend))}`).join(" ");
  const named = others > 0 ? ` (${others} other ${others === 1 ? "channel" : "channels"})` : "";
  const after = steps.map(([name, result]) => `, after ${name} ${number(result)}`).join("");
  return `${number(bias)} (bias) ${text}${named} = ${number(convolved)}${after}`;
}
