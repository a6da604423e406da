/** From a map's numbers to its scale. */
import { number } from "../_shared/format";
import type { BaseState } from "../_shared/view";

export type Sign = "positive" | "signed" | "negative";

export type Method = [name: string, label: string, question: string, family?: string];

/** The traits that say how maps are coloured; widget.py says what each means. */
export interface ColouringState extends BaseState {
  sign: Sign;
  clip: number;
  opacity: number;
  colormap: string;
  diverging: string;
}

export interface Stats {
  /** Of the finite values; NaN if there is none. */
  min: number;
  max: number;
  total: number;
  nan: number;
  infinite: number;
}

export function statsOf(values: ArrayLike<number>): Stats {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let nan = 0;
  let infinite = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    if (Number.isNaN(value)) nan += 1;
    else if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) infinite += 1;
    else {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  if (min > max) min = max = Number.NaN;
  return { min, max, total: values.length, nan, infinite };
}

/** The value painted with the last colour; 0 where that side of the map is empty and there is nothing to paint. */
export function limitOf({ min, max }: Stats, sign: Sign): number {
  if (Number.isNaN(min)) return 0;
  if (sign === "signed") return Math.max(Math.abs(min), Math.abs(max));
  return Math.max(sign === "positive" ? max : -min, 0);
}

/** The largest magnitude of the finite values; 0 if there is none. */
export function farthest(values: ArrayLike<number>): number {
  return limitOf(statsOf(values), "signed");
}

/** The part of the map that `sign` shows: max(v, 0), max(−v, 0) or v. What is not finite becomes NaN. */
export function partOf(values: Float32Array, sign: Sign): Float32Array {
  const part = new Float32Array(values.length);
  const factor = sign === "negative" ? -1 : 1;
  const least = sign === "signed" ? Number.NEGATIVE_INFINITY : 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]! * factor;
    // The difference is NaN for what is not finite.
    part[i] = value - value === 0 ? Math.max(value, least) : Number.NaN;
  }
  return part;
}

/** numpy.percentile(|values|, percent) of the finite ones, linear between two; NaN if there is none. */
export function percentileOf(values: Float32Array, percent: number): number {
  const sizes = values.filter(Number.isFinite).map(Math.abs).sort();
  const rank = ((sizes.length - 1) * percent) / 100;
  const low = Math.floor(rank);
  const least = sizes[low] ?? Number.NaN;
  return least + ((sizes[low + 1] ?? least) - least) * (rank - low);
}

export interface Scale {
  /** The value painted with the last colour; 0 where there is nothing to paint. */
  limit: number;
  /** Percent of the places, those of the largest magnitudes, that all get that colour. */
  clip: number;
  /** So few places differ from 0 that clipping would have left nothing but them. */
  sparse: boolean;
}

/** The scale of `part`, whose largest magnitude is `limit`, with `clip` percent of its places past the end. */
export function scaleOf(part: Float32Array, limit: number, clip: number): Scale {
  const whole = { limit, clip: 0, sparse: false };
  if (clip <= 0 || limit === 0) return whole;
  const end = percentileOf(part, 100 - clip);
  if (end === 0) return { ...whole, sparse: true };
  return end < limit ? { limit: end, clip, sparse: false } : whole;
}

/** The numbers at the left, the middle and the right of the colour bar, in the map's own unit. */
export function barLabels(limit: number, sign: Sign, clipped = false, digits = 3): [string, string, string] {
  if (limit === 0) return ["", "", ""];
  const [under, over] = clipped ? ["≤ ", "≥ "] : ["", ""];
  const [negative, positive] = [number(-limit, digits), number(limit, digits)];
  if (sign === "signed") return [`${under}${negative}`, "0", `${over}+${positive}`];
  return ["0", "", sign === "positive" ? `${over}${positive}` : `${under}${negative}`];
}
