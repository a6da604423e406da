/** A map as it came from Python, and the view of it that the reader chose. */
import type { Data } from "../_shared/channel";
import { type Extent, extentOf, WHOLE } from "../_shared/extent";
import { number } from "../_shared/format";
import { cellIn, OUTSIDE, valueIn } from "./laid";
import type { Size } from "./resample";
import { limitOf, partOf, type Scale, type Stats, scaleOf, statsOf } from "./scale";
import type { MapContent, Sign } from "./state";

export interface Heat {
  id: number;
  size: Size;
  values: Float32Array;
  /** What stands in for the positive part, or null where that is max(v, 0). */
  magnitude: Float32Array | null;
  partial: boolean;
  unsigned: boolean;
  channels: number;
  /** The layer that it is a map of, where that was said. */
  layer: string | null;
  /** The method's name for a reader; empty: not said. */
  by: string;
  /** How it was made, for a reader; empty: nothing to say. */
  made: string;
  /** Where it lies in the picture; undefined: over all of it. */
  extent?: Extent;
}

/** The map in a "map" push; null if it holds none. */
export function heatOf(data: Data): Heat | null {
  const given = data.arrays["values"];
  if (!given) return null;
  const content = data.content as MapContent;
  const [h = 0, w = 0] = given.shape;
  return {
    id: data.id,
    size: [h, w],
    values: given.data as Float32Array,
    magnitude: (data.arrays["magnitude"]?.data as Float32Array | undefined) ?? null,
    partial: content.partial ?? false,
    unsigned: content.unsigned ?? false,
    channels: content.channels ?? 0,
    layer: content.layer ?? null,
    by: content.by ?? "",
    made: content.made ?? "",
    extent: extentOf(data.content),
  };
}

export interface View {
  sign: Sign;
  /** The map's own numbers behind this view. */
  raw: Float32Array;
  /** What is painted, 0..limit, or −limit..limit when signed; NaN where it is not finite. */
  part: Float32Array;
  limit: number;
  stats: Stats;
}

const views = new WeakMap<Heat, Map<Sign, View>>();

/** The same object for the same map and sign, so that a change of opacity computes nothing. */
export function viewOf(heat: Heat, wanted: Sign): View {
  const sign = heat.unsigned ? "positive" : wanted;
  const made = views.get(heat) ?? new Map<Sign, View>();
  views.set(heat, made);
  const known = made.get(sign);
  if (known) return known;
  const raw = sign === "positive" && heat.magnitude ? heat.magnitude : heat.values;
  const stats = statsOf(raw);
  const view = { sign, raw, part: partOf(raw, sign), limit: limitOf(stats, sign), stats };
  made.set(sign, view);
  return view;
}

const scales = new WeakMap<Float32Array, Map<number, Scale>>();

/** The scale of what a view paints, computed once for each clip. */
export function scaleFor({ part, limit }: { part: Float32Array; limit: number }, clip: number): Scale {
  const made = scales.get(part) ?? new Map<number, Scale>();
  scales.set(part, made);
  const scale = made.get(clip) ?? scaleOf(part, limit, clip);
  made.set(clip, scale);
  return scale;
}

/** How the channels of an input gradient were merged, for the caption. */
export function mergedBy(heat: Heat, sign: Sign): string {
  if (!heat.magnitude) return "";
  const among = heat.channels > 1 ? ` over ${heat.channels} channels` : "";
  return sign === "positive" ? `largest magnitude${among}` : heat.channels > 1 ? `sum${among}` : "";
}

/** The lines of the tooltip at pixel (row, column) of the picture: the value painted, the place, the cell under it. */
export function linesAt(heat: Heat, view: View, picture: Size, row: number, column: number, smooth: boolean): string[] {
  const [h, w] = heat.size;
  const extent = heat.extent ?? WHOLE;
  const painted = valueIn(view.part, heat.size, picture, row, column, smooth, extent);
  const place = `row ${row}, column ${column}`;
  if (painted === OUTSIDE) return ["outside of the map", place];
  const i = cellIn(row, h, picture[0], extent[0], extent[2]);
  const j = cellIn(column, w, picture[1], extent[1], extent[3]);
  const raw = view.raw[i * w + j]!;
  if (!Number.isFinite(raw)) return [heat.partial && Number.isNaN(raw) ? "not known yet" : number(raw), place];
  const value = number(view.sign === "negative" && painted !== 0 ? -painted : painted);
  const coarser = h !== picture[0] || w !== picture[1] || extent.some((side, at) => side !== WHOLE[at]);
  const under = coarser ? `cell ${i}, ${j} of ${h} × ${w}: ${number(raw)}` : `map: ${number(raw)}`;
  return coarser || value !== number(raw) ? [value, place, under] : [value, place];
}
