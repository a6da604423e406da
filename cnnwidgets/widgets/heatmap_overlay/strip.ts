/** Small maps of all layers, from one push: which layer the large map is of, and where else to look. */
import type { ColormapName } from "../_maps/colormaps";
import { extentOf } from "../_maps/extent";
import { type Heat, scaleFor, viewOf } from "../_maps/heat";
import type { Sign } from "../_maps/state";
import type { Data } from "../_shared/channel";

export interface Strip {
  /** Layer -> its map, in order. */
  maps: Map<string, Heat>;
  /** Of the large map; `{layer}` stands for the name. */
  caption: string;
  unit: string;
  /** The method whose maps these are; empty: whichever. */
  method: string;
}

/** The strip in a "strip" push; null if it holds none. */
export function stripOf({ id, arrays, content }: Data): Strip | null {
  const names = content["names"] as string[];
  const extents = (content["extents"] ?? []) as unknown[];
  const [values, sizes] = [arrays["values"]?.data, arrays["sizes"]?.data];
  if (names.length === 0 || !(values instanceof Float32Array) || !sizes) return null;
  const maps = new Map<string, Heat>();
  let start = 0;
  names.forEach((layer, i) => {
    const [rows, columns] = [sizes[i * 2]!, sizes[i * 2 + 1]!];
    const own = values.subarray(start, start + rows * columns);
    start += rows * columns;
    const size = [rows, columns] as const;
    const extent = extentOf({ extent: extents[i] });
    const plain = { magnitude: null, partial: false, unsigned: false, channels: 0, by: "", made: "" };
    maps.set(layer, { id, size, values: own, layer, extent, ...plain });
  });
  const { caption, unit, method } = content as unknown as Strip;
  return { maps, caption, unit, method };
}

export interface StripLook {
  sign: Sign;
  name: ColormapName;
  clip: number;
  shared: boolean;
  smooth: boolean;
}

/** What a tile that stays grey means; empty where there is none. */
export function greyMeans(count: number, sign: Sign): string {
  if (count === 0) return "";
  const why = sign === "signed" ? "the map is 0 everywhere" : `nothing in the map is ${sign}`;
  return `${count} grey: ${why}`;
}

/** The largest limit among the maps, for those who share one scale. */
export function sharedLimit(strip: Strip, { sign, clip }: Pick<StripLook, "sign" | "clip">): number {
  return Math.max(0, ...[...strip.maps.values()].map((heat) => scaleFor(viewOf(heat, sign), clip).limit));
}

/** Rows and columns of pixels of a tile that is `side` at most, in the map's proportion, or nearly if it is a sliver. */
export function tileSize([rows, columns]: readonly [number, number], side: number): readonly [number, number] {
  const longest = Math.max(rows, columns);
  const along = (cells: number) => Math.max(Math.round(side / 4), Math.round((side * cells) / longest));
  return [along(rows), along(columns)];
}
