/** One layer's maps as they came from Python, and what their colours span. */
import { DIVERGING } from "../_maps/colormaps";
import { TOP_LEVEL } from "../_maps/paint";
import { type Extent, extentOf } from "../_maps/resample";
import type { Data, Numbers } from "../_shared/view";

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
  minimum: Numbers;
  maximum: Numbers;
  mean: Numbers;
  zeros: Numbers;
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
    minimum: minimum.data,
    maximum: maximum.data,
    mean: mean.data,
    zeros: zeros.data,
    lowest: extreme(minimum.data, Math.min),
    highest: extreme(maximum.data, Math.max),
  };
}

function extreme(values: Numbers, pick: (a: number, b: number) => number): number {
  let most = Number.NaN;
  for (const value of values) {
    if (!Number.isNaN(value)) most = Number.isNaN(most) ? value : pick(most, value);
  }
  return most;
}

export function levelsOf(maps: Maps, channel: number): Uint8Array {
  const size = maps.height * maps.width;
  return maps.levels.subarray(channel * size, (channel + 1) * size);
}

/** The number behind a level, to 1/254 of the map's range; NaN for what is not finite. */
export function levelValue(maps: Maps, channel: number, level: number): number {
  if (level > TOP_LEVEL) return Number.NaN;
  const low = maps.minimum[channel] ?? Number.NaN;
  const high = maps.maximum[channel] ?? Number.NaN;
  return low + (level / TOP_LEVEL) * (high - low);
}

/** The values at the two ends of the colour map; a diverging one has zero in its middle. */
export function span(maps: Maps, channel: number, scale: "map" | "layer", colormap: string): [number, number] {
  const low = scale === "map" ? (maps.minimum[channel] ?? Number.NaN) : maps.lowest;
  const high = scale === "map" ? (maps.maximum[channel] ?? Number.NaN) : maps.highest;
  if (!DIVERGING.some(([name]) => name === colormap)) return [low, high];
  const farthest = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return [-farthest, farthest];
}

/** Where on the colour map, 0 to 1, a map's own minimum and maximum lie. A constant map lies at the lowest colour. */
export function ends(maps: Maps, channel: number, [low, high]: readonly [number, number]): [number, number] {
  const share = (value: number) => (high > low ? (value - low) / (high - low) : 0);
  return [share(maps.minimum[channel] ?? 0), share(maps.maximum[channel] ?? 0)];
}
