/** Everything a repaint needs, worked out once from the traits and the newest data. */
import { type ColormapName, DIVERGING } from "../_maps/colormaps";
import { TOP_LEVEL } from "../_maps/paint";
import { type Extent, extentOf } from "../_maps/resample";
import { farthest, statsOf } from "../_maps/scale";
import type { BaseState, Data, Numbers } from "../_shared/view";

export interface Maps {
  id: number;
  layer: string;
  notes: string[];
  field: [number, number] | null;
  extent: Extent;
  count: number;
  height: number;
  width: number;
  levels: Uint8Array;
  /** How many levels are not told from each other. */
  step: number;
  minimum: Numbers;
  maximum: Numbers;
  mean: Numbers;
  zeros: Numbers;
  /** What each row and each column sees of the photograph, begin and end in shares of it; null: not known. */
  rows: Numbers | null;
  columns: Numbers | null;
  /** The least minimum and the greatest maximum; NaN if nothing is finite. */
  lowest: number;
  highest: number;
}

export interface Contribution {
  values: Numbers;
  target: string;
}

/** A push without maps carries a message instead. */
export function readMaps(data: Data): Maps | null {
  const { maps, minimum, maximum, mean, zeros } = data.arrays;
  if (!maps || !minimum || !maximum || !mean || !zeros) return null;
  const [count = 0, height = 0, width = 0] = maps.shape;
  return {
    id: data.id,
    layer: String(data.content["layer"] ?? ""),
    notes: (data.content["notes"] as string[] | undefined) ?? [],
    field: (data.content["receptive_field"] as [number, number] | null | undefined) ?? null,
    extent: extentOf(data.content),
    count,
    height,
    width,
    levels: maps.data as Uint8Array,
    step: (data.content["step"] as number | undefined) ?? 1,
    minimum: minimum.data,
    maximum: maximum.data,
    mean: mean.data,
    zeros: zeros.data,
    rows: data.arrays["rows"]?.data ?? null,
    columns: data.arrays["columns"]?.data ?? null,
    lowest: statsOf(minimum.data).min,
    highest: statsOf(maximum.data).max,
  };
}

/** The receptive field of a cell in the photograph; null: not known. */
export function fieldOf({ rows, columns }: Pick<Maps, "rows" | "columns">, row: number, column: number): Extent | null {
  if (!rows || !columns) return null;
  return [rows[2 * row]!, columns[2 * column]!, rows[2 * row + 1]!, columns[2 * column + 1]!];
}

export function levelsOf(maps: Maps, channel: number): Uint8Array {
  const size = maps.height * maps.width;
  return maps.levels.subarray(channel * size, (channel + 1) * size);
}

/** The number behind a level, to {@link rounding} of the map's range; NaN for what is not finite. */
export function levelValue(maps: Maps, channel: number, level: number): number {
  if (level > TOP_LEVEL) return Number.NaN;
  const low = maps.minimum[channel] ?? Number.NaN;
  const high = maps.maximum[channel] ?? Number.NaN;
  return low + (level / TOP_LEVEL) * (high - low);
}

/** The share of a map's range that its numbers are rounded to: "1/254". */
export function rounding({ step }: Pick<Maps, "step">): string {
  return `1/${Math.floor(TOP_LEVEL / step)}`;
}

/** The values at the two ends of the colour map; a diverging one has zero in its middle. */
export function span(maps: Maps, channel: number, scale: "map" | "layer", colormap: string): [number, number] {
  const low = scale === "map" ? (maps.minimum[channel] ?? Number.NaN) : maps.lowest;
  const high = scale === "map" ? (maps.maximum[channel] ?? Number.NaN) : maps.highest;
  if (!DIVERGING.some(([name]) => name === colormap)) return [low, high];
  const end = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return [-end, end];
}

/** Where on the colour map, 0 to 1, a map's own minimum and maximum lie. A constant map lies at the lowest colour. */
export function ends(maps: Maps, channel: number, [low, high]: readonly [number, number]): [number, number] {
  const at = (value: number) => (high > low ? (value - low) / (high - low) : 0);
  return [at(maps.minimum[channel] ?? 0), at(maps.maximum[channel] ?? 0)];
}

export interface FeatureMapsState extends BaseState {
  layer: string;
  channel: number | null;
  sort: Sort;
  scale: "map" | "layer";
  colormap: ColormapName;
  cell_size: "small" | "medium" | "large";
  opacity: number;
  smooth: boolean;
  switchable: boolean;
  clickable: boolean;
  off: number[];
  effect: string;
}

export const SORTS = [
  ["index", "sorted by index"],
  ["maximum", "sorted by maximum"],
  ["mean", "sorted by mean"],
  ["zeros", "sorted by share of zeros"],
  ["contribution", "sorted by contribution"],
] as const;

export type Sort = (typeof SORTS)[number][0];

/** What a map is sorted by; its maximum when they stand by index. Null: the contribution is not known. */
export function quantity(maps: Maps, contribution: Contribution | null, sort: Sort): ArrayLike<number> | null {
  if (sort === "contribution") return contribution?.values ?? null;
  return maps[sort === "index" ? "maximum" : sort];
}

/** Channels from first to last: largest quantity first, equals by index, NaN at the end; null: by index. */
export function order(count: number, by: ArrayLike<number> | null): number[] {
  const channels = Array.from({ length: count }, (_, channel) => channel);
  if (!by) return channels;
  const rank = (channel: number) => {
    const value = by[channel] ?? Number.NaN;
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  return channels.sort((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left === right ? a - b : right > left ? 1 : -1;
  });
}

/** A signed share of the longest bar, between -1 and 1. */
export function share(value: number, longest: number): number {
  return longest > 0 && Number.isFinite(value) ? value / longest : 0;
}

export interface MapsView {
  maps: Maps;
  contribution: Contribution | null;
  scale: FeatureMapsState["scale"];
  colormap: ColormapName;
  cellSize: FeatureMapsState["cell_size"];
  /** Channels, first to last. */
  order: number[];
  /** Where each channel stands in `order`. */
  position: number[];
  /** What the bars show: what the maps are sorted by, or the maximum. */
  quantity: ArrayLike<number>;
  quantityName: string;
  longest: number;
}

export function makeView(
  maps: Maps,
  contribution: Contribution | null,
  get: <K extends keyof FeatureMapsState>(name: K) => FeatureMapsState[K],
): MapsView {
  const sort = get("sort");
  const by = quantity(maps, contribution, sort);
  const sorted = order(maps.count, sort === "index" ? null : by);
  const position = new Array<number>(maps.count);
  for (const [at, channel] of sorted.entries()) position[channel] = at;
  const values = by ?? maps.maximum;
  const shows = by && sort !== "index" ? sort : "maximum";
  return {
    maps,
    contribution,
    // Each map of one value has that value as both its ends: only the layer's range tells them apart.
    scale: maps.height * maps.width === 1 ? "layer" : get("scale"),
    colormap: get("colormap"),
    cellSize: get("cell_size"),
    order: sorted,
    position,
    quantity: values,
    quantityName: SORTS.find(([name]) => name === shows)![1].replace("sorted by ", ""),
    longest: farthest(values),
  };
}
