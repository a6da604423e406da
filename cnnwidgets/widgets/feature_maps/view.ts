/** Everything a repaint needs, worked out once from the traits and the newest data. */
import type { ColormapName } from "../_maps/colormaps";
import type { BaseState } from "../_shared/view";
import type { Contribution, Maps } from "./maps";

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

/** The largest absolute finite value; 0 when there is none. */
export function farthest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i += 1) {
    const size = Math.abs(values[i] as number);
    if (size > most && Number.isFinite(size)) most = size;
  }
  return most;
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

function nameOf(sort: Sort): string {
  return SORTS.find(([name]) => name === sort)![1].replace("sorted by ", "");
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
    quantityName: nameOf(by && sort !== "index" ? sort : "maximum"),
    longest: farthest(values),
  };
}
