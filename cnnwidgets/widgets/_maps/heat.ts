/** A map as it came from Python, and the view of it that the reader chose. */

import { number } from "../_shared/format";
import type { Data } from "../_shared/view";
import { cellIn, type Extent, extentOf, OUTSIDE, type Size, valueIn, WHOLE } from "./resample";
import { limitOf, partOf, type Scale, type Sign, type Stats, scaleOf, statsOf } from "./scale";

/** What a map is where its content says nothing. */
export const PLAIN = {
  /** Still filling in: NaN is "not known yet". */
  partial: false,
  /** The map has no sign by nature. */
  unsigned: false,
  /** Input channels that were merged; 0 for none. */
  channels: 0,
  /** The layer that it is a map of. */
  layer: null as string | null,
  /** The method's name for a reader. */
  by: "",
  /** What its numbers measure, where no trait says it. */
  unit: "",
  /** How it was made: patch, places and fill of an occlusion. */
  made: "",
  /** How many digits are known, in a saved page: of a cell that is a pixel, and of what lies between larger cells. */
  digits: 3,
};

type Facts = typeof PLAIN;

/** The content of a push of a map beside its arrays. */
export interface MapContent extends Partial<Facts> {
  /** In place of a map: why there is none. */
  message?: string;
}

export interface Heat extends Facts {
  id: number;
  size: Size;
  values: Float32Array;
  /** What stands in for the positive part, or null where that is max(v, 0). */
  magnitude: Float32Array | null;
  /** Where it lies in the picture; undefined: over all of it. */
  extent?: Extent;
}

/** The map in a push; null if it holds none. */
export function heatOf(data: Data): Heat | null {
  const { values, magnitude } = data.arrays;
  if (!values) return null;
  const [h = 0, w = 0] = values.shape;
  return {
    ...PLAIN,
    ...(data.content as MapContent),
    id: data.id,
    size: [h, w],
    values: values.data as Float32Array,
    magnitude: (magnitude?.data as Float32Array | undefined) ?? null,
    extent: extentOf(data.content),
  };
}

export interface HeatView {
  sign: Sign;
  /** The map's own numbers behind this view. */
  raw: Float32Array;
  /** What is painted, 0..limit, or −limit..limit when signed; NaN where it is not finite. */
  part: Float32Array;
  limit: number;
  stats: Stats;
  digits: number;
}

const views = new WeakMap<Heat, Map<Sign, HeatView>>();

/** The same object for the same map and sign, so that a change of opacity computes nothing. */
export function viewOf(heat: Heat, chosenSign: Sign): HeatView {
  const sign = heat.unsigned ? "positive" : chosenSign;
  const bySign = views.get(heat) ?? new Map<Sign, HeatView>();
  views.set(heat, bySign);
  const present = bySign.get(sign);
  if (present) return present;
  const raw = sign === "positive" && heat.magnitude ? heat.magnitude : heat.values;
  const stats = statsOf(raw);
  const view = { sign, raw, part: partOf(raw, sign), limit: limitOf(stats, sign), stats, digits: heat.digits };
  bySign.set(sign, view);
  return view;
}

const scales = new WeakMap<Float32Array, Map<number, Scale>>();

/** The scale of what a view paints, computed once for each clip. */
export function scaleFor({ part, limit }: { part: Float32Array; limit: number }, clip: number): Scale {
  const byClip = scales.get(part) ?? new Map<number, Scale>();
  scales.set(part, byClip);
  const scale = byClip.get(clip) ?? scaleOf(part, limit, clip);
  byClip.set(clip, scale);
  return scale;
}

/** How the channels of an input gradient were merged, for the caption. */
export function mergedBy(heat: Heat, sign: Sign): string {
  if (!heat.magnitude) return "";
  const among = heat.channels > 1 ? ` over ${heat.channels} channels` : "";
  return sign === "positive" ? `largest magnitude${among}` : heat.channels > 1 ? `sum${among}` : "";
}

/** The lines of the tooltip at pixel (row, column) of the picture: the value painted, the place, the cell under it. */
export function linesAt(
  heat: Heat,
  view: HeatView,
  picture: Size,
  row: number,
  column: number,
  smooth: boolean,
): string[] {
  const [h, w] = heat.size;
  const extent = heat.extent ?? WHOLE;
  const colourValue = valueIn(view.part, heat.size, picture, [row, column], smooth, extent);
  const position = `row ${row}, column ${column}`;
  if (colourValue === OUTSIDE) return ["outside of the map", position];
  const i = cellIn(row, h, picture[0], extent[0], extent[2]);
  const j = cellIn(column, w, picture[1], extent[1], extent[3]);
  const raw = view.raw[i * w + j]!;
  const coarser = h !== picture[0] || w !== picture[1] || extent.some((side, at) => side !== WHOLE[at]);
  const own = number(raw, coarser ? 3 : heat.digits);
  if (!Number.isFinite(raw)) return [heat.partial && Number.isNaN(raw) ? "not known yet" : own, position];
  const value = number(view.sign === "negative" && colourValue !== 0 ? -colourValue : colourValue, heat.digits);
  const under = coarser ? `cell ${i}, ${j} of ${h} × ${w}: ${own}` : `map: ${own}`;
  return coarser || value !== own ? [value, position, under] : [value, position];
}
