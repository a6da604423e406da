/** A layer's kernels, how those of one filter lie beside each other, and their colours. */
import { type ColormapName, NOT_FINITE, table } from "../_maps/colormaps";
import type { BaseState, Data } from "../_shared/view";

export interface KernelGridState extends BaseState {
  layer: string;
  channel: number | null;
  input: number | null;
  sort: "index" | "norm";
  scale: "filter" | "layer";
  colormap: ColormapName;
}

export interface Kernels {
  layer: string;
  facts: string;
  values: Float32Array;
  norms: ArrayLike<number>;
  /** The filters' indices in the layer. */
  filters: ArrayLike<number>;
  count: number;
  inputs: number;
  depth: number;
  height: number;
  width: number;
  signal: boolean;
  coloured: boolean;
  dead: ReadonlySet<number>;
  /** For each filter that is nearly a multiple of others: those, with the cosine. */
  alike: Record<string, [number, number][]>;
  notes: string[];
}

export function readKernels({ arrays, content }: Data): Kernels | null {
  const { values, norms, filters } = arrays;
  if (!values || !norms || !filters) return null;
  const [count = 0, inputs = 0, depth = 0, height = 0, width = 0] = values.shape;
  return {
    layer: String(content["layer"] ?? ""),
    facts: String(content["facts"] ?? ""),
    values: values.data as Float32Array,
    norms: norms.data,
    filters: filters.data,
    ...{ count, inputs, depth, height, width },
    signal: content["signal"] === true,
    coloured: content["coloured"] === true,
    dead: new Set(content["dead"] as number[]),
    alike: content["alike"] as Kernels["alike"],
    notes: content["notes"] as string[],
  };
}

/** Positions of filters, first to last. */
export function ordered({ count, norms }: Pick<Kernels, "count" | "norms">, sort: KernelGridState["sort"]): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  const size = (i: number) => (Number.isNaN(norms[i]) ? Number.NEGATIVE_INFINITY : norms[i]!);
  return sort === "norm" ? order.sort((a, b) => size(b) - size(a) || a - b) : order;
}

export interface Tiling {
  /** Input channels, in the order of the tiles; one tile stands for all three where they are colours. */
  inputs: number[];
  mixed: boolean;
  across: number;
  gap: number;
  width: number;
  height: number;
}

type Sides = Pick<Kernels, "inputs" | "depth" | "height" | "width" | "signal" | "coloured">;

/** How the kernels of one filter are laid out; `input`: one channel alone. */
export function tiling(kernels: Sides, input: number | null): Tiling {
  const { depth, height, width, signal } = kernels;
  const mixed = kernels.coloured && input === null;
  const all = Array.from({ length: kernels.inputs }, (_, i) => i);
  const inputs = mixed ? [0] : input === null ? all : [input];
  const gap = signal || depth * height * width === 1 ? 0 : 1;
  const square = Math.round(Math.sqrt((inputs.length * height) / (depth * width)));
  const across = signal ? 1 : Math.max(1, Math.min(inputs.length, square));
  const down = Math.ceil(inputs.length / across);
  const step = depth * (width + gap);
  return { inputs, mixed, across, gap, width: across * step - gap, height: down * (height + gap) - gap };
}

export interface Place {
  input: number;
  slice: number;
  row: number;
  column: number;
}

/** The weight at a pixel of the laid out filter; null between two kernels, or behind the last. */
export function weightPlace(kernels: Sides, tiles: Tiling, x: number, y: number): Place | null {
  const { depth, height, width } = kernels;
  const { gap, across } = tiles;
  const [stepX, stepY] = [depth * (width + gap), height + gap];
  const tile = Math.floor(y / stepY) * across + Math.floor(x / stepX);
  const inside = x % stepX;
  const [row, slice, column] = [y % stepY, Math.floor(inside / (width + gap)), inside % (width + gap)];
  const input = tiles.inputs[tile];
  if (x < 0 || y < 0 || x >= tiles.width || input === undefined || row >= height || column >= width) return null;
  return { input, slice, row, column };
}

export function weightAt(kernels: Kernels, position: number, { input, slice, row, column }: Place): number {
  const { inputs, depth, height, width, values } = kernels;
  return values[(((position * inputs + input) * depth + slice) * height + row) * width + column] ?? Number.NaN;
}

/** The largest finite magnitude among the kernels on show of one filter; null: of all filters. */
export function largest(kernels: Kernels, input: number | null, position: number | null): number {
  const { inputs, values, count } = kernels;
  const size = kernels.depth * kernels.height * kernels.width;
  let limit = 0;
  for (let filter = position ?? 0; filter < (position === null ? count : position + 1); filter += 1) {
    const start = (filter * inputs + (input ?? 0)) * size;
    const end = start + (input === null ? inputs : 1) * size;
    for (let i = start; i < end; i += 1) {
      const magnitude = Math.abs(values[i]!);
      if (magnitude > limit && magnitude < Number.POSITIVE_INFINITY) limit = magnitude;
    }
  }
  return limit;
}

const GREY = 128;

/** The colours of one filter, RGBA; what is no weight is transparent. */
export function paintFilter(
  kernels: Kernels,
  tiles: Tiling,
  position: number,
  limit: number,
  colormap: ColormapName,
): ImageData {
  const image = new ImageData(tiles.width, tiles.height);
  const colours = table(colormap);
  const share = (weight: number) => (limit === 0 ? 0 : Math.max(-1, Math.min(1, weight / limit)));
  const colour = (at: Place): readonly number[] => {
    if (tiles.mixed) {
      const weights = [0, 1, 2].map((input) => weightAt(kernels, position, { ...at, input }));
      return weights.every(Number.isFinite) ? weights.map((own) => GREY + 127 * share(own)) : NOT_FINITE;
    }
    const weight = weightAt(kernels, position, at);
    if (!Number.isFinite(weight)) return NOT_FINITE;
    const first = Math.round(((share(weight) + 1) / 2) * 255) * 3;
    return [colours[first]!, colours[first + 1]!, colours[first + 2]!];
  };
  for (let y = 0; y < tiles.height; y += 1) {
    for (let x = 0; x < tiles.width; x += 1) {
      const at = weightPlace(kernels, tiles, x, y);
      if (at) image.data.set([...colour(at), 255], (y * tiles.width + x) * 4);
    }
  }
  return image;
}
